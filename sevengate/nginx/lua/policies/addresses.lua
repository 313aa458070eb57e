-- Whether a client's address may come in. The twin of AddressRules in sevengate/routing/policies.py.

local byte = string.byte
local char = string.char
local gsub = string.gsub
local ipairs = ipairs
local rep = string.rep
local sub = string.sub
local tonumber = tonumber


-- How ::ffff:192.0.2.1 begins (RFC 4291, section 2.5.5.2).
local WRAPPED = rep("\0", 10) .. "\255\255"


local _M = {}


local function unhex(text)
    return (gsub(text, "..", function(pair) return char(tonumber(pair, 16)) end))
end


-- Ranges as they come ({{first, last}, ...} in hex, sorted) become two arrays of raw bytes per length of an address.
local function prepared(ranges)
    local by_length = { [4] = { first = {}, last = {} }, [16] = { first = {}, last = {} } }
    for _, range in ipairs(ranges) do
        local first, last = unhex(range[1]), unhex(range[2])
        local family = by_length[#first]
        family.first[#family.first + 1] = first
        family.last[#family.last + 1] = last
    end
    return by_length
end


-- Takes the rules of a document: {allow = ranges or nil, deny = ranges or nil}.
function _M.build(rules)
    return { allow = rules.allow and prepared(rules.allow), deny = rules.deny and prepared(rules.deny) }
end


-- Compares bytes as unsigned numbers; strings are compared by locale in Lua, and that must not decide who comes in.
local function not_after(left, right)
    for at = 1, #left do
        local a, b = byte(left, at), byte(right, at)
        if a ~= b then
            return a < b
        end
    end
    return true
end


local function within(by_length, address)
    local family = by_length[#address]
    if not family then
        return false
    end

    -- The last range that begins not after the address is the only one that can hold it.
    local low, high = 1, #family.first
    while low <= high do
        local middle = (low + high - (low + high) % 2) / 2
        if not_after(family.first[middle], address) then
            low = middle + 1
        else
            high = middle - 1
        end
    end
    return high >= 1 and not_after(address, family.last[high])
end


-- `address` is the 4 or 16 bytes of NGINX's $binary_remote_addr. An IPv6 address that only wraps an IPv4 one counts as
-- that one, as in NGINX's access module.
function _M.admits(rules, address)
    if #address == 16 and sub(address, 1, 12) == WRAPPED then
        address = sub(address, 13)
    end

    if rules.deny and within(rules.deny, address) then
        return false
    end
    return not rules.allow or within(rules.allow, address)
end


return _M
