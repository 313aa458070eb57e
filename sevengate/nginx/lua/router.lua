-- Which route of a host serves a request: the twin of sevengate/routing/match.py, built for speed.
--
-- `build` takes a host's routes in their order of precedence and makes an index of them, once per change of the host.
-- `match` walks it: exact paths by one table look-up, then regular expressions in order, then prefixes from the longest
-- possible one down, one look-up per path element. Routes of the same path form a chain (`next`) in their order. Pure:
-- the request comes in as functions, so the same file runs under NGINX and in the twin test.

local byte = string.byte
local find = string.find
local ipairs = ipairs
local sub = string.sub


local SLASH = byte("/")

-- What an index holds beside its prefixes: the length of the longest one, the exact paths, the regular expressions.
local LONGEST, EXACT, REGEXES = 1, 2, 3


local _M = {}


-- Appends a route to the chain that begins at index[key].
local function chain(index, key, route)
    local last = index[key]
    if not last then
        index[key] = route
        return
    end

    while last.next do
        last = last.next
    end
    last.next = route
end


-- Makes the index of `routes`: an array of {kind = "exact" | "prefix" | "regex", path = string, ...}. A prefix comes
-- without its last "/". Further fields of a route are left alone; `next` is added.
--
-- The index is one table, and holds the prefixes themselves as its string keys: with 10,000 hosts every further table
-- on the way to a route would be one more miss of the processor's cache.
function _M.build(routes)
    local index = { [LONGEST] = 0, [EXACT] = false, [REGEXES] = false }

    for _, route in ipairs(routes) do
        if route.kind == "exact" then
            index[EXACT] = index[EXACT] or {}
            chain(index[EXACT], route.path, route)

        elseif route.kind == "prefix" then
            chain(index, route.path, route)
            if #route.path > index[LONGEST] then
                index[LONGEST] = #route.path
            end

        else
            index[REGEXES] = index[REGEXES] or {}
            index[REGEXES][#index[REGEXES] + 1] = route
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


-- The first route of a chain whose conditions beside the path hold.
local function first_fitting(route, request)
    while route do
        if not route.conditional then
            return route
        end

        local fits = not route.method or route.method == request.method()
        if fits and route.values then
            for _, condition in ipairs(route.values) do
                if not value_fits(condition, request) then
                    fits = false
                    break
                end
            end
        end

        if fits then
            return route
        end
        route = route.next
    end
end


local function match_regex(regexes, path, request)
    for _, route in ipairs(regexes) do
        if request.found(path, route.path) then
            -- A regex is in no chain: `next` is never set, so this asks for the route's own conditions only.
            local fitting = first_fitting(route, request)
            if fitting then
                return fitting
            end
        end
    end
end


local function match_prefix(index, path, request)
    local longest, length = index[LONGEST], #path

    if length <= longest and byte(path, length) ~= SLASH then
        local route = index[path]
        if route then
            local fitting = first_fitting(route, request)
            if fitting then
                return fitting
            end
        end
    end

    -- Every "/" ends a prefix of whole elements; none longer than the longest one that exists can fit.
    for at = (length <= longest and length or longest + 1), 1, -1 do
        if byte(path, at) == SLASH then
            local route = index[sub(path, 1, at - 1)]
            if route then
                local fitting = first_fitting(route, request)
                if fitting then
                    return fitting
                end
            end
        end
    end
end


-- Gives the route that serves `path` (normalised, beginning with "/"), or nil. `request` has the functions
-- method() -> string, value(source, name) -> string or nil, found(text, pattern) -> boolean.
function _M.match(index, path, request)
    local exact, regexes = index[EXACT], index[REGEXES]
    if exact then
        local route = first_fitting(exact[path], request)
        if route then
            return route
        end
    end

    if regexes then
        local route = match_regex(regexes, path, request)
        if route then
            return route
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
