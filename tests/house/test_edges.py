"""What only some rooms may do: print, and name NGINX's Lua API."""

import ast
import re

import pytest

from tests.house.sources import LUA, PACKAGE, modules, shown, tree

SPEAK_TO_NGINX = {
    *(
        "control.lua",
        "counters.lua",
        "endpoints.lua",
        "metrics.lua",
        "phases.lua",
        "series.lua",
        "state.lua",
        "tls.lua",
    ),
}
COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
NGX = re.compile(r"\bngx\b")


def names_ngx(lua: str) -> bool:
    return bool(NGX.search(COMMENT.sub("", lua)))


@pytest.mark.parametrize("lua", ["ngx.var.host", "local r = require('ngx.re')", "x = _G.ngx"])
def test_a_use_of_ngx_is_found(lua: str) -> None:
    assert names_ngx(lua)


@pytest.mark.parametrize("lua", ["-- as ngx.var has it", "--[[ ngx\nngx ]] return 1", "ngxx = 1"])
def test_a_comment_may_speak_of_ngx(lua: str) -> None:
    assert not names_ngx(lua)


def test_only_the_files_that_speak_to_nginx_name_ngx() -> None:
    files = list(LUA.rglob("*.lua"))
    assert files
    naming = [shown(file) for file in files if names_ngx(file.read_text(encoding="utf-8"))]
    assert [file for file in naming if file.rsplit("/", 1)[-1] not in SPEAK_TO_NGINX] == []


def test_only_the_command_line_prints() -> None:
    command_line = {PACKAGE / "cli.py", *(PACKAGE / "cli").rglob("*.py")}
    prints = [
        f"{shown(module)}:{node.lineno}"
        for module in modules()
        if module not in command_line
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []
