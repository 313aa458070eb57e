"""Asks the real PCRE what it makes of patterns: NGINX's Lua answers before it serves anything, and ends."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sevengate.nginx.installation import find_installation

#: For each (pattern, subject in hex): the groups in hex ("" is the empty group, null one that took no part), null
#: where nothing is found, or a text that says why the pattern is none. The flags are those of phases.lua.
_LUA = """
local cjson = require "cjson"
local function hex(text)
    return (text:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end
local function unhex(text)
    return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end
local file = io.open("QUESTIONS", "rb")
local answers = {}
for i, question in ipairs(cjson.decode(file:read("*a"))) do
    local found, err = ngx.re.match(unhex(question[2]), question[1], "ijo")
    if err then
        answers[i] = err
    elseif not found then
        answers[i] = cjson.null
    else
        answers[i] = {}
        for group = 0, #found do
            answers[i][group + 1] = found[group] and hex(found[group]) or cjson.null
        end
    end
end
file:close()
file = io.open("ANSWERS", "wb")
file:write(cjson.encode(answers))
file:close()
os.exit(0)
"""

Answer = str | list[str | None] | None


def found_by_pcre(questions: Sequence[tuple[str, bytes]], folder: Path) -> list[Answer]:
    """Give PCRE's answer to each (pattern, subject): its groups in hex, None, or why the pattern is not valid."""
    nginx = find_installation()
    asked, answered, conf = folder / "questions.json", folder / "answers.json", folder / "nginx.conf"
    asked.write_text(json.dumps([(pattern, subject.hex()) for pattern, subject in questions]))
    script = _LUA.replace("QUESTIONS", str(asked)).replace("ANSWERS", str(answered))
    modules = "".join(f"load_module {module};\n" for module in nginx.modules)
    conf.write_text(
        f"{modules}daemon off; master_process off; error_log stderr; pid {folder}/nginx.pid; events {{}}\n"
        f'http {{ access_log off; lua_package_path "{nginx.lua_path};;"; lua_package_cpath "{nginx.lua_cpath};;";\n'
        f"lua_regex_cache_max_entries 20000; init_by_lua_block {{ {script} }} }}\n"
    )
    run = subprocess.run([nginx.executable, "-p", folder, "-c", conf], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers: list[Answer] = json.loads(answered.read_text())
    return answers
