"""YAML text becomes exactly the values that kubectl would send to an API server.

The tables were checked against `kubectl annotate --local -o json` of kubectl 1.32.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.kube.yaml11 import MAX_ALIASED, MAX_DEPTH, BrokenText, documents


def value_of(text: str) -> object:
    (_, mapping), *others = documents(f"k: {text}\n")
    assert others == []
    assert isinstance(mapping, dict)
    return mapping["k"]


def broken(text: str) -> BrokenText:
    with pytest.raises(BrokenText) as raised:
        list(documents(text))
    return raised.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("Y", True),
        ("yes", True),
        ("YES", True),
        ("On", True),
        ("true", True),
        ("n", False),
        ("off", False),
        ("No", False),
        ("FALSE", False),
        ("yEs", "yEs"),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("", None),
        ('""', ""),
        ("'yes'", "yes"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_words_are_booleans_and_null_as_in_yaml_1_1(text: str, value: object) -> None:
    assert value_of(text) is value if not isinstance(value, str) else value_of(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("80", 80),
        ("+5", 5),
        ("-5", -5),
        ("0644", 420),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", -31),
        ("0b101", 5),
        ("-0b11", -3),
        ("1_000", 1000),
        ("1__0", 10),
        (".25_9", 0.259),
        ("0_", 0),
        ("08", 8),
        ("80.0", 80),
        ("1.", 1),
        ("1e3", 1000),
        ("1e+3", 1000),
        ("12345678901234567890", 12345678901234567890),
        ("1.5", 1.5),
        (".5", 0.5),
        (".5e3", 500),
        ("+.5", 0.5),
        ("-.5", -0.5),
        ("09.5", 9.5),
        ("1E-3", 0.001),
        ("1e+30", 1e30),
        ("123456789012345678901234567890", 1.2345678901234568e29),
    ],
)
def test_numbers_are_those_of_yaml_1_1_in_the_form_that_json_has(text: str, value: float) -> None:
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


NOT_QUITE_NUMBERS = """
    190:20:30 12:30 1:2.5 2001-01-01 2001-01-01T00:00:00Z
    0x 0xZZ 0b2 + . _1 ._1 .1_ .1__2 1e999 1.2.3 10.0.0.0/8
"""


@pytest.mark.parametrize("text", [*NOT_QUITE_NUMBERS.split(), "9" * 400])
def test_times_and_what_only_looks_like_a_number_stay_text(text: str) -> None:
    assert value_of(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 12", "12"),
        ('!!int "3"', 3),
        ("!!float 3", 3),
        ('!!bool "yes"', True),
        ('!!null ""', None),
        ("!!binary aGVsbG8=", "hello"),
        ("!!timestamp 2001-01-01", "2001-01-01"),
        ("!foo bar", "bar"),
        ("! 12", "12"),
    ],
)
def test_tags_decide_the_type(text: str, value: object) -> None:
    assert value_of(text) == value


REFUSED = """
    !!int "x"
    !!int yes
    !!bool 1
    !!binary /w==
    !!binary %
    .inf
    -.INF
    .nan
    {[a]: b}
    {~: a}
    {<<: 3}
    *nowhere
    &a [*a]
    "\\ud83d"
    [
    a: b
    - a
    @
"""


@pytest.mark.parametrize("text", [line.strip() for line in REFUSED.strip().splitlines()])
def test_what_kubectl_refuses_is_refused_with_its_line(text: str) -> None:
    fault = broken(f"ok: 1\nk: {text}\n")
    assert fault.code == "manifest/syntax"
    assert fault.line in {2, 3}


def test_keys_are_text_whatever_they_are_written_as() -> None:
    assert value_of("{1: a, 0644: b, 1.5: c, y: d, 2001-01-01: e, 1e+3: f}") == {
        "1": "a",
        "420": "b",
        "1.5": "c",
        "true": "d",
        "2001-01-01": "e",
        "1000": "f",
    }


def test_a_merge_gives_way_to_what_follows_and_the_first_of_several_wins() -> None:
    assert value_of("{<<: {a: 1}, a: 2}") == {"a": 2}
    assert value_of("{a: 1, <<: {a: 2}, b: 1}") == {"a": 2, "b": 1}
    assert value_of("{<<: [{a: 1}, {a: 3, b: 4}], c: 2}") == {"a": 1, "b": 4, "c": 2}
    assert value_of('{"<<": {a: 1}}') == {"<<": {"a": 1}}


@pytest.mark.parametrize("keys", [("a", "a"), ("1", '"1"'), ("yes", "on")])
def test_a_second_use_of_a_key_is_named_with_its_line(keys: tuple[str, str]) -> None:
    fault = broken(f"top:\n  {keys[0]}: 1\n  b: 2\n  {keys[1]}: 3\n")
    assert (fault.code, fault.line) == ("manifest/duplicate-key", 4)


def test_aliases_repeat_what_was_anchored_last() -> None:
    assert value_of("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


def test_aliases_that_unfold_without_bound_are_refused_before_they_do() -> None:
    levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 12))
    fault = broken(f"l0: &l0 [x]\n{levels}\n")
    assert fault.code == "manifest/too-large"
    assert str(MAX_ALIASED) in fault.message


@pytest.mark.parametrize("opening", ["[", "- ", "{a: "])
def test_nesting_is_bounded(opening: str) -> None:
    assert broken(opening * (MAX_DEPTH + 1)).code == "manifest/too-large"
    assert broken(opening * 20_000).code == "manifest/too-large"


@pytest.mark.parametrize("character", ["\0", "\x01", "\x7f", "\ud800"])
def test_characters_that_no_text_may_hold_are_found_in_their_line(character: str) -> None:
    fault = broken(f"é: ü\nb: x{character}y\n")
    assert (fault.code, fault.line) == ("manifest/syntax", 2)


def test_documents_of_one_text_come_with_their_first_lines() -> None:
    assert list(documents("# c\n\na: 1\n---\n---\n- 2\n")) == [(3, {"a": 1}), (5, None), (6, [2])]


#: YAML bounds a key to 1,024 characters, each of which may be an escape of six.
KEYS = st.text(st.characters(codec="utf-8"), max_size=100)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@given(json_values)
def test_json_is_yaml_and_means_the_same(value: object) -> None:
    text = json.dumps(value)
    # Control characters are escaped by dumps; YAML takes the escapes, except pairs of surrogates.
    if not any(ord(character) > 0xFFFF for character in json.dumps(value, ensure_ascii=False)):
        assert [found for _, found in documents(text)] == [value]


def lines_of_faults(text: str) -> list[int]:
    try:
        list(documents(text))
    except BrokenText as fault:
        return [fault.line]
    return []


@given(st.text())
def test_no_text_at_all_raises_anything_but_broken_text(text: str) -> None:
    assert all(line >= 1 for line in lines_of_faults(text))


PIECES = ["a", ": ", "\n", " ", "- ", "[", "]", "{", "}", ",", "&x ", "*x", "<<", "!!int ", '"', "---\n", "...\n"]


@given(st.lists(st.sampled_from(PIECES)))
def test_no_heap_of_yaml_punctuation_raises_anything_but_broken_text(pieces: list[str]) -> None:
    assert all(line >= 1 for line in lines_of_faults("".join(pieces)))
