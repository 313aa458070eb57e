from bisect import bisect
from collections.abc import Callable
from contextlib import suppress
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.routing.regex import MAX_LENGTH, check, compile_bytes
from tests.pcre import Answer, found_by_pcre

ACCEPTED = [
    r"/foo(/|$)(.*)",
    r"^/api/v[12]/(?<rest>.*)$",
    r"/(?P<user>[a-z0-9-_]+)/(\d{1,5})?",
    r"^/(?i)mixed/.*\.(png|jpe?g)$",
    r"(?s-i:a.b)",
    r"(?<!x)y(?=z)",
    r"([ab])\1",
    r"a*+b?",
    r"/caf\xc3\xa9|/café",
    r"[]a][^]b]",
    r"[\w.-]\A\z\Z",
    r"\/\.\-\{1}",
]

REFUSED = {
    "": "empty",
    "a" * (MAX_LENGTH + 1): "longer than",
    "a\nb": "control character",
    "a\0b": "control character",
    "(a": '")" is missing',
    "a)": "closes no group",
    "[a": "not closed",
    "a\\": "backslash ends",
    "*a": "nothing before",
    "a**": "nothing before",
    "^*": "nothing before",
    "(?=a)+": "nothing before",
    "a{,3}": "no number of repetitions",
    "a{2,1}": "not a number of repetitions",
    "a{0}": "not a number of repetitions",
    "a{1001}": "not a number of repetitions",
    "((a{1000}){1000})": "too large",
    "(a*)*": "can match nothing",
    "é+": "single ASCII character",
    "(ab)++": "single ASCII character",
    r"\Kx": r"\K",
    r"\h": r"\h",
    r"\R": r"\R",
    r"\v": r"\v",
    r"\p{L}": "Unicode properties",
    r"\e": r"\e",
    r"\x4": r"\x",
    r"(a)\10": "beyond",
    r"\1": "invalid group reference",
    r"(a)(?<=\1)": "look-behind",
    "(?<=a+)b": "look-behind",
    "(?<=(?-i:|)??)": "fixed length",
    "(?=(a))": "cannot capture",
    "(?R)": "recursion",
    "(?1)": "recursion",
    "(?&name)": "recursion",
    "(?(1)a|b)": "conditional",
    "(?C1)": "callout",
    "(?|a|b)": "branch reset",
    "(?>a)": "atomic",
    "(?'a'b)": "quotes",
    "(?P=a)": "by name",
    "(?x)a": "begins with (?x",
    "(*COMMIT)a": "verb",
    "(?i)a|b": "alternatives",
    "(?<a>b)(?<a>c)": "redefinition",
    "[[:alpha:]]": "POSIX",
    "[:alpha:]": "POSIX",
    "[é]": "not ASCII",
    r"[\d-z]": "range",
    "[z-a]": "range",
    "[--a]": "hyphen",
    "(" * 60 + ")" * 60: "nested deeper",
}


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_takes_what_people_write(pattern: str) -> None:
    check(pattern)


