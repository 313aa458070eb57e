"""Names say what a thing is; words that say nothing are not used for files and classes."""

import ast
import re

import pytest

from tests.house.sources import PACKAGE, modules, shown, tree

EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "handler"}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def empty_words(name: str) -> set[str]:
    return {word.lower() for word in WORD.findall(name)} & EMPTY_WORDS


@pytest.mark.parametrize("name", ["RouteHandler", "string_utils", "HTTPManager", "common"])
def test_an_empty_word_is_found_in_any_spelling(name: str) -> None:
    assert empty_words(name)


@pytest.mark.parametrize("name", ["commonality", "RoutingTable", "handlers_of_none", "utility"])
def test_a_word_that_only_begins_alike_is_fine(name: str) -> None:
    assert not empty_words(name)


def test_no_file_or_folder_of_the_package_has_an_empty_word_in_its_name() -> None:
    paths = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".lua", ""} and path.name != "__pycache__"]
    assert [shown(path) for path in paths if empty_words(path.stem)] == []


def test_no_class_has_an_empty_word_in_its_name() -> None:
    classes = [
        f"{shown(module)}: {node.name}"
        for module in modules()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ClassDef) and empty_words(node.name)
    ]
    assert classes == []
