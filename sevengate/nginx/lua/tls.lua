-- Which certificate a client is shown: by SNI name, parsed once per worker and kept.
--
-- Parsing a PEM chain and key costs more than the rest of a handshake, so what was parsed stays, up to a number, until
-- the document changes. Where no certificate is named the default one stands, which nginx.conf holds for that.

local cjson = require "cjson.safe"
local lrucache = require "resty.lrucache"
local ssl = require "ngx.ssl"
local state = require "sevengate.nginx.lua.state"

local find = string.find
local lower = string.lower
local ngx = ngx
local sub = string.sub


-- The name of the default certificate's document.
local DEFAULT = "c:"


local _M = {}


local parsed -- by document name: {chain = cdata, key = cdata}, or {} for one that cannot be used


function _M.init(conf)
    parsed = lrucache.new(conf.certificates_kept)
    state.on_change(function(name)
        if name then
            parsed:delete(name)
        else
            parsed:flush_all()
        end
    end)
end


local function parse(text, name)
    local document = cjson.decode(text)
    local chain, err = ssl.parse_pem_cert(document.chain)
    if not chain then
        ngx.log(ngx.ERR, "certificate ", name, " cannot be parsed: ", err)
        return {}
    end

    local key
    key, err = ssl.parse_pem_priv_key(document.key)
    if not key then
        ngx.log(ngx.ERR, "private key of certificate ", name, " cannot be parsed: ", err)
        return {}
    end
    return { chain = chain, key = key }
end


local function certificate(name)
    local entry = parsed:get(name)
    if entry then
        return entry
    end

    local text = state.text(name)
    if text then
        entry = parse(text, name)
        parsed:set(name, entry)
    end
    return entry
end


-- The name as NGINX would compare it: lower-case, without a last dot.
local function normal(server_name)
    if find(server_name, "%u") then
        server_name = lower(server_name)
    end
    if sub(server_name, -1) == "." then
        server_name = sub(server_name, 1, -2)
    end
    return server_name
end


-- ssl_certificate_by_lua
function _M.certificate()
    state.refresh()

    local server_name = ssl.server_name()
    local name = server_name and state.certificate_name(normal(server_name))
    local entry = name and certificate("c:" .. name)
    if not (entry and entry.chain) then
        entry = certificate(DEFAULT)
        if not (entry and entry.chain) then
            return
        end
    end

    ssl.clear_certs()
    local ok, err = ssl.set_cert(entry.chain)
    if ok then
        ok, err = ssl.set_priv_key(entry.key)
    end
    if not ok then
        ngx.log(ngx.ERR, "certificate ", name or "(default)", " cannot be used: ", err)
        return ngx.exit(ngx.ERROR)
    end
end


return _M