@pytest.mark.parametrize(("pattern", "why"), REFUSED.items())
def test_refuses_what_the_engines_do_not_share_and_says_why(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression") as refused:
        check(pattern)
    assert why in str(refused.value)


def test_is_caseless_and_sees_bytes() -> None:
    assert compile_bytes("/café").search("/CAFé".encode())
    assert not compile_bytes("/café").search("/CAFÉ".encode())
    assert compile_bytes("^/.$").search(b"/\xff")
    assert not compile_bytes(r"^/\w$").search(b"/\xe9")


def test_captures_by_the_groups_names_and_numbers() -> None:
    found = compile_bytes(r"/(?<user>\w+)/(.*)").search(b"/ada/notes")
    assert found
    assert (found[1], found["user"], found[2]) == (b"ada", b"ada", b"notes")


@given(st.text(st.characters(), max_size=60) | st.text("()[]{}?*+|^$\\.-<>!:=#&PiCR0123,ab", max_size=30))
def test_no_text_makes_it_fail_otherwise(pattern: str) -> None:
    with suppress(ValueError):
        compile_bytes(pattern).search(pattern.encode()[:20])


# --- the twin: what is accepted means the same to PCRE

MEMBERS = [
    "a",
    "b",
    "A-C",
    "a-c",
    "0-9",
    "_",
    "-",
    r"\d",
    r"\w",
    r"\S",
    r"\W",
    r"\n",
    r"\x41",
    r"\]",
    "^",
    "]",
    ".",
    "&&",
]
ATOMS: list[str] = [
    *"abcABC/0_-. é^$",
    r"\d",
    r"\w",
    r"\s",
    r"\b",
    r"\W",
    r"\.",
    r"\/",
    r"\A",
    r"\z",
    r"\Z",
    r"\n",
    r"\x41",
    r"\1",
]
OPENINGS = ["(", "(", "(?:", "(?<name>", "(?=", "(?!", "(?<=", "(?<!", "(?i)", "(?-i:", "(?s:", "(?m)"]
QUANTIFIERS = [
    "",
    "",
    "",
    "",
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "??",
    "*+",
    "++",
    "?+",
    "{2}",
    "{1,2}",
    "{1,}",
    "{2}?",
    "{1,3}+",
]
SUBJECT_BYTES = b"abcABC/0_-. \n\xc3\xa9\xe9[]^$"


class _Questions:
    """Random accepted patterns and subjects; Hypothesis' own lists of them are a hundred times slower."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def take(self, count: int) -> list[tuple[str, bytes]]:
        drawn = (self._alternatives(3) for _ in count_from(0))
        return [(pattern, self._subject()) for pattern in islice(filter(_accepted, drawn), count)]

    def _subject(self) -> bytes:
        return bytes(self._random.choices(SUBJECT_BYTES, k=self._random.randrange(10)))

    def _alternatives(self, depth: int) -> str:
        return "|".join(self._branch(depth) for _ in range(self._random.choice([1, 1, 1, 2, 3])))

    def _branch(self, depth: int) -> str:
        return "".join(self._atom(depth) + self._random.choice(QUANTIFIERS) for _ in range(self._random.randrange(5)))

    def _atom(self, depth: int) -> str:
        kind = self._random.random()
        if kind < 0.5 or not depth:
            return self._random.choice(ATOMS)
        if kind < 0.65:
            members = self._random.choices(MEMBERS, k=self._random.randint(1, 4))
            return f"[{self._random.choice(['', '^'])}{''.join(members)}]"
        return f"{self._random.choice(OPENINGS)}{self._alternatives(depth - 1)})"


def _accepted(pattern: str) -> bool:
    try:
        check(pattern)
    except ValueError:
        return False
    return True


def _found_by_python(pattern: str, subject: bytes) -> Answer:
    found = compile_bytes(pattern).search(subject)
    return None if found is None else [None if group is None else group.hex() for group in (found[0], *found.groups())]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_pcre_finds_the_same_groups(seed: int) -> None:
    questions = _Questions(seed).take(200)
    with TemporaryDirectory() as folder:
        answers = found_by_pcre(questions, Path(folder))
    assert [(*question, answer) for question, answer in zip(questions, answers, strict=True)] == [
        (*question, _found_by_python(*question)) for question in questions
    ]


@pytest.mark.parametrize("grow", [lambda n: "[a-z]" * n, lambda n: "(?:" * n + "a" + ")" * n, lambda n: f"(ab){{{n}}}"])
def test_what_is_accepted_is_not_too_large_for_pcre(grow: Callable[[int], str], tmp_path: Path) -> None:
    largest = bisect(range(1, 1500), x=False, key=lambda n: not _accepted(grow(n)))
    [answer] = found_by_pcre([(grow(largest), b"")], tmp_path)
    assert answer is None
