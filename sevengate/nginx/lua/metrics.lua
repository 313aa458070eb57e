-- Counts requests in the log phase, and gives the counts as text in Prometheus' format.
--
-- What a series is stands in series.lua, what is counted in meters.lua, where in counters.lua. A request costs here a
-- look-up of its record in tables of this worker, some additions to memory, and the reading of the variables in which
-- NGINX holds times and lengths, which is what costs most.

local counters = require "sevengate.nginx.lua.counters"
local meters = require "sevengate.nginx.lua.meters"
local series = require "sevengate.nginx.lua.series"
local state = require "sevengate.nginx.lua.state"

local concat = table.concat
local floor = math.floor
local format = string.format
local gmatch = string.gmatch
local ipairs = ipairs
local max = math.max
local ngx = ngx
local tonumber = tonumber


local METHODS, OTHER_METHOD = series.METHODS, series.OTHER_METHOD
local key_of = series.key
local is_exiting = ngx.worker.exiting
-- Looks at the book that fall into the time for which a series is kept, and sweeps of it.
local LOOKS = 60
-- Seconds between two looks at least.
local SOON = 0.02
-- Series whose lines are sent at once.
local BATCH = 50


local _M = {}


local families
local nobody          -- the group of requests that were for nobody we know
local names_undefined -- whether hosts that nobody defined are labels
local request_duration, response_duration, header_duration, connect_duration
local request_size, response_size, bytes_sent
local look_every


-- Runs in the master, before the workers fork.
function _M.init(conf)
    local doubles
    families, doubles = meters.layout(conf)
    local layout = concat({ conf.time_buckets, conf.length_buckets, conf.size_buckets, conf.series }, " ")
    counters.init(ngx.shared.series, layout, doubles * conf.series)
    series.init(conf, ngx.shared.series, doubles, state)
    nobody = series.of_nobody()
    for name in gmatch(conf.excluded, "[^/]+") do
        families[name] = nil
    end
    request_duration, response_duration = families.request_duration_seconds, families.response_duration_seconds
    header_duration, connect_duration = families.header_duration_seconds, families.connect_duration_seconds
    request_size, response_size, bytes_sent = families.request_size, families.response_size, families.bytes_sent
    names_undefined = conf.metrics_per_host == 1 and conf.metrics_per_undefined_host == 1
    look_every = max(conf.keep_series / LOOKS, SOON)
end


local function breathe()
    ngx.sleep(0.001)
end


local function look(is_premature)
    if not is_premature then
        counters.claim()
        series.refresh()
        series.sweep(breathe)
    end
end


function _M.init_worker()
    counters.claim()
    series.refresh()
    ngx.timer.every(look_every, look)
end


-- The group of a canary's requests.
local function canary_of(found, backend)
    found.canary = found.canary or series.of_canary(found, backend.label)
    return found.canary
end


local function group_of(ctx)
    local found, route = ctx.group or nobody, ctx.route
    if route and route.canary and ctx.backend and ctx.backend.name == route.canary then
        return canary_of(found, ctx.backend)
    end
    if names_undefined and (found.served_by == "*" or found == nobody) then
        return series.of_undefined(found, ngx.var.host or "_")
    end
    return found
end


-- Adds a value to a histogram of the record that begins at `at`, unless there is none: the histogram may be left out,
-- the value unknown.
local function observe(counts, at, histogram, value)
    if histogram and value then
        local total, bucket = at + histogram.sum, at + histogram.first + histogram.step * histogram.bucket(value)
        counts[total] = counts[total] + value
        counts[bucket] = counts[bucket] + 1
    end
end


-- The milliseconds in a variable, or nil where nothing was measured; of several tries the sum.
local function milliseconds(text)
    local seconds = tonumber(text)
    if seconds or not text then
        return seconds and floor(seconds * 1000 + 0.5)
    end

    local sum
    for word in gmatch(text, "[%d.]+") do
        sum = (sum or 0) + floor(tonumber(word) * 1000 + 0.5)
    end
    return sum
end


