-- Replaces a path, as NGINX's `rewrite <pattern> <replacement> break` would, without its configuration language.

local gsub = string.gsub
local tonumber = tonumber


local _M = {}


-- `captures(text, pattern)` gives the groups of the first place where the case-insensitive pattern is found ([0] is all
-- of it), or nil. Where it is found nowhere there is no new path: nil.
function _M.path(rule, path, captures)
    local groups = captures(path, rule.pattern)
    if not groups then
        return nil
    end

    return (gsub(rule.replacement, "%$(%d)", function(digit)
        return groups[tonumber(digit)] or ""
    end))
end


return _M
