-- What NGINX calls, phase by phase: the only file that nginx.conf names.
--
-- A request's walk: `route` (rewrite phase) finds the host and its route and lets the policies act in their order:
-- closed, redirect, https, addresses, rewrite. What then goes to a backend is handed on in ngx.ctx. A route of the
-- default Profile is proxied in place; another one continues in the named location of its Profile, for which ngx.ctx
-- is put aside (aside.lua), because ngx.exec clears it. In the balancer phase endpoints.lua picks an endpoint, and
-- again for each further try.

local ffi = require "ffi"
local aside = require "sevengate.nginx.lua.aside"
local endpoints = require "sevengate.nginx.lua.endpoints"
local addresses = require "sevengate.nginx.lua.policies.addresses"
local balancer = require "sevengate.nginx.lua.balancer"
local metrics = require "sevengate.nginx.lua.metrics"
local request_id = require "sevengate.nginx.lua.request_id"
local rewrite = require "sevengate.nginx.lua.policies.rewrite"
local router = require "sevengate.nginx.lua.router"
local state = require "sevengate.nginx.lua.state"
local template = require "sevengate.nginx.lua.policies.template"
local tls = require "sevengate.nginx.lua.tls"

local C = ffi.C
local byte = string.byte
local concat = table.concat
local find = string.find
local get_request = require("resty.core.base").get_request
local gmatch = string.gmatch
local ipairs = ipairs
local lower = string.lower
local match = string.match
local ngx = ngx
local random = math.random
local re_find = ngx.re.find
local re_match = ngx.re.match
local sub = string.sub
local tonumber = tonumber
local type = type


