-- The control server's side of a push: see sevengate/nginx/documents.py for the words, and nginx/control.py for the
-- client.
--
-- A document lives under two entries of one dictionary: `name` -> digest, and (name, digest) -> text. Staging writes
-- texts that nothing points to yet; a commit points to them, raises the generation, and takes away what nothing points
-- to any more. Where memory is short the writing stops before anything visible has changed, and what was staged is
-- taken back.

local aside = require "sevengate.nginx.lua.aside"
local cjson = require "cjson.safe"
local metrics = require "sevengate.nginx.lua.metrics"
local state = require "sevengate.nginx.lua.state"

local find = string.find
local ipairs = ipairs
local ngx = ngx
local sub = string.sub


-- Commits that changed more than this number of documents tell the workers to forget everything.
local LOGGED_CHANGES = 1000
-- The change log reaches back this number of generations; a worker that slept longer forgets everything.
local LOGGED_GENERATIONS = 512
-- Seconds after which the lock of a worker that died in the middle of a commit is no longer held.
local LOCK_SECONDS = 10


local _M = {}


local function answer(status, body)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.say(cjson.encode(body))
    return ngx.exit(ngx.HTTP_OK)
end


local function dictionary()
    return ngx.shared[state.conf.dictionary]
end


local function generation()
    return ngx.shared.generations:get("generation") or 0
end


local function request_body()
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    if body then
        return body
    end

    local path = ngx.req.get_body_file()
    if not path then
        return ""
    end

    local file, err = io.open(path, "rb")
    if not file then
        return nil, err
    end
    body = file:read("*a")
    file:close()
    return body
end


local entry = state.entry