-- Counts a request that is over. `ctx` is what phases.lua knows of it: {group = table, route = table, backend = table},
-- or nothing where it came to no route.
function _M.count(ctx)
    if is_exiting() then
        series.refresh() -- no timer does it any more
    end
    local counts = counters.mine
    local of, method, status = group_of(ctx), METHODS[ngx.req.get_method()] or OTHER_METHOD, ngx.status
    local at = of[key_of(method, status)]
    if at == nil then
        at = series.record(of, method, status)
    end
    if not (counts and at) then
        return series.miss()
    end

    local var = ngx.var
    counts[at] = counts[at] + 1
    observe(counts, at, request_duration, max(0, floor((ngx.now() - ngx.req.start_time()) * 1000 + 0.5)))
    observe(counts, at, response_duration, response_duration and milliseconds(var.upstream_response_time))
    observe(counts, at, header_duration, header_duration and milliseconds(var.upstream_header_time))
    observe(counts, at, connect_duration, connect_duration and milliseconds(var.upstream_connect_time))
    observe(counts, at, request_size, request_size and tonumber(var.request_length))
    local sent = (response_size or bytes_sent) and tonumber(var.bytes_sent)
    observe(counts, at, response_size, sent)
    observe(counts, at, bytes_sent, sent)
end


-- --- the counts as text

local function sum(stripes, at)
    local total = 0
    for _, stripe in ipairs(stripes) do
        total = total + stripe[at]
    end
    return total
end


-- Appends the lines of one series of a histogram, if there is a value in it; `heads` are what they begin with.
local function append_histogram(lines, histogram, stripes, at, heads, labels)
    local counts, count = {}, 0
    for number = 1, #heads.buckets do
        count = count + sum(stripes, at + histogram.first + histogram.step * (number - 1))
        counts[number] = count
    end
    if count == 0 then
        return
    end

    local length = #lines
    for number, ending in ipairs(heads.buckets) do
        lines[length + 1], lines[length + 2], lines[length + 3] = heads.bucket, labels, ending
        lines[length + 4], lines[length + 5] = format("%.0f", counts[number]), "\n"
        length = length + 5
    end
    local total = format(histogram.scale == 1 and "%.0f" or "%.3f", sum(stripes, at + histogram.sum) / histogram.scale)
    lines[length + 1] = heads.sum .. labels .. "} " .. total .. "\n"
    lines[length + 2] = heads.count .. labels .. format("} %.0f\n", count)
end


local function heads_of(family, name, constant)
    local heads = {
        one = name .. "{" .. constant,
        bucket = name .. "_bucket{" .. constant,
        sum = name .. "_sum{" .. constant,
        count = name .. "_count{" .. constant,
        buckets = {},
    }
    for _, bound in ipairs(family.bounds or {}) do
        heads.buckets[#heads.buckets + 1] = ',le="' .. bound .. '"} '
    end
    heads.buckets[#heads.buckets + 1] = ',le="+Inf"} '
    return heads
end


-- GET /v1/series: the samples of one family. Arguments: the family, the name to give it, and labels to put before all
-- others, as text that ends with a comma. It is sent in pieces, between which requests are served.
function _M.series()
    local args = ngx.req.get_uri_args()
    local family = families[args.family]
    if not family then
        return ngx.exit(ngx.HTTP_NOT_FOUND)
    end

    local heads, stripes = heads_of(family, args.name, args.labels or ""), counters.all()
    local width = series.width()
    local lines, waiting = {}, 0

    local function send()
        if waiting > 0 then
            ngx.print(lines)
            lines, waiting = {}, 0
            breathe()
        end
    end

    ngx.header["Content-Type"] = "text/plain; charset=utf-8"
    series.each(function(number, labels)
        local at = number * width
        if family.bounds then
            append_histogram(lines, family, stripes, at, heads, labels)
        else
            lines[#lines + 1] = heads.one .. labels .. format("} %.0f\n", sum(stripes, at + family.sum))
        end
        waiting = waiting + 1
        if waiting == BATCH then
            send()
        end
    end, breathe)
    send()
end


-- The number of requests that are in no series, for want of room.
_M.uncounted = series.uncounted


return _M
