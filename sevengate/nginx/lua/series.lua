-- Which series there are: their labels, and where in the counters each has its record.
--
-- All workers share one book, a dictionary in which a series is entered when it is first needed: by a digest of its
-- labels its number, and by its number ("#7") its labels. A worker asks the book once for each series and then keeps
-- the answer in its group, a table that routes hold: by method and status, the place of the record in the counters.
-- Where there is room for no more series, requests are not counted, and that is counted.
--
-- A series whose host no longer has a route of the same wish is taken out after a while. Its number rests, until every
-- worker has seen by the book's epoch that what it keeps is out of date; then its counters are cleared and it is free.

local cjson = require "cjson.safe"
local counters = require "sevengate.nginx.lua.counters"

local format = string.format
local gmatch = string.gmatch
local gsub = string.gsub
local ipairs = ipairs
local match = string.match
local max = math.max
local min = math.min
local ngx = ngx
local pairs = pairs
local setmetatable = setmetatable
local tonumber = tonumber
local type = type


-- Names of hosts that nobody defined and that a worker makes labels all the same, where this is wanted.
local UNDEFINED_HOSTS = 1000
-- The label of a host that nobody defined, as ingress-nginx called its server for them.
local NOBODY = "_"
-- Looks at the book go on to other work after this number of entries.
local STRIDE = 200
-- Keys of records in a group begin here, so that they are not in its array; each epoch and each method has its own.
local KEYS, EPOCH, METHOD = 1e6, 1e5, 1e3

