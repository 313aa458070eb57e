-- Joins a Template: the twin of sevengate/routing/template.py. Parts are text, or {variable's name}.

local concat = table.concat
local ipairs = ipairs
local type = type


local _M = {}


-- `variable(name)` gives the text of a variable of the request, or nil for an empty one.
function _M.text(parts, variable)
    local texts = {}
    for at, part in ipairs(parts) do
        if type(part) == "table" then
            texts[at] = variable(part[1]) or ""
        else
            texts[at] = part
        end
    end
    return concat(texts)
end


return _M
