-- Memory for counters that all workers share and that outlives each of them: see docs/decisions/0004.
--
-- The master makes a file in memory (memfd_create(2)) before it forks, and every worker maps a stripe of it, an array
-- of doubles that only this worker writes: so no lock is needed, and no count is lost when a worker ends, however it
-- ends. What is read is the sum of all stripes. A stripe whose worker is gone is taken over, with its counts, by
-- a later one. Pages that nobody has written to take no memory. What the numbers mean is left to meters.lua and
-- series.lua.

local ffi = require "ffi"

local C = ffi.C
local ipairs = ipairs
local ngx = ngx


ffi.cdef [[
    int memfd_create(const char *name, unsigned int flags);
    int ftruncate(int fd, long length);
    int close(int fd);
    int kill(int pid, int signal);
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
]]


local READ_AND_WRITE, SHARED, FAILED = 3, 1, ffi.cast("void *", -1)
local NO_SUCH_PROCESS = 3
local DOUBLE = 8
local PAGE = 65536 -- the largest page of a machine that runs Linux
-- Workers that count at one time, those that are ending after reloads included.
local STRIPES = 2048
-- Seconds for which nobody else tries to take over a stripe that somebody is taking over.
local TAKING = 60


local _M = {
    -- This worker's stripe, an array of doubles; nil while it has none.
    mine = nil,
}


local book    -- the dictionary that says whose each stripe is
local fd      -- the file in memory
local stripe_size -- in bytes
local maps = {}   -- the stripes that this worker has mapped, by their numbers from 0


-- Makes the file, or finds the one that the master made before its last reload. Runs in the master. `layout` names what
-- the numbers mean: where it has changed, everything is counted anew.
function _M.init(dictionary, layout, doubles)
    book = dictionary
    stripe_size = PAGE * math.ceil(doubles * DOUBLE / PAGE)

    fd = book:get("fd")
    if fd and book:get("layout") == layout then
        return
    end

    if fd then
        C.close(fd)
    end
    book:flush_all()
    book:flush_expired()
    fd = C.memfd_create("sevengate-metrics", 0)
    if fd < 0 or C.ftruncate(fd, stripe_size * STRIPES) ~= 0 then
        ngx.log(ngx.ERR, "requests are not counted: there is no memory to share, error ", ffi.errno())
        fd = nil
        return
    end
    book:set("fd", fd)
    book:set("layout", layout)
end


local function map(stripe)
    if not maps[stripe] then
        local address = C.mmap(nil, stripe_size, READ_AND_WRITE, SHARED, fd, stripe * stripe_size)
        if address == FAILED then
            return nil, ffi.errno()
        end
        maps[stripe] = ffi.cast("double *", address)
    end
    return maps[stripe]
end


local function is_alive(pid)
    return C.kill(pid, 0) == 0 or ffi.errno() ~= NO_SUCH_PROCESS
end


-- Whether a stripe has become ours. One that was of a worker with our own number is a dead one's.
local function is_claimed(stripe, pid)
    local key = "stripe:" .. stripe
    local owner = book:get(key)
    if not owner then
        return book:safe_add(key, pid)
    end

    if owner == pid then
        return true
    end
    if is_alive(owner) or not book:safe_add("taking:" .. stripe .. ":" .. owner, true, TAKING) then
        return false
    end
    return book:safe_set(key, pid)
end


-- Claims a stripe for this worker and maps it, if it has none yet.
function _M.claim()
    if _M.mine or not fd then
        return
    end

    local pid = ngx.worker.pid()
    for stripe = 0, STRIPES - 1 do
        if is_claimed(stripe, pid) then
            local err
            _M.mine, err = map(stripe)
            if err then
                ngx.log(ngx.ERR, "this worker does not count requests: mmap failed with error ", err)
            end
            return
        end
    end
end


-- The stripes of all workers, dead ones included.
function _M.all()
    local found = {}
    for stripe = 0, STRIPES - 1 do
        if not book:get("stripe:" .. stripe) then
            break
        end
        found[#found + 1] = map(stripe)
    end
    return found
end


-- Makes all numbers from `at` on zero, in every stripe. Nobody may be counting there any more.
function _M.clear(at, doubles)
    for _, stripe in ipairs(_M.all()) do
        ffi.fill(stripe + at, doubles * DOUBLE)
    end
end


return _M