-- Writes the texts of `listed` ({{name, digest, length}, ...}), which stand in `body` from `at` on.
local function stage(documents, listed, body, at)
    local written = {}
    for _, document in ipairs(listed) do
        local key = entry(document[1], document[2])
        local text = sub(body, at, at + document[3] - 1)
        at = at + document[3]

        local ok, err = #text == document[3], "short body"
        if ok and not documents:get(key) then
            ok, err = documents:safe_set(key, text)
            written[#written + 1] = ok and key
        end
        if not ok then
            for _, taken in ipairs(written) do
                documents:delete(taken)
            end
            return nil, err
        end
    end
    return true
end


-- Takes back what was staged for a commit that will not be made.
local function unstage(documents, set)
    for _, pointer in ipairs(set) do
        if documents:get(pointer[1]) ~= pointer[2] then
            documents:delete(entry(pointer[1], pointer[2]))
        end
    end
end


local function missing(documents, set)
    for _, pointer in ipairs(set) do
        if not documents:get(entry(pointer[1], pointer[2])) then
            return pointer[1]
        end
    end
end


-- Raises the generation, after the log says what every worker must forget: all that it knows if no `names` are given.
local function announce(names)
    local generations, reached = ngx.shared.generations, generation() + 1
    if names and #names <= LOGGED_CHANGES then
        generations:set("changed:" .. reached, cjson.encode(names))
    end
    generations:delete("changed:" .. reached - LOGGED_GENERATIONS)
    generations:set("generation", reached)
    return reached
end


-- Turns the pointers to the new texts. Gives what they pointed to before ({name, digest or nil}), and an error where
-- memory was short half way.
local function point(documents, set)
    local before = {}
    for _, pointer in ipairs(set) do
        local name, digest = pointer[1], pointer[2]
        local old = documents:get(name)
        if old ~= digest then
            local ok, err = documents:safe_set(name, digest)
            if not ok then
                return before, err
            end
            before[#before + 1] = { name, old }
        end
    end
    return before
end


local function names_of(pointers)
    local names = {}
    for at, pointer in ipairs(pointers) do
        names[at] = pointer[1]
    end
    return names
end


-- Turns the pointers back. Replacing a text by one of the same length needs no memory.
local function restore(documents, before)
    for _, pointer in ipairs(before) do
        if pointer[2] then
            documents:set(pointer[1], pointer[2])
        else
            documents:delete(pointer[1])
        end
    end
    announce(names_of(before))
end


-- What a full commit takes away: every name that it does not set, and every text that no pointer names.
local function swept(documents, set)
    local wanted, names, texts = {}, {}, {}
    for _, pointer in ipairs(set) do
        wanted[pointer[1]] = true
        wanted[entry(pointer[1], pointer[2])] = true
    end
    for _, key in ipairs(documents:get_keys(0)) do
        if not wanted[key] then
            local list = find(key, "\0", 1, true) and texts or names
            list[#list + 1] = key
        end
    end
    return names, texts
end


local function remove(documents, names, texts)
    for _, name in ipairs(names) do
        local digest = documents:get(name)
        if digest then
            documents:delete(name)
            documents:delete(entry(name, digest))
        end
    end
    for _, text in ipairs(texts) do
        documents:delete(text)
    end
end


-- New pointers first, then the generation, then what nothing points to: no request ever sees a route without its
-- backend. Removals are announced once they are done, for a worker may have decoded a document just before it went.
local function commit(documents, wish)
    local before, err = point(documents, wish.set)
    if err then
        restore(documents, before)
        unstage(documents, wish.set)
        return 507, { error = err, free = documents:free_space(), capacity = documents:capacity() }
    end

    -- A worker that died in the middle of a commit has told nobody what it changed; the full one after it tells of all.
    local reached = announce(not wish.full and names_of(before) or nil)
    for _, pointer in ipairs(before) do
        if pointer[2] then
            documents:delete(entry(pointer[1], pointer[2]))
        end
    end

    local gone, texts = wish.delete or {}, {}
    if wish.full then
        gone, texts = swept(documents, wish.set)
    end
    if #gone > 0 or #texts > 0 then
        remove(documents, gone, texts)
        reached = announce(gone)
    end
    return 200, { generation = reached, free = documents:free_space() }
end


-- Makes a commit if it is meant for the state that is here.
local function commit_checked(documents, wish)
    if wish.base ~= generation() then
        unstage(documents, wish.set)
        return 409, { error = "base", generation = generation() }
    end

    local absent = missing(documents, wish.set)
    if absent then
        return 409, { error = "not staged", name = absent, generation = generation() }
    end
    return commit(documents, wish)
end


local function commit_locked(documents, wish)
    local generations = ngx.shared.generations
    if not generations:add("lock", true, LOCK_SECONDS) then
        return 409, { error = "locked", generation = generation() }
    end

    local status, body = commit_checked(documents, wish)
    generations:delete("lock")
    return status, body
end


-- POST /v1/push: stage documents, and commit where the header says so.
function _M.push()
    local body, err = request_body()
    local line = body and find(body, "\n", 1, true)
    local header = line and cjson.decode(sub(body, 1, line - 1))
    if not header or not header.documents then
        return answer(400, { error = err or "no header line" })
    end

    local documents = dictionary()
    local staged, why = stage(documents, header.documents, body, line + 1)
    if not staged then
        local status = why == "no memory" and 507 or 400
        return answer(status, { error = why, free = documents:free_space(), capacity = documents:capacity() })
    end

    if not header.commit or header.commit == cjson.null then
        return answer(200, { generation = generation(), free = documents:free_space() })
    end
    return answer(commit_locked(documents, header.commit))
end


-- GET /v1/state
function _M.state()
    local documents = dictionary()
    return answer(200, {
        generation = generation(),
        conf = state.conf.id,
        worker = ngx.worker.pid(),
        decoded = state.decoded,
        aside = aside.count(),
        free = documents:free_space(),
        capacity = documents:capacity(),
        uncounted = state.conf.metrics == 1 and metrics.uncounted() or 0,
    })
end


-- GET /v1/digests
function _M.digests()
    local documents, digests = dictionary(), {}
    for _, key in ipairs(documents:get_keys(0)) do
        if not find(key, "\0", 1, true) then
            digests[key] = documents:get(key)
        end
    end
    return answer(200, { generation = generation(), digests = digests })
end


-- GET /v1/series
_M.series = metrics.series


return _M