local SIZE = balancer.SIZE
local NO_POLICIES = state.NO_POLICIES
local NO_SOURCE = state.NO_SOURCE
-- The variable that names a request that came without a name, and room for lua-resty-core's own function to set it.
local REQUEST_ID = "made_request_id"
local VARIABLE_ERROR_SIZE = 256
local variable_name = ffi.new("unsigned char[?]", #REQUEST_ID)
local variable_error = ffi.new("unsigned char[?]", VARIABLE_ERROR_SIZE)
local variable_error_length = ffi.new("size_t[1]")
-- Hosts that clients named as NGINX writes them are remembered up to this number.
local AGREEMENTS_KEPT = 32768
local DOT, SLASH = byte("."), byte("/")
-- Compiled once and kept (o), by the just-in-time compiler (j), and blind to case (i).
local REGEX_FLAGS = "ijo"


local _M = {}


local conf         -- what `init` was told
local logs_backend -- whether the access log names the backend
local logs_source  -- whether it names anything of whose wish the route is
local names_requests -- whether requests without a name get one
local counts       -- whether requests are counted
local agreeing = {} -- hosts by `$host $http_host`, where both are the same: one variable costs less than two
local agreements = 0


local function split(text)
    local words = {}
    for word in gmatch(text, "[^/]+") do
        words[#words + 1] = word
    end
    return words
end


-- Takes `name:value` arguments: see LuaConf in sevengate/nginx/static.py. Runs in the master, before the workers fork.
function _M.init(...)
    conf = {}
    for _, argument in ipairs({ ... }) do
        local name, value = match(argument, "^([%w_]+):(.*)$")
        -- The id is a digest, which may look like a number: 24e5...
        conf[name] = name ~= "id" and tonumber(value) or value
    end
    conf.log_variables = split(conf.log_variables)
    logs_backend, logs_source = conf.logs_backend == 1, #conf.log_variables > 0
    names_requests = conf.generate_request_id == 1
    counts = conf.metrics == 1
    state.init(conf)
    tls.init(conf)
    endpoints.init(conf)
    if counts then
        metrics.init(conf)
    end
    -- The control server's functions too are loaded by the master: its workers may not be allowed to read this folder.
    require "sevengate.nginx.lua.control"
end


-- Workers are copies of one master, so each must begin somewhere of its own.
function _M.init_worker()
    local file = assert(io.open("/dev/urandom", "rb"))
    local bytes = file:read(16)
    file:close()
    request_id.seed(bytes)
    math.randomseed(ngx.now() * 1000 + ngx.worker.pid())
    if counts then
        metrics.init_worker()
    end
end


-- A request, as router.lua asks it.
local request = {}


function request.method()
    return ngx.req.get_method()
end


-- A query parameter as $arg_ gives it: the first of the name, not decoded, the name compared without regard to case.
local function query_parameter(name)
    local args = ngx.var.args
    if args then
        name = lower(name)
        for pair in gmatch(args, "[^&]+") do
            local equals = find(pair, "=", 1, true)
            if equals and lower(sub(pair, 1, equals - 1)) == name then
                return sub(pair, equals + 1)
            end
        end
    end
end


-- A header, of which several lines are one (RFC 9110, section 5.3): NGINX's $http_ has joined them only since 1.23.
local function header(name)
    local value = ngx.req.get_headers(0)[name]
    return type(value) == "table" and concat(value, ", ") or value
end


function request.value(source, name)
    if source == "header" then
        return header(name)

    elseif source == "cookie" then
        return ngx.var["cookie_" .. name]
    end

    return query_parameter(name)
end


-- A pattern that costs too much (lua_regex_match_limit) or cannot be compiled is found nowhere: a route never gets
-- wider.
function request.found(text, pattern)
    local from, _, err = re_find(text, pattern, REGEX_FLAGS)
    if err then
        ngx.log(ngx.ERR, "pattern ", pattern, ": ", err)
    end
    return from ~= nil
end


local function captures(text, pattern)
    local groups, err = re_match(text, pattern, REGEX_FLAGS)
    if err then
        ngx.log(ngx.ERR, "pattern ", pattern, ": ", err)
    end
    return groups
end


local function variable(name)
    return ngx.var[name]
end


-- Whether the client speaks https to us, or to the balancer before us whose word is trusted.
local function is_https()
    return ngx.var.pass_access_scheme == "https"
end


-- Answers with a redirect. ngx.redirect takes only some codes.
local function redirect(code, location)
    ngx.header["Location"] = location
    return ngx.exit(code)
end


local function redirect_to_https(rule)
    local var = ngx.var
    local target = var.request_uri
    if not rule.keep_trailing_slash and #target > 1 and byte(target, -1) == SLASH then
        target = sub(target, 1, -2)
    end
    return redirect(rule.code, "https://" .. var.host .. target)
end


-- Sets the variables of the access log from the number `at` on; no loop, as in router.lua.
local function set_log_variables(var, at, source)
    local name = conf.log_variables[at]
    if name then
        var[name] = source[name]
        return set_log_variables(var, at + 1, source)
    end
end


-- Tells the access log where the request goes: the backend's label, and whose wish that is.
local function log_source(label, source)
    if logs_backend then
        ngx.var.proxy_upstream_name = label
    end
    if logs_source then
        set_log_variables(ngx.var, 1, source or NO_SOURCE)
    end
end


-- What nobody serves: the default backend's answer, as the controllers before us gave it.
local function nobody()
    ngx.status = ngx.HTTP_NOT_FOUND
    ngx.header["Content-Type"] = "text/plain"
    ngx.print("default backend - 404")
    return ngx.exit(ngx.HTTP_OK)
end


-- Chooses among the route's backends by weight; one that has no endpoints takes no part while others have some.
local function backend_of(route)
    if route.backend then
        return route.backend
    end

    local candidates, total = {}, 0
    for _, share in ipairs(route.backends or {}) do
        if share[2] > 0 and state.size(share[1]) > 0 then
            total = total + share[2]
            candidates[#candidates + 1] = { share[1], total }
        end
    end

    local drawn = total > 0 and random(total)
    for _, candidate in ipairs(candidates) do
        if drawn <= candidate[2] then
            return candidate[1]
        end
    end
end


-- Policies that answer for the backend.
local function answered(policies)
    if policies.closed then
        return ngx.exit(policies.closed)
    end

    if policies.redirect then
        return redirect(policies.redirect.code, template.text(policies.redirect.location, variable))
    end

    if policies.https and not is_https() then
        return redirect_to_https(policies.https)
    end

    if policies.addresses and not addresses.admits(policies.addresses, ngx.var.binary_remote_addr) then
        return ngx.exit(ngx.HTTP_FORBIDDEN)
    end
end


-- Whether the body's length is not known before it is read: only a static limit can stop such a one.
local function has_unmeasured_body(length)
    if length then
        return false
    end
    return ngx.var.http_transfer_encoding ~= nil or ngx.req.http_version() >= 2
end


-- Gives the named location in which the request must go on, or nil to stay.
local function checked_body(policies)
    local length = tonumber(ngx.var.content_length)
    if length and length > policies.limit then
        return ngx.exit(413)
    end
    return policies.exec or (has_unmeasured_body(length) and "@" .. conf.profile)
end


-- A path that is not rewritten goes to the backend as it was sent, so the URI is not touched then.
local function rewritten(rule)
    local target = rewrite.path(rule, ngx.var.uri, captures)
    if not target then
        return
    end

    if byte(target) ~= SLASH then
        target = "/" .. target
    end
    ngx.req.set_uri(target, false, true)
end


local function continue_in(location, ctx)
    ngx.var.sevengate_aside = aside.put(ctx)
    return ngx.exec(location)
end


-- What the policies that do not answer change on the way, for the few requests whose route has any.
local function prepare(policies)
    if policies.upstream_host then
        ngx.var.backend_host = policies.upstream_host
    end
    if policies.forwarded_prefix then
        ngx.var.forwarded_prefix = policies.forwarded_prefix
    end

    local location = policies.exec
    if policies.checks_body then
        location = checked_body(policies)
    end
    if policies.rewrite then
        rewritten(policies.rewrite)
    end
    return location
end


-- Leads a request on to its backend.
local function pass(ctx)
    if ctx.policies.prepares then
        local location = prepare(ctx.policies)
        if location then
            return continue_in(location, ctx)
        end
    end
    ngx.ctx = ctx
end


-- Lets the log phase know whose request it was, where no backend is asked.
local function note(ctx)
    if counts then
        ngx.ctx = ctx
    end
end


-- Serves what no route of a host takes; `index` is the host's, if it is known.
local function serve_default(index)
    local ctx = { backend = false, policies = state.default_policies(), group = index and index.group }
    local backend = state.default_backend()
    if not backend then
        note(ctx)
        log_source("upstream-default-backend")
        if not state.is_filled() then
            return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
        end
        return nobody()
    end

    local size = state.size(backend)
    log_source(backend.label)
    if size == 0 then
        note(ctx)
        return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
    end
    ctx.backend = backend
    return pass(ctx)
end


-- Serves a route that has policies, conditions or several backends.
local function serve(route)
    local policies = route.policies
    local ctx = { backend = false, policies = policies, route = route, group = route.group }
    if policies.answers or policies.checks_body then
        note(ctx)
    end
    if policies.answers then
        log_source("", route.source)
        answered(policies)
    end

    local backend = backend_of(route)
    local size = backend and state.size(backend)
    log_source(backend and backend.label or "", route.source)
    if not backend or size == 0 then
        note(ctx)
        return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
    end

    ctx.backend = backend
    return pass(ctx)
end


-- Leads a request to the one backend of its route, where nothing is asked for but that it is counted.
local function serve_counted(group)
    local backend = group.direct
    local size = state.size(backend)
    if logs_backend then
        log_source(backend.label)
    end
    ngx.ctx = { backend = backend, policies = NO_POLICIES, group = group }
    if size == 0 then
        return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
    end
end


-- Sets $made_request_id, as `ngx.var.made_request_id = ...` would, from bytes that are no Lua string.
local function name_request()
    local name, length = request_id.next()
    variable_error_length[0] = VARIABLE_ERROR_SIZE
    C.ngx_http_lua_ffi_var_set(
        get_request(), REQUEST_ID, #REQUEST_ID, variable_name, name, length, variable_error, variable_error_length)
end


-- The host that a Host header names, as NGINX would write it in $host: without port and last dot, in lower case.
local function host_of(sent)
    local name = lower(match(sent, "^%[.-%]") or match(sent, "^[^:]*"))
    return byte(name, -1) == DOT and sub(name, 1, -2) or name
end


-- The backend must see the host that the request was routed by, and whose policies were kept: not what the Host header
-- says where the request's target names another host (RFC 9112, section 3.2.2), nor nothing where there is no header.
local function tell_host(var, host, sent)
    if not sent or host_of(sent) ~= host then
        var[conf.host_variable] = host
    end
end


-- Gives the host of a request whose host and Host header are not known to agree. NGINX takes no host with a space in
-- it, so what holds both, with a space between, is another text wherever either is another.
local function heard_host(var, both)
    local host, sent = var.host, var.http_host
    if sent ~= host then
        tell_host(var, host, sent)
        return host
    end

    if agreements >= AGREEMENTS_KEPT then
        agreeing, agreements = {}, 0
    end
    agreeing[both] = host
    agreements = agreements + 1
    return host
end


-- rewrite_by_lua of the server that takes requests in.
function _M.route()
    state.refresh()

    local var = ngx.var
    if names_requests then
        name_request()
    end

    local both = var.host_and_header
    local host = agreeing[both] or heard_host(var, both)
    local index = state.host(host)
    local entry = index and router.match(index, var.uri, request)
    if not entry then
        return serve_default(index)
    end

    -- Most routes of most clusters lead to one backend and ask for nothing else: then the entry is the backend, and
    -- says how many endpoints there are.
    local size = entry[SIZE]
    if size == true or size == false then
        if entry.route then
            return serve(entry.route)
        end
        if entry.direct then
            return serve_counted(entry)
        end
        size = state.size(entry)
    end

    if logs_backend then
        log_source(entry.label)
    end
    if size == 0 then
        return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
    end
    ngx.ctx = { backend = entry, policies = NO_POLICIES }
end


-- The context of this request, wherever ngx.exec has led it; nil where a backend's X-Accel-Redirect led it.
local function context()
    local ctx = ngx.ctx
    if ctx.backend then
        return ctx
    end

    local kept = aside.take(tonumber(ngx.var.sevengate_aside))
    if kept then
        ngx.ctx = kept
    end
    return kept
end


-- balancer_by_lua: runs for the first try and for each further one.
function _M.balance()
    local ctx = context()
    if not ctx then
        return ngx.exit(ngx.ERROR)
    end
    return endpoints.try(ctx)
end


-- log_by_lua of the named locations: there a context was put aside.
function _M.log_aside()
    local ctx = context()
    if ctx and ctx.policies.algorithm == "ewma" then
        endpoints.learn()
    end
    if counts then
        metrics.count(ctx or ngx.ctx)
    end
end


-- log_by_lua of everything else, if requests are counted.
function _M.log()
    return metrics.count(ngx.ctx)
end


-- content_by_lua of the default server: what the default backend answers on its own port.
function _M.default_server()
    return nobody()
end


-- ssl_certificate_by_lua
_M.certificate = tls.certificate


return _M
