-- Which endpoint of a backend gets a request. Pure: counters, scores, clocks and dice come in as arguments.
--
-- A backend is {SIZE, READINGS, address, port, address, port ..., name = string}. SIZE is the number of its endpoints,
-- or true where that must be read again; READINGS counts how often it was read. What each request asks for stands in
-- the array, which lies beside the table in memory. Every picker gives a number from 1 to SIZE, or nil when there is
-- none. `tried` is nil or a set of such numbers that have failed this request already; when all have, it no longer
-- counts: a second try at the same endpoint is better than none.

local bit = require "bit"


local band = bit.band
local bxor = bit.bxor
local byte = string.byte
local exp = math.exp
local max = math.max
local rol = bit.rol
local rshift = bit.rshift
local tobit = bit.tobit


-- Peak-EWMA forgets with this time constant, in seconds.
local DECAY = 10


local SIZE, READINGS = 1, 2


local _M = { SIZE = SIZE, READINGS = READINGS }


-- Address and port.
local function endpoint(backend, index)
    return backend[2 * index + 1], backend[2 * index + 2]
end
_M.endpoint = endpoint


-- The name of an endpoint, the same in all workers and over all changes of the backend.
local function id(backend, index)
    local address, port = endpoint(backend, index)
    return address .. ":" .. port
end
_M.id = id


local function exhausted(backend, tried)
    for index = 1, backend[SIZE] do
        if not tried[index] then
            return false
        end
    end
    return true
end


-- Multiplies modulo 2^32, which a double cannot do in one step.
local function multiply(a, b)
    local low = band(b, 0xffff)
    local high = rshift(b, 16)
    return tobit(a * low + tobit(band(tobit(a * high), 0xffff) * 65536))
end


-- MurmurHash3's finaliser: every bit of the input moves every bit of the output.
local function mix(hash)
    hash = bxor(hash, rshift(hash, 16))
    hash = multiply(hash, 0x85ebca6b)
    hash = bxor(hash, rshift(hash, 13))
    hash = multiply(hash, 0xc2b2ae35)
    return bxor(hash, rshift(hash, 16))
end


-- Hashes a string to a signed 32-bit number.
function _M.hash(text)
    local hash = #text
    for at = 1, #text do
        hash = multiply(bxor(rol(hash, 5), byte(text, at)), 0x9e3779b1)
    end
    return mix(hash)
end


-- Turn by turn. `turn` is a number that grows by one with every request of this backend, in whatever worker: so the
-- turns of all workers together are even.
function _M.round_robin(backend, turn, tried)
    local size = backend[SIZE]
    if size == 0 then
        return nil
    end

    local index = turn % size + 1
    if not tried or exhausted(backend, tried) then
        return index
    end

    while tried[index] do
        index = index % size + 1
    end
    return index
end


-- Rendezvous hashing: the endpoint whose hash together with the key's is the highest. When endpoints come or go, only
-- the keys of those move; nothing has to be built when they do.
function _M.hashed(backend, key, tried)
    if backend[SIZE] == 0 then
        return nil
    end

    if tried and exhausted(backend, tried) then
        tried = nil
    end

    local hashes = backend.hashes
    if not hashes then
        hashes = {}
        for index = 1, backend[SIZE] do
            hashes[index] = _M.hash(id(backend, index))
        end
        backend.hashes = hashes
    end

    local key_hash = _M.hash(key)
    local best, best_weight
    for index = 1, backend[SIZE] do
        if not (tried and tried[index]) then
            local weight = mix(bxor(key_hash, hashes[index]))
            if not best or weight > best_weight then
                best, best_weight = index, weight
            end
        end
    end
    return best
end


-- What is left of a score after `age` seconds.
local function decayed(score, age)
    return score * exp(-max(age, 0) / DECAY)
end


-- The score of an endpoint after it took `cost` seconds to answer, `age` seconds after its last `score`.
function _M.scored(score, age, cost)
    local weight = exp(-max(age, 0) / DECAY)
    return score * weight + cost * (1 - weight)
end


-- Peak-EWMA: of two endpoints taken at random the one that has lately been faster. `random(n)` gives 1 to n;
-- `score(id)` gives score and age of an endpoint, or nil for one that has none yet: such a one is taken at once.
function _M.ewma(backend, random, score, tried)
    local size = backend[SIZE]
    if size == 0 then
        return nil
    end

    if tried and exhausted(backend, tried) then
        tried = nil
    end

    local first = _M.round_robin(backend, random(size) - 1, tried)
    if size == 1 then
        return first
    end

    local second = _M.round_robin(backend, first - 1 + random(size - 1), tried)
    local first_score, first_age = score(id(backend, first))
    if not first_score then
        return first
    end

    local second_score, second_age = score(id(backend, second))
    if not second_score or decayed(second_score, second_age) < decayed(first_score, first_age) then
        return second
    end
    return first
end


-- Gives the index of the endpoint whose id hashes to `key` (see `pin`), or nil when it is gone.
function _M.pinned(backend, key)
    local pins = backend.pins
    if not pins then
        pins = {}
        for index = 1, backend[SIZE] do
            pins[_M.pin(backend, index)] = index
        end
        backend.pins = pins
    end
    return pins[key]
end


-- A text that names an endpoint to a client without telling its address.
function _M.pin(backend, index)
    local named = id(backend, index)
    return bit.tohex(_M.hash(backend.name .. "\0" .. named)) .. bit.tohex(_M.hash(named .. "\0" .. backend.name))
end


return _M
