-- What this worker knows of the documents in shared memory, decoded.
--
-- The control server writes documents into one dictionary and then raises a generation number in another. Every request
-- compares that number with the one this worker last saw (one look-up, 0.3 us) and forgets what has changed since, by
-- the change log that stands beside it; what is forgotten is decoded again when it is next asked for. So a commit is
-- live in all workers the moment it is made, nobody polls, and a change costs what changed.

local cjson = require "cjson.safe"
local new_table = require "table.new"
local addresses = require "sevengate.nginx.lua.policies.addresses"
local balancer = require "sevengate.nginx.lua.balancer"
local router = require "sevengate.nginx.lua.router"
local series = require "sevengate.nginx.lua.series"

local ipairs = ipairs
local max = math.max
local next = next
local ngx = ngx
local pairs = pairs
local setmetatable = setmetatable
local sub = string.sub


local shared = ngx.shared


-- Names of hosts that nobody serves are remembered up to this number, so that guesses cost no memory without bound.
local UNKNOWN_KEPT = 4096


-- What nobody but this table and the routes that use it holds is collected when they are gone.
local BY_USE = { __mode = "v" }

local SIZE, READINGS = balancer.SIZE, balancer.READINGS
-- The policies of a route that asks for nothing.
local NO_POLICIES = {}
-- Whose wish it is, where the access log does not ask or nobody has one.
local NO_SOURCE = { namespace = "", ingress_name = "", service_name = "", service_port = "" }


local _M = {
    -- What `init` of phases.lua was told: see sevengate/nginx/static.py.
    conf = {},
    generation = -1,
    decoded = 0,
    NO_POLICIES = NO_POLICIES,
    NO_SOURCE = NO_SOURCE,
}


local documents      -- the dictionary of documents
local generations    -- the dictionary of the generation number and the change log
local hosts = {}          -- indexes of hosts, by their names; false for what is not there
local backends = setmetatable({}, BY_USE) -- by their names; see backend_named
local others = {}         -- the rest, by names of documents; false for what is not there
local known_policies = setmetatable({}, BY_USE) -- by their text
local unknown = 0         -- how many entries of hosts and others are false
local listeners = {} -- functions that are told the name of a document that changed, or nil for all


-- A dictionary that has grown begins with what the smaller one holds, so that its first workers serve at once.
local function take_over(previous)
    if not previous or documents:get("m:defaults") then
        return
    end

    for _, key in ipairs(previous:get_keys(0)) do
        documents:set(key, previous:get(key))
    end
end


function _M.init(conf)
    _M.conf = conf
    documents = shared[conf.dictionary]
    generations = shared.generations
    take_over(shared[conf.previous_dictionary])
end


