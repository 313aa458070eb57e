"""What the documents say is true: docstrings are there, commands exist, links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT, modules, shown, tree

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=str)
MAKE_COMMAND = re.compile(r"(?:^|`|\$ )make ([a-z]+)", re.MULTILINE)
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
NOUN = re.compile(r"^\| \*\*(\w+)\*\* \|", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def page_id(page: Path) -> str:
    return shown(page)


def test_every_module_says_what_it_is_for() -> None:
    assert [shown(module) for module in modules() if not ast.get_docstring(tree(module))] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_command_of_a_page_is_a_target(page: Path) -> None:
    commands = set(MAKE_COMMAND.findall(page.read_text(encoding="utf-8")))
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert commands <= targets


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_to_a_file_of_the_project_leads_there(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_noun_of_the_glossary_is_a_type_of_the_code() -> None:
    nouns = set(NOUN.findall((ROOT / "docs" / "words.md").read_text(encoding="utf-8")))
    types = {node.name for module in modules() for node in ast.walk(tree(module)) if isinstance(node, ast.ClassDef)}
    assert nouns
    assert nouns - types == set()


def test_the_readme_names_the_commands_that_a_newcomer_needs() -> None:
    commands = set(MAKE_COMMAND.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"demo", "test", "check"} <= commands
