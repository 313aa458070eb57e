-- The session cookie that keeps a client at one endpoint: what it holds and how it is written.

local concat = table.concat
local find = string.find
local match = string.match
local sub = string.sub


local _M = {}


-- A cookie's value is `<key>|<the backend's affinity key>`: a key that was made for another backend (another side of a
-- canary, say) means nothing here.
function _M.key(value, backend_key)
    if not value then
        return nil
    end

    local bar = find(value, "|", 1, true)
    if bar and bar > 1 and sub(value, bar + 1) == backend_key then
        return sub(value, 1, bar - 1)
    end
end


function _M.value(key, backend_key)
    return key .. "|" .. backend_key
end


-- Browsers that take SameSite=None for Strict, or refuse the cookie:
-- https://www.chromium.org/updates/same-site/incompatible-clients/
local function misreads_same_site_none(agent)
    if not agent then
        return false
    end

    return match(agent, "iP.+; CPU .*OS 12[_%d]*.*%) AppleWebKit/") ~= nil
        or match(agent, "Macintosh;.*Mac OS X 10_14[_%d]*.*Version/.*Safari") ~= nil
        or match(agent, "Chrom[^ /]*/5[1-9]%.") ~= nil
        or match(agent, "Chrom[^ /]*/6[0-6]%.") ~= nil
end


-- The Set-Cookie header (RFC 6265, section 4.1). `request` is {path = the route's path, https = boolean, agent =
-- User-Agent, expires = function(seconds from now) -> HTTP date}.
function _M.set_cookie(affinity, value, request)
    local parts = { affinity.cookie .. "=" .. value }

    parts[#parts + 1] = "Path=" .. (affinity.path or request.path)
    if affinity.domain then
        parts[#parts + 1] = "Domain=" .. affinity.domain
    end
    if affinity.expires then
        parts[#parts + 1] = "Expires=" .. request.expires(affinity.expires)
    end
    if affinity.max_age then
        parts[#parts + 1] = "Max-Age=" .. affinity.max_age
    end

    local secure = affinity.secure
    if secure == nil then
        secure = request.https
    end
    if secure then
        parts[#parts + 1] = "Secure"
    end
    parts[#parts + 1] = "HttpOnly"

    local same_site = affinity.same_site
    local is_conditional = same_site == "None" and affinity.conditional_same_site_none
    local omitted = is_conditional and misreads_same_site_none(request.agent)
    if same_site and not omitted then
        parts[#parts + 1] = "SameSite=" .. same_site
    end

    return concat(parts, "; ")
end


return _M