-- Calls `forget(name)` for each document that changes, and `forget(nil)` when any may have.
function _M.on_change(forget)
    listeners[#listeners + 1] = forget
end


local function forget(name)
    local kind = sub(name, 1, 2)
    if kind == "h:" then
        hosts[sub(name, 3)] = nil

    elseif kind == "b:" then
        local backend = backends[sub(name, 3)]
        if backend then
            backend[SIZE] = true
        end

    else
        others[name] = nil
    end

    for _, listener in ipairs(listeners) do
        listener(name)
    end
end


-- Routes in flight keep the tables they hold; those are read again too, should they be asked.
local function forget_all()
    for _, backend in pairs(backends) do
        backend[SIZE] = true
    end
    hosts, others, unknown = {}, {}, 0
    for _, listener in ipairs(listeners) do
        listener(nil)
    end
end


-- Brings this worker up to date. The common case, that nothing has changed, is one look-up and one comparison.
function _M.refresh()
    local generation = generations:get("generation") or 0
    if generation == _M.generation then
        return
    end

    if _M.generation < 0 or generation < _M.generation then
        forget_all()
    else
        for step = _M.generation + 1, generation do
            local names = generations:get("changed:" .. step)
            if not names then
                forget_all()
                break
            end
            for _, name in ipairs(cjson.decode(names)) do
                forget(name)
            end
        end
    end
    _M.generation = generation
end


-- The key of a document's text, beside its name, which is the key of the pointer. No name holds a NUL.
function _M.entry(name, digest)
    return name .. "\0" .. digest
end


-- The generation that documents have reached, whether or not this worker knows it already.
function _M.reached()
    return generations:get("generation") or 0
end


-- The digest of a document, or nil where there is none.
function _M.digest(name)
    return documents:get(name)
end


-- The text of a document, or nil. The pointer and the text are two entries; between two looks a commit may have
-- replaced both, so a text that is gone is looked for once more.
function _M.text(name)
    for _ = 1, 2 do
        local digest = documents:get(name)
        if not digest then
            return nil
        end

        local text = documents:get(_M.entry(name, digest))
        if text then
            return text
        end
    end
end


-- Forgets what is not there, so that guessed names take no memory without bound.
local function forget_unknown()
    for _, kept in ipairs { hosts, others } do
        for key, value in pairs(kept) do
            if not value then
                kept[key] = nil
            end
        end
    end
    unknown = 0
end


-- Reads and decodes a document, or gives nil.
function _M.document(name)
    local text = _M.text(name)
    if not text then
        return nil
    end

    _M.decoded = _M.decoded + 1
    local document, err = cjson.decode(text)
    if not document then
        ngx.log(ngx.ERR, "document ", name, " cannot be decoded: ", err)
    end
    return document
end


-- Reads a document that this worker does not know yet into `kept[key]`.
local function decoded(name, kept, key, build)
    local document = _M.document(name)
    if document then
        kept[key] = build(document, key)
        return kept[key]
    end

    if unknown >= UNKNOWN_KEPT then
        forget_unknown()
    end
    kept[key] = false
    unknown = unknown + 1
    return false
end


-- A backend's table is made once and stays: routes hold it, so a request finds it without a look-up. When its document
-- changes it is marked and read again by the next request that needs it. How it is laid out stands in balancer.lua.
local function backend_named(name)
    local backend = backends[name]
    if not backend then
        backend = new_table(4, 4) -- most have one endpoint: address and port lie beside the table itself
        backend[SIZE], backend[READINGS] = true, 0
        backend.name = name
        backends[name] = backend
    end
    return backend
end


local function read_backend(backend)
    local document = _M.document("b:" .. backend.name) or {}
    local endpoints = document.endpoints or {}
    for at = 1, max(#endpoints, #backend - READINGS) do
        backend[READINGS + at] = endpoints[at]
    end
    backend.label = document.label or backend.name
    backend.key = document.key
    backend.hashes, backend.pins = nil, nil
    backend[READINGS] = backend[READINGS] + 1
    backend[SIZE] = #endpoints / 2
    return backend[SIZE]
end


-- The number of a backend's endpoints: 0 for one that does not exist.
function _M.size(backend)
    local size = backend[SIZE]
    if size ~= true then
        return size
    end
    return read_backend(backend)
end


-- Works out once what every request would ask: whether a policy is there at all, and which limits it must keep itself.
local function built_policies(policies)
    local conf = _M.conf
    policies.limit = policies.body_size or conf.body_size
    policies.checks_body = policies.limit ~= 0 and (conf.front_body_size == 0 or policies.limit < conf.front_body_size)
    -- What an endpoint cost is learnt in the log phase, which only named locations have.
    local profile = policies.profile or (policies.algorithm == "ewma" and conf.profile)
    policies.exec = profile and "@" .. profile
    policies.addresses = policies.addresses and addresses.build(policies.addresses)
    policies.answers = (policies.closed or policies.redirect or policies.https or policies.addresses) and true
    policies.prepares = (policies.checks_body or policies.exec or policies.rewrite or policies.upstream_host
        or policies.forwarded_prefix) and true
    return policies
end


-- Policies that are alike are one table, whichever host they came with. Those of a route that asks for nothing are
-- NO_POLICIES, unless the default limit must be kept here because another route lets larger bodies in.
local function shared_policies(policies)
    local text = cjson.encode(policies)
    local shared_one = known_policies[text]
    if not shared_one then
        local is_empty = next(policies) == nil
        shared_one = built_policies(policies)
        if is_empty and not shared_one.prepares then
            shared_one = NO_POLICIES
        end
        known_policies[text] = shared_one
    end
    return shared_one
end


-- Whether nothing but the path decides about a route, and nothing but one backend comes of it.
local function is_direct(route)
    return route.backend and route.policies == NO_POLICIES and route.source == NO_SOURCE
        and not route.method and not route.values and not (route.group and route.canary)
end


-- Where the index leads for a direct route: to the backend itself, or to the group in which its requests are counted,
-- which then knows the backend.
local function direct(route)
    local group = route.group
    if not group then
        return route.backend
    end
    group.direct = route.backend
    return group
end


local function built_route(route, document, name)
    route.policies = document.policies[route.policies]
    if _M.conf.metrics == 1 then
        route.group = series.of_route(name, document.sources[route.counts_for or route.source], route.path)
    end
    route.source = #_M.conf.log_variables > 0 and document.sources[route.source] or NO_SOURCE
    if route.backend then
        route.backend = backend_named(route.backend)
        route.direct = is_direct(route) and direct(route)
    end
    for _, share in ipairs(route.backends or {}) do
        share[1] = backend_named(share[1])
    end
end


local function built_host(document, name)
    for at, policies in ipairs(document.policies) do
        document.policies[at] = shared_policies(policies)
    end
    for _, route in ipairs(document.routes) do
        built_route(route, document, name)
    end
    local index = router.build(document.routes)
    index.group = _M.conf.metrics == 1 and series.of_nobody(name)
    return index
end


local function itself(document)
    return document
end


local function host_named(name)
    local host = hosts[name]
    if host == nil then
        host = decoded("h:" .. name, hosts, name, built_host)
    end
    return host
end


-- The index of the host that serves requests for `name` (lower-case, without port), or false.
function _M.host(name)
    local host = host_named(name)
    if host then
        return host
    end

    local wildcard = router.wildcard(name)
    return wildcard and host_named(wildcard) or host_named("*")
end


local function other(name)
    local value = others[name]
    if value == nil then
        value = decoded(name, others, name, itself)
    end
    return value
end


-- The backend for what no route serves, or nil.
function _M.default_backend()
    local defaults = other("m:defaults")
    return defaults and defaults.backend and backend_named(defaults.backend)
end


-- The policies that requests have for which there is no route.
function _M.default_policies()
    return shared_policies({})
end


-- Whether anything was pushed since NGINX started: before that, nobody knows what it ought to serve.
function _M.is_filled()
    return other("m:defaults") ~= false
end


-- The name of the certificate for an SNI name: exact, then the wildcard of one label; false where there is none.
function _M.certificate_name(server_name)
    local entry = other("s:" .. server_name)
    if not entry then
        local wildcard = router.wildcard(server_name)
        entry = wildcard and other("s:" .. wildcard)
    end
    return entry and entry.certificate
end


return _M
