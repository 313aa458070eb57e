-- What is counted of requests: the families, and where the numbers of one series lie in its record. Pure.
--
-- A record is an array of doubles: first the number of requests and the sum of each histogram, which fill one line of
-- the processor's cache, then the buckets, each with the number of values in it and in no smaller one. Times of one
-- request tend to be alike, so the first buckets of all times lie side by side, then the second ones, and so on: with
-- many series it is the lines a request touches that cost. Times are counted in whole milliseconds, which is what NGINX
-- measures, and lengths in bytes, so every number is a whole one and sums stay exact.
--
-- LuaJIT makes one piece of machine code of a request's way only if no loop and few branches lie on it. So the search
-- for a bucket is made into a function without either: it adds up, bound by bound, whether the value is greater.

local concat = table.concat
local floor = math.floor
local format = string.format
local gmatch = string.gmatch
local ipairs = ipairs
local loadstring = loadstring
local tonumber = tonumber


local _M = {}


-- Where the number of requests stands.
local REQUESTS = 0
-- Records are this number of doubles apart, or a multiple of it: a line of the processor's cache.
local LINE = 8

-- The histograms, in the order of their sums: their names, whose buckets they have, and what divides their sums.
local HISTOGRAMS = {
    { "request_duration_seconds", "time_buckets", 1000 },
    { "response_duration_seconds", "time_buckets", 1000 },
    { "header_duration_seconds", "time_buckets", 1000 },
    { "connect_duration_seconds", "time_buckets", 1000 },
    { "request_size", "length_buckets", 1 },
    { "response_size", "length_buckets", 1 },
    { "bytes_sent", "size_buckets", 1 },
}


-- Makes a function that gives the number of bounds which a whole number is greater than: its bucket, counted from 0.
local function finder(bounds, scale)
    local terms = { "0" }
    for _, bound in ipairs(bounds) do
        -- What is written as 0.035 seconds must not become 35.00000000000001 milliseconds, nor 34.99999999999999.
        terms[#terms + 1] = format("min(1, max(0, value - %.0f))", floor(bound * scale + 1e-6))
    end
    local source = "local min, max = math.min, math.max; return function(value) return %s end"
    return loadstring(format(source, concat(terms, " + ")))()
end


local function split(text)
    local texts, numbers = {}, {}
    for word in gmatch(text, "[^/]+") do
        texts[#texts + 1] = word
        numbers[#numbers + 1] = tonumber(word)
    end
    return texts, numbers
end


local function with_buckets(buckets)
    local names = {}
    for _, histogram in ipairs(HISTOGRAMS) do
        names[#names + 1] = histogram[2] == buckets and histogram[1] or nil
    end
    return names
end


-- Lays a record out. `conf` holds the bounds of buckets as texts, "0.005/0.01/0.025". Gives the families by name:
-- {sum = where its sum stands, first = where its first bucket stands, step = how far it is to the next, bounds = texts,
-- scale = number, bucket = function}; `requests` has only a sum. And the number of doubles from record to record.
function _M.layout(conf)
    local families = { requests = { sum = REQUESTS } }
    for at, histogram in ipairs(HISTOGRAMS) do
        local texts, numbers = split(conf[histogram[2]])
        families[histogram[1]] = {
            sum = REQUESTS + at,
            bounds = texts,
            scale = histogram[3],
            bucket = finder(numbers, histogram[3]),
        }
    end

    local at = REQUESTS + 1 + #HISTOGRAMS
    for _, buckets in ipairs { "time_buckets", "length_buckets", "size_buckets" } do
        local names = with_buckets(buckets)
        for number, name in ipairs(names) do
            families[name].first, families[name].step = at + number - 1, #names
        end
        at = at + #names * (#families[names[1]].bounds + 1)
    end
    return families, LINE * floor((at + LINE - 1) / LINE)
end


return _M
