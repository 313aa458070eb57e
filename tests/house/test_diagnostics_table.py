"""The table of diagnostic codes is exactly what the code complains with."""

import ast

from sevengate.diagnostics import CODES
from tests.house.sources import PACKAGE, modules, shown, tree

COMPLAINING = {"error", "warning", "notice"}


def string_constants() -> set[str]:
    return {
        node.value
        for module in modules()
        if module != PACKAGE / "diagnostics.py"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def reported_codes() -> list[tuple[str, str]]:
    """Give file:line and code of each call such as `report.error("code", ...)` whose code is written out."""
    return [
        (f"{shown(module)}:{node.lineno}", node.args[0].value)
        for module in modules()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in COMPLAINING
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
        and "/" in node.args[0].value.split(" ")[0]
    ]


def test_every_code_that_is_reported_is_in_the_table() -> None:
    reported = reported_codes()
    assert reported, "no report.error(...) was found: this test has lost its subject"
    assert [(where, code) for where, code in reported if code not in CODES] == []


def test_every_code_of_the_table_is_used_somewhere() -> None:
    assert sorted(CODES.keys() - string_constants()) == []


def test_codes_of_one_group_stand_together_and_say_what_they_mean() -> None:
    groups = [code.split("/")[0] for code in CODES]
    changes = [group for before, group in zip(["", *groups], groups, strict=False) if group != before]
    assert len(changes) == len(set(changes))
    assert all(meaning.endswith(".") for meaning in CODES.values())
