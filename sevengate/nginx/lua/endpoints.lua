-- Which endpoint a request is sent to, try by try, and what is learnt from how it went.
--
-- The choosing itself is balancer.lua's; this file brings what that asks for: the turns and scores that all workers
-- share, the cookie of a client who stays where he was, dice, clock, and which endpoints have failed this request.

local bit = require "bit"
local affinity = require "sevengate.nginx.lua.policies.affinity"
local balancer = require "sevengate.nginx.lua.balancer"
local peer = require "ngx.balancer"
local state = require "sevengate.nginx.lua.state"
local template = require "sevengate.nginx.lua.policies.template"

local gmatch = string.gmatch
local huge = math.huge
local match = string.match
local max = math.max
local min = math.min
local ngx = ngx
local random = math.random
local tohex = bit.tohex
local tonumber = tonumber


local SIZE, READINGS = balancer.SIZE, balancer.READINGS
-- A score that no request has renewed for this number of seconds is forgotten.
local SCORE_SECONDS = 60
-- What a try that failed counts at least, in seconds: an endpoint that refuses at once is not a fast one.
local FAILURE_SECONDS = 1
-- NGX_BUSY, which Lua has no name for: there is no endpoint, and NGINX answers 502.
local BUSY = -3
-- Keys that are drawn to find one of an endpoint that has not failed.
local KEY_DRAWS = 32
-- Times in the score dictionary's flags are tenths of a second modulo this.
local CLOCK = 2 ^ 31


local _M = {}


local tries  -- the largest number of endpoints that a request is tried at
local turns  -- the dictionary of the turns of round robin
local scores -- the dictionary of what endpoints cost lately


function _M.init(conf)
    tries = conf.tries == 0 and huge or conf.tries
    turns, scores = ngx.shared.turns, ngx.shared.scores
end


local function variable(name)
    return ngx.var[name]
end


local function now_in_tenths()
    return (ngx.now() * 10) % CLOCK
end


local function score(id)
    local value, at = scores:get(id)
    if value then
        return value, (now_in_tenths() - at) / 10
    end
end


local function set_cookie(ctx, key)
    local rule = ctx.policies.affinity
    local var = ngx.var
    ngx.header["Set-Cookie"] = affinity.set_cookie(rule, affinity.value(key, ctx.backend.key), {
        path = ctx.route.cookie_path,
        https = var.pass_access_scheme == "https",
        agent = var.http_user_agent,
        expires = function(seconds) return ngx.cookie_time(ngx.time() + seconds) end,
    })
end


-- The endpoint that the key of a cookie means, or nil where it is gone.
local function endpoint_of(rule, backend, key)
    if rule.mode == "persistent" then
        return balancer.pinned(backend, key)
    end
    return balancer.hashed(backend, key)
end


-- A key for a cookie, and the endpoint that it means: one that has not failed this request, if there is one.
local function new_key(rule, backend, tried)
    if rule.mode == "persistent" then
        local index = balancer.round_robin(backend, random(backend[SIZE]), tried)
        return balancer.pin(backend, index), index
    end

    local key, index
    for _ = 1, KEY_DRAWS do
        key = tohex(random(0, 0x7fffffff)) .. tohex(random(0, 0x7fffffff))
        index = balancer.hashed(backend, key)
        if not (tried and tried[index]) then
            break
        end
    end
    return key, index
end


-- Keeps a client at its endpoint. One without a cookie, or whose endpoint is gone, gets a cookie for the endpoint that
-- serves it now; one whose endpoint failed gets one only where the rule says so, else another endpoint helps out.
local function sticky(ctx, tried)
    local rule, backend = ctx.policies.affinity, ctx.backend
    local key = affinity.key(ngx.var["cookie_" .. rule.cookie], backend.key)
    local index = key and endpoint_of(rule, backend, key)
    if index and not (tried and tried[index]) then
        return index
    end

    if index and not rule.change_on_failure then
        return balancer.hashed(backend, key, tried)
    end

    key, index = new_key(rule, backend, tried)
    set_cookie(ctx, key)
    return index
end


local function pick(ctx, tried)
    local policies, backend = ctx.policies, ctx.backend
    if policies.affinity then
        return sticky(ctx, tried)
    end

    if backend[SIZE] == 1 then
        return 1
    end

    local algorithm = policies.algorithm
    if algorithm == "hash" then
        return balancer.hashed(backend, template.text(policies.hash_by, variable), tried)

    elseif algorithm == "ewma" then
        return balancer.ewma(backend, random, score, tried)
    end

    return balancer.round_robin(backend, turns:incr(backend.name, 1, -1), tried)
end


-- The endpoints that have failed this request, where `ctx.index` is the last one that was tried. When others have taken
-- their places meanwhile, nobody has failed yet.
local function failed(ctx, backend)
    if ctx.readings ~= backend[READINGS] then
        return nil
    end

    local tried = ctx.tried or {}
    tried[ctx.index] = true
    return tried
end


-- Sends the request to an endpoint: in the balancer phase, for the first try and for each further one. `ctx` is
-- {backend = table, policies = table, route = table where there is an affinity}; what is remembered from try to try is
-- added to it.
function _M.try(ctx)
    local backend = ctx.backend
    -- While the request's body was read, the backend may have changed.
    local size = state.size(backend)
    if size == 0 then
        return ngx.exit(BUSY)
    end

    local tried
    if ctx.index then
        tried = failed(ctx, backend)
        ctx.tried = tried

    elseif size > 1 then
        peer.set_more_tries(min(tries, size) - 1)
    end

    local index = pick(ctx, tried)
    ctx.index, ctx.readings = index, backend[READINGS]

    local ok, err = peer.set_current_peer(balancer.endpoint(backend, index))
    if not ok then
        ngx.log(ngx.ERR, "endpoint ", balancer.id(backend, index), " of ", backend.name, ": ", err)
        return ngx.exit(ngx.ERROR)
    end

    local timeouts = ctx.policies.timeouts
    if timeouts then
        peer.set_timeouts(timeouts[1], timeouts[2], timeouts[3])
    end
end


local function remember(id, cost, has_failed)
    local value, age = score(id)
    if has_failed then
        cost = max(cost, FAILURE_SECONDS)
    elseif value then
        cost = balancer.scored(value, age, cost)
    end
    scores:set(id, cost, SCORE_SECONDS, now_in_tenths())
end


-- Remembers what each endpoint that was tried has cost: NGINX lists their addresses, which are their ids, and times.
function _M.learn()
    local var = ngx.var
    local answered_by = match(var.upstream_addr or "", "[^ ,]+$")
    local next_time = gmatch(var.upstream_response_time or "", "[^ ,]+")
    local is_failure = ngx.status == 502 or ngx.status == 504

    for id in gmatch(var.upstream_addr or "", "[^ ,]+") do
        local cost = tonumber(next_time())
        if cost then
            remember(id, cost, is_failure or id ~= answered_by)
        end
    end
end


return _M