-- Methods that are labels, by number; all others, which clients may invent, are the first.
local NAMES, METHODS = { "other" }, {}
for name in gmatch("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH COPY LOCK MKCOL MOVE PROPFIND PROPPATCH "
    .. "UNLOCK", "%u+") do
    NAMES[#NAMES + 1] = name
    METHODS[name] = #NAMES
end


local _M = {
    METHODS = METHODS,
    OTHER_METHOD = 1,
}


local book
local record     -- doubles of one series
local state      -- who knows the documents
local per_host, status_classes
local capacity   -- series that there can be
local keep       -- seconds that a series stays after its route is gone
local keys = KEYS -- where keys begin in the book's epoch, as this worker last saw it
local undefined = {}      -- groups of hosts that nobody defined, by their names
local undefined_hosts = 0 -- how many names these are
local served = {} -- what hosts serve, by name: {digest = of the document, [wish] = true}


-- Runs in the master. `known` gives documents: text(name), digest(name), and reached(), their generation.
function _M.init(conf, dictionary, doubles, known)
    book, record, state = dictionary, doubles, known
    per_host, status_classes = conf.metrics_per_host == 1, conf.status_classes == 1
    capacity, keep = conf.series, conf.keep_series
    for _, name in ipairs { "next", "epoch", "uncounted" } do
        book:safe_add(name, 0)
    end
end


-- Escapes what is a label's value (https://prometheus.io/docs/instrumenting/exposition_formats/).
local function label(name, value)
    return format('%s="%s"', name, (gsub(value, '[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" })))
end


-- The labels that say whose wish is served. A source is an entry of a host's document, or {} for nobody's wish.
local function wish(source, path)
    return label("ingress", source.ingress_name or "") .. "," .. label("namespace", source.namespace or "") .. ","
        .. label("path", path) .. "," .. label("service", source.service_name or "")
end


-- A group of series: `served_by` is the host whose document has the wish. With many routes there are many of them, so
-- a group is one table and one string.
local function group(served_by, wished, canary, host)
    local labels = wished .. "," .. label("canary", canary)
    if per_host then
        labels = labels .. "," .. label("host", host)
    end
    -- The first place is the router's: a group is an entry of its index where it leads to one backend.
    return { true, labels = labels, served_by = served_by, direct = false }
end


-- The wish that labels begin with.
local function wish_in(labels)
    return match(labels, '^(.-),canary="')
end


local function shown_host(name)
    return name == "*" and NOBODY or name
end


-- The path by which a route is known: a prefix comes without its last "/".
local function shown_path(path)
    return path == "" and "/" or path
end


-- The group of a route, of the host document `name`.
function _M.of_route(name, source, path)
    return group(name, wish(source, shown_path(path)), "", shown_host(name))
end


-- The group of those of a group's requests that a canary took.
function _M.of_canary(primary, name)
    return group(primary.served_by, wish_in(primary.labels), name, shown_host(primary.served_by))
end


-- The group of what a host has no route for; of no host that is known where `name` is nil.
function _M.of_nobody(name)
    return group(name or "", wish({}, ""), "", shown_host(name or "*"))
end


-- The group in which requests for a host that nobody defined are counted under its own name.
function _M.of_undefined(known, name)
    local of_host = undefined[name]
    if not of_host then
        if undefined_hosts >= UNDEFINED_HOSTS then
            return known
        end
        of_host = setmetatable({}, { __mode = "k" })
        undefined[name], undefined_hosts = of_host, undefined_hosts + 1
    end

    local found = of_host[known]
    if not found then
        found = group(known.served_by, wish_in(known.labels), "", (gsub(name, "[^%w.:%[%]_-]", "?")))
        of_host[known] = found
    end
    return found
end


local function give_back(number)
    book:lpush("free", number)
end


local function new_number()
    local number = book:rpop("free")
    if number then
        return number
    end
    if book:get("next") >= capacity then
        return nil
    end
    number = book:incr("next", 1) - 1
    return number < capacity and number or nil
end


-- Enters a series; nil where there is no room.
local function enter(key, labels, served_by)
    local number = new_number()
    if not number then
        return nil
    end

    local entry = "#" .. number
    local ok, err = book:safe_set(entry, served_by .. "\n" .. labels)
    if ok then
        ok, err = book:safe_add(key, number)
    end
    if ok then
        return number
    end
    book:delete(entry)
    give_back(number)
    return err == "exists" and book:get(key) or nil
end


-- Sees to it that the book names a host that does serve the series: several may where hosts are no label.
local function confirm(number, labels, served_by)
    local entry, text = "#" .. number, served_by .. "\n" .. labels
    if book:get(entry) ~= text then
        book:safe_set(entry, text)
    end
    return number
end


-- Where the record of a series begins in the counters, or nil where there is no room for it.
local function record_of(of, method, status)
    local shown = status_classes and format("%dxx", status / 100) or format("%03d", status)
    local labels = of.labels .. "," .. label("method", method) .. "," .. label("status", shown)
    local key = ngx.md5_bin(labels)
    local number = book:get(key)
    number = number and confirm(number, labels, of.served_by) or enter(key, labels, of.served_by)
    return number and number * record
end


-- The key under which a group keeps the record of a method (its number in METHODS) and a status.
function _M.key(method, status)
    return keys + method * METHOD + status
end


-- Forgets what a group knew before the book's epoch.
local function forget(of)
    for key in pairs(of) do
        if type(key) == "number" and key >= KEYS and key < keys then
            of[key] = nil
        end
    end
end


-- Asks the book where the record of a series begins, and remembers the answer; false where there is no room.
function _M.record(of, method, status)
    forget(of)
    local at = record_of(of, NAMES[method], status) or false
    of[_M.key(method, status)] = at
    return at
end


-- The doubles of one series.
function _M.width()
    return record
end


-- Notes that a request is counted in no series.
function _M.miss()
    book:incr("uncounted", 1)
end


function _M.uncounted()
    return book:get("uncounted")
end


-- Goes through the book: calls `visit(number, labels, served_by)` for each series, and `rest()` now and then.
function _M.each(visit, rest)
    for number = 0, min(book:get("next"), capacity) - 1 do
        local entry = book:get("#" .. number)
        if entry then
            local served_by, labels = match(entry, "^([^\n]*)\n(.*)$")
            visit(number, labels, served_by)
        end
        if number % STRIDE == STRIDE - 1 then
            rest()
        end
    end
end


-- Asks the book again for everything if something was taken out of it since: keys of another epoch are other keys.
function _M.refresh()
    keys = KEYS + book:get("epoch") * EPOCH
end


-- What a host serves: the wishes of its routes.
local function wishes(name)
    local digest = state.digest("h:" .. name)
    local known = served[name]
    if known and known.digest == digest then
        return known
    end

    known = { digest = digest }
    local document = digest and cjson.decode(state.text("h:" .. name) or "")
    for _, route in ipairs(document and document.routes or {}) do
        known[wish(document.sources[route.counts_for or route.source], shown_path(route.path))] = true
    end
    served[name] = known
    return known
end


local NOBODYS = wish({}, "")


-- Whether requests may still come that belong to a series.
local function is_served(labels, served_by)
    if served_by == "" then
        return true
    end

    local known, wished = wishes(served_by), wish_in(labels)
    return known.digest and (wished == NOBODYS or known[wished])
end


local function take_out(number, labels, now)
    book:delete(ngx.md5_bin(labels))
    book:delete("#" .. number)
    book:delete("gone:" .. number)
    book:incr("epoch", 1)
    book:lpush("resting", number .. "@" .. now)
end


-- Frees the numbers that have rested long enough; the oldest stand last.
local function free_rested(now)
    while true do
        local last = book:rpop("resting")
        if not last then
            return
        end

        local number, since = match(last, "^(%d+)@(.*)$")
        if now - tonumber(since) < keep then
            book:rpush("resting", last)
            return
        end
        counters.clear(number * record, record)
        give_back(tonumber(number))
        book:incr("epoch", 1) -- there is room again for what was not counted
    end
end


-- Looks at one series; says whether it is not to stay.
local function judge(number, labels, served_by, now)
    local mark = "gone:" .. number
    local since = book:get(mark)
    if is_served(labels, served_by) then
        if since then
            book:delete(mark)
        end
        return false
    end

    if not since then
        book:safe_set(mark, now)
        book:incr("epoch", 1) -- where another host serves the series, its next request says so
    elseif now - since >= keep then
        take_out(number, labels, now)
    end
    return true
end


-- Takes out the series that nobody can add to any more. One worker at a time does this, `rest()` lets it do other work.
-- While no document changes, no series loses its route.
function _M.sweep(rest)
    local generation = state.reached()
    if book:get("swept") == generation or not book:safe_add("sweeping", true, max(keep / 5, 0.01)) then
        return
    end

    local now, is_pending = ngx.now(), false
    _M.each(function(number, labels, served_by)
        is_pending = judge(number, labels, served_by, now) or is_pending
    end, rest)
    free_rested(now)
    if not is_pending and book:llen("resting") == 0 then
        book:safe_set("swept", generation)
    end
end


return _M
