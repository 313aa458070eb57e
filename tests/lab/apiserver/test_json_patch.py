"""RFC 6902, whose appendix A is the table here, and what holds for any document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.patches.error import PatchError
from sevengate.lab.apiserver.patches.json_patch import json_patch, pointer, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def op(name: str, path: str, **rest: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **rest}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", value="qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [op("replace", "/baz", value="boo")], {"baz": "boo"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        (
            {"baz": "qux", "foo": ["a", 2, "c"]},
            [op("test", "/baz", value="qux"), op("test", "/foo/1", value=2)],
            {"baz": "qux", "foo": ["a", 2, "c"]},
        ),
        ({"foo": "bar"}, [op("add", "/child", value={"grandchild": {}})], {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": "bar"}, [op("add", "/baz", value="qux", xyz=123)], {"foo": "bar", "baz": "qux"}),
        ({"/": 9, "~1": 10}, [op("test", "/~01", value=10)], {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, [op("add", "/foo/-", value=["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
        ({"foo": None}, [op("replace", "", value={"whole": 1})], {"whole": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}, op("add", "/b/-", value=2)], {"a": [1], "b": [1, 2]}),
    ],
)
def test_a_patch_gives_what_the_rfc_says(document: Any, operations: Any, expected: Any) -> None:
    assert json_patch(document, operations) == expected


@pytest.mark.parametrize(
    ("document", "operations"),
    [
        ({"foo": "bar"}, [op("add", "/baz/bat", value="qux")]),
        ({"baz": "qux"}, [op("test", "/baz", value="bar")]),
        ({"/": 9, "~1": 10}, [op("test", "/~01", value="10")]),
        ({"a": 1}, [op("test", "/a", value=True)]),
        ({"a": [1]}, [op("add", "/a/2", value=1)]),
        ({"a": [1]}, [op("add", "/a/01", value=1)]),
        ({"a": [1]}, [op("remove", "/a/-")]),
        ({"a": [1]}, [op("replace", "/a/1", value=1)]),
        ({"a": {}}, [{"op": "move", "from": "/a", "path": "/a/b"}]),
        ({}, [op("add", "/a")]),
        ({}, [op("remove", "/a")]),
        ({}, [op("add", "a", value=1)]),
        ({}, [{"op": "add", "value": 1}]),
        ({}, [{"op": "merge", "path": ""}]),
        ({}, ["add"]),
        ({}, {"op": "add"}),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(document: Any, operations: Any) -> None:
    with pytest.raises(PatchError):
        json_patch(document, operations)


@given(JSON, JSON)
def test_adding_at_a_name_and_removing_it_again_changes_nothing(value: Any, document: Any) -> None:
    whole = {"document": document}
    assert json_patch(whole, [op("add", "/added", value=value), op("remove", "/added")]) == whole


@given(JSON)
def test_what_was_given_is_left_as_it_was(document: Any) -> None:
    whole = {"a": document, "b": []}
    before = str(whole)
    json_patch(whole, [op("add", "/b/-", value=1), op("replace", "/a", value=2)])
    assert str(whole) == before


@given(st.lists(st.text(max_size=5)))
def test_a_pointer_is_read_as_it_was_written(tokens: list[str]) -> None:
    text = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)
    assert pointer(text) == tokens


@given(JSON)
def test_everything_is_the_same_as_itself(value: Any) -> None:
    assert same(value, value)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ([1], [True]), ({"a": 1}, {"a": True}), ([], {})])
def test_values_of_different_types_are_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)
