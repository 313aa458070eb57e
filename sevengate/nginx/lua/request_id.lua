-- Names for requests: 32 hexadecimal digits, like NGINX's $request_id, for a third of what that costs.
--
-- NGINX asks OpenSSL for 16 random bytes per request, which is 1.1 us with the system call behind it. A name for log
-- lines needs to be unlike any other, not impossible to guess: so each worker runs Marsaglia's xorshift128 from its own
-- random start (https://doi.org/10.18637/jss.v008.i14).

local bit = require "bit"
local ffi = require "ffi"

local band = bit.band
local bxor = bit.bxor
local format = string.format
local lshift = bit.lshift
local rshift = bit.rshift


local _M = {}


-- The two digits of a byte, as the 16 bits that they are in memory.
local DIGITS = ffi.new("uint16_t[256]")
for value = 0, 255 do
    local first, second = format("%02x", value):byte(1, 2)
    DIGITS[value] = ffi.abi("le") and first + 256 * second or 256 * first + second
end

local LENGTH = 32
local digits = ffi.new("uint16_t[16]")
local text = ffi.cast("const unsigned char *", digits)
local x, y, z, w = 123456789, 362436069, 521288629, 88675123


-- Starts anew from 16 bytes, which must not all be zero.
function _M.seed(bytes)
    local words = ffi.new("int32_t[4]")
    ffi.copy(words, bytes, 16)
    x, y, z, w = words[0], words[1], words[2], words[3]
end


local function write_word(at)
    local mixed = bxor(x, lshift(x, 11))
    x, y, z = y, z, w
    w = bxor(w, rshift(w, 19), mixed, rshift(mixed, 8))

    digits[at] = DIGITS[band(w, 255)]
    digits[at + 1] = DIGITS[band(rshift(w, 8), 255)]
    digits[at + 2] = DIGITS[band(rshift(w, 16), 255)]
    digits[at + 3] = DIGITS[rshift(w, 24)]
end


-- Writes the next name; gives where its text stands until the one after it is written, and its length. No Lua string:
-- to look up a text that nobody has seen before, in the table of all strings, is what would cost most. And no loop: it
-- would end the compiler's trace of the request that calls this.
function _M.next()
    write_word(0)
    write_word(4)
    write_word(8)
    write_word(12)
    return text, LENGTH
end


return _M
