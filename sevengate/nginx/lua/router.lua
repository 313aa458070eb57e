-- Which route of a host serves a request: the twin of sevengate/routing/match.py, built for speed.
--
-- `build` takes a host's routes in their order of precedence and makes an index of them, once per change of the host.
-- `match` walks it: exact paths by one table look-up, then regular expressions in order, then prefixes from the longest
-- possible one down, one look-up per path element. Pure: the request comes in as functions, so the same file runs under
-- NGINX and in the twin test.
--
-- Two things cost more than the comparing. LuaJIT makes one piece of machine code of a request's way only if no loop
-- lies on it: so the walks are tail calls, which it unrolls. And with 10,000 hosts every table on the way misses the
-- processor's cache: so an index is one table with the prefixes as its keys, and a route that leads to one backend
-- without any condition or policy (`direct`) is left out: the index leads to the backend's table itself. Other routes
-- stand behind an entry {FITS, next, route}; entries of one path form a chain.

local ffi = require "ffi"

local byte = string.byte
local cast = ffi.cast
local find = string.find
local ipairs = ipairs
local sub = string.sub
local tonumber = tonumber
local C = ffi.C


ffi.cdef [[
    void *memrchr(const void *text, int character, size_t length);
]]


local SLASH = byte("/")

-- What an index holds beside its prefixes: the length of the longest one, entries by exact path, regular expressions.
local LONGEST, EXACT, REGEXES = 1, 2, 3
-- What an entry begins with: false where more than the path decides. A backend begins with its size, which is never
-- false.
local FITS = 1


local _M = {}


-- Appends an entry to the chain that begins at index[key]. Nothing is appended to what always fits: it would never be
-- asked.
local function chain(index, key, entry)
    local last = index[key]
    if not last then
        index[key] = entry
        return
    end

    while last[FITS] == false and last.next do
        last = last.next
    end
    if last[FITS] == false then
        last.next = entry
    end
end


-- Makes the index of `routes`: an array of {kind = "exact" | "prefix" | "regex", path = string, method = string or nil,
-- values = conditions or nil, direct = backend's table or nil, ...}. A prefix comes without its last "/".
function _M.build(routes)
    local index = { 0, false, false }

    for _, route in ipairs(routes) do
        local entry = route.direct or { not (route.method or route.values), next = false, route = route }

        if route.kind == "exact" then
            index[EXACT] = index[EXACT] or {}
            chain(index[EXACT], route.path, entry)

        elseif route.kind == "prefix" then
            chain(index, route.path, entry)
            if #route.path > index[LONGEST] then
                index[LONGEST] = #route.path
            end

        else
            index[REGEXES] = index[REGEXES] or {}
            index[REGEXES][#index[REGEXES] + 1] = { pattern = route.path, entry = entry }
        end
    end

    return index
end


local function value_fits(condition, request)
    local value = request.value(condition.source, condition.name)
    if not value then
        return false
    end

    local kind, wanted = condition.kind, condition.value
    if kind == "exact" then
        return value == wanted

    elseif kind == "suffix" then
        return wanted == "" or sub(value, -#wanted) == wanted

    elseif kind == "regex" then
        return request.found(value, wanted)
    end

    return true -- "present"
end


local function conditions_hold(route, request)
    if route.method and route.method ~= request.method() then
        return false
    end

    for _, condition in ipairs(route.values or {}) do
        if not value_fits(condition, request) then
            return false
        end
    end
    return true
end


-- The first entry of a chain whose conditions beside the path hold, or nil or false.
local function first_fitting(entry, request)
    if not entry or entry[FITS] ~= false or conditions_hold(entry.route, request) then
        return entry
    end
    return first_fitting(entry.next, request)
end


local function match_regex(regexes, at, path, request)
    local regex = regexes[at]
    if not regex then
        return nil
    end

    if request.found(path, regex.pattern) and first_fitting(regex.entry, request) then
        return regex.entry
    end
    return match_regex(regexes, at + 1, path, request)
end


-- The place of the last "/" in the first `length` bytes, or nil.
local function last_slash(path, length)
    local found = C.memrchr(path, SLASH, length)
    if found ~= nil then
        return tonumber(cast("const char *", found) - cast("const char *", path)) + 1
    end
end


-- Tries the prefixes of whole elements that end within the first `length` bytes, the longest first.
local function match_elements(index, path, length, request)
    local slash = last_slash(path, length)
    if not slash then
        return nil
    end

    local entry = first_fitting(index[sub(path, 1, slash - 1)], request)
    if entry then
        return entry
    end
    return match_elements(index, path, slash - 1, request)
end


local function match_prefix(index, path, request)
    local longest, length = index[LONGEST], #path
    if length > longest then
        return match_elements(index, path, longest + 1, request)
    end

    -- The whole path may be a prefix too, unless it ends with a "/", which is tried below.
    if byte(path, length) ~= SLASH then
        local entry = first_fitting(index[path], request)
        if entry then
            return entry
        end
    end
    return match_elements(index, path, length, request)
end


-- Gives the entry that serves `path` (normalised, beginning with "/"), or of a direct route the backend; nil or false
-- if none does. `request` has the functions method() -> string, value(source, name) -> string or nil, found(text,
-- pattern) -> boolean.
function _M.match(index, path, request)
    local exact, regexes = index[EXACT], index[REGEXES]
    if exact then
        local entry = first_fitting(exact[path], request)
        if entry then
            return entry
        end
    end

    if regexes then
        local entry = match_regex(regexes, 1, path, request)
        if entry then
            return entry
        end
    end

    return match_prefix(index, path, request)
end


-- Gives the name under which a wildcard host would stand: "*.example" for "shop.example"; nil where there is no label
-- to replace.
function _M.wildcard(host)
    local dot = find(host, ".", 1, true)
    if dot and dot > 1 then
        return "*" .. sub(host, dot)
    end
end


return _M
