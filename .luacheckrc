-- Only these files may name `ngx`; all others are plain Lua that also runs outside NGINX, in the tests' LuaJIT.
std = "luajit"
max_line_length = 120

for _, name in ipairs({ "state", "control", "counters", "endpoints", "metrics", "series", "tls", "phases" }) do
    files["**/" .. name .. ".lua"] = { std = "ngx_lua" }
end
