-- Contexts of requests that are on their way to a named location: ngx.exec clears ngx.ctx, so they are put aside here
-- under a number, which the request carries in a variable.
--
-- A context is taken back by whoever needs it first, and by the log phase if nobody did: nothing may stay here when its
-- request is over, whatever way that went.

local pairs = pairs


local _M = {}


local contexts = {}
local last = 0


function _M.put(context)
    last = last + 1
    contexts[last] = context
    return last
end


-- Gives the context of a number and forgets it; nil where it was taken already, or where there is no number.
function _M.take(number)
    if not number then
        return nil
    end

    local context = contexts[number]
    contexts[number] = nil
    return context
end


-- How many contexts wait to be taken.
function _M.count()
    local count = 0
    for _ in pairs(contexts) do
        count = count + 1
    end
    return count
end


return _M
