-- wrk's side of a run: asks for all paths of all hosts in turn, far apart, and tells how it went as one line of JSON.
--
-- wrk ... -s requests.lua http://127.0.0.1:80 -- <hosts> <paths>

-- Prime, so it has no factor in common with the numbers that are used and each request comes up once a turn.
local STRIDE = 7919

local requests = {}
local at = 0


function init(arguments)
    local hosts, paths = tonumber(arguments[1]), tonumber(arguments[2])
    for host = 0, hosts - 1 do
        for path = 0, paths - 1 do
            requests[#requests + 1] = wrk.format("GET", "/path-" .. path .. "/item", {
                Host = "host-" .. host .. ".example.com",
            })
        end
    end
end


function request()
    at = (at + STRIDE) % #requests
    return requests[at + 1]
end


function done(summary)
    local errors = summary.errors
    io.write(string.format('{"requests": %d, "failed": %d}\n', summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
