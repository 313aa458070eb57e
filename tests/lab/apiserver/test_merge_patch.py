"""RFC 7396, whose appendix A is the table here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.patches.merge_patch import merge_patch

WITHOUT_NULL = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)
MAPPING = st.dictionaries(st.text(max_size=3), WITHOUT_NULL, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_gives_what_the_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(target, patch) == expected


@given(MAPPING, MAPPING)
def test_a_second_time_changes_nothing(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(MAPPING)
def test_an_empty_patch_changes_nothing_and_a_patch_of_nothing_is_the_patch(value: Any) -> None:
    assert merge_patch(value, {}) == value
    assert merge_patch({}, value) == value


@given(MAPPING)
def test_nulls_remove_everything(value: Any) -> None:
    assert merge_patch(value, dict.fromkeys(value)) == {}
