"""YAML 1.1 text becomes plain data (dict, list, str, int, float, bool, None), exactly as kubectl would have it.

kubectl reads YAML with go-yaml v2 and turns it into JSON, which differs from PyYAML's own construction: `y` is true,
timestamps and 12:30:00 stay text, `08` is 8, a mapping's keys are always text, and `<<` overrides what stands before
it. So only the events of libyaml are used, and values are built here, in one pass that also finds duplicate keys with
their lines and refuses aliases that would unfold to more than a document may hold. What is not YAML raises BrokenText,
which manifest.py turns into a Diagnostic.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

#: Nothing in the Kubernetes API nests deeper; the schemas of custom resources come closest.
MAX_DEPTH: Final = 200
#: How many values the aliases of one document may stand for together.
MAX_ALIASED: Final = 100_000


class BrokenText(Exception):  # noqa: N818 - a finding, not a failure of the program
    """Why the text is not read: a code of CODES, the line (from 1) where it shows, and a sentence."""

    def __init__(self, code: str, line: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.line = line
        self.message = message


def documents(text: str) -> Iterator[tuple[int, object]]:
    """Give each document's first line and its value; raise BrokenText where the text stops being YAML."""
    try:
        yield from _Composer(text).documents()
    except yaml.reader.ReaderError as error:
        raise BrokenText("manifest/syntax", *_unreadable(text, error)) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reasons = [reason for reason in (error.context, error.problem) if reason]
        raise BrokenText("manifest/syntax", line, f"Not YAML: {', '.join(reasons)}") from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise BrokenText("manifest/syntax", line, "The text holds half a character (a lone surrogate)") from None


def _unreadable(text: str, error: yaml.reader.ReaderError) -> tuple[int, str]:
    # libyaml counts bytes.
    line = text.encode()[: error.position].count(b"\n") + 1
    return line, f"Not YAML: {error.reason} (character U+{int(error.character):04X})"


class _Composer:
    """Builds the values of one text from libyaml's events, by descent that MAX_DEPTH bounds."""

    def __init__(self, text: str) -> None:
        self._next: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        self._anchors: dict[str, tuple[object, int]] = {}
        self._size = 0
        self._aliased = 0

    def documents(self) -> Iterator[tuple[int, object]]:
        while (event := self._next()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                self._size = self._aliased = 0
                root = self._next()
                yield _line(root), self._value(root, 0)

    def _value(self, event: Any, depth: int) -> object:
        before = self._size
        self._size += 1
        value: object
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        elif depth >= MAX_DEPTH:
            raise BrokenText("manifest/too-large", _line(event), f"Nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(depth)
        else:
            value = self._sequence(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._size - before
        return value

    def _sequence(self, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, object]:
        mapping: dict[str, object] = {}
        own: set[str] = set()
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if _is_merge(event):
                mapping |= _merged(event, self._value(self._next(), depth + 1))
                continue
            key = _key(event, self._value(event, depth + 1))
            if key in own:
                raise BrokenText("manifest/duplicate-key", _line(event), f"The key {key[:80]!r} stands here twice")
            own.add(key)
            mapping[key] = self._value(self._next(), depth + 1)
        return mapping

    def _alias(self, event: yaml.AliasEvent) -> object:
        if event.anchor not in self._anchors:
            raise BrokenText("manifest/syntax", _line(event), f"Not YAML: no value is anchored as &{event.anchor}")
        value, size = self._anchors[event.anchor]
        self._size += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            message = f"Aliases stand for more than {MAX_ALIASED} values"
            raise BrokenText("manifest/too-large", _line(event), message)
        return value


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _is_merge(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0] and event.tag is None


def _merged(event: yaml.Event, value: object) -> dict[str, object]:
    """Give what `<<` stands for: a mapping, or several of which the first ones win."""
    mappings = value if isinstance(value, list) else [value]
    merged: dict[str, object] = {}
    for mapping in reversed(mappings):
        if not isinstance(mapping, dict):
            raise BrokenText("manifest/syntax", _line(event), "Not YAML: << needs a mapping or a list of mappings")
        merged |= mapping
    return merged


def _key(event: yaml.Event, value: object) -> str:
    """Write a mapping's key as JSON must have it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise BrokenText("manifest/syntax", _line(event), "A key must be text, a number or a boolean")


# --- scalars: https://yaml.org/type/ as go-yaml v2 reads it

_WORDS: Final[dict[str, bool | None]] = (
    dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True)
    | dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False)
    | dict.fromkeys(("", "~", "null", "Null", "NULL"))
)
_NOT_FINITE: Final = frozenset(f"{sign}.{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")) | {
    ".nan",
    ".NaN",
    ".NAN",
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_NUMBER_STARTS: Final = frozenset("+-.0123456789")

_TAG: Final = "tag:yaml.org,2002:"
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}


def _scalar(event: yaml.ScalarEvent) -> object:
    if event.tag is not None:
        return _tagged(event)
    if event.implicit[0]:
        return resolve(event.value, _line(event))
    return event.value


def _tagged(event: yaml.ScalarEvent) -> object:
    tag = event.tag or ""
    if tag == f"{_TAG}binary":
        return _binary(event)
    types = _TYPES.get(tag)
    if types is None:
        return event.value
    value = resolve(event.value, _line(event))
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        name = tag.removeprefix(_TAG)
        raise BrokenText("manifest/syntax", _line(event), f"{event.value[:80]!r} is not of the type !!{name}")
    return value


def _binary(event: yaml.ScalarEvent) -> str:
    try:
        return base64.b64decode("".join(event.value.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise BrokenText("manifest/syntax", _line(event), "A !!binary value is not base64 of UTF-8 text") from None


def resolve(text: str, line: int = 1) -> object:
    """Give the value of a plain scalar, one that is not in quotes and has no tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if text in _NOT_FINITE:
        raise BrokenText("manifest/syntax", line, f"{text} cannot be written in JSON")
    # Go takes "_" anywhere in a number, but in one that begins with a point only between digits.
    number = _number(_BETWEEN_DIGITS.sub("", text) if text[0] == "." else text.replace("_", ""))
    return text if number is None else number


def _number(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        value = _integer(text)
        if value is not None:
            return value
    if not _FLOAT.fullmatch(text):
        return None
    return whole(float(text))


def _integer(text: str) -> int | None:
    """Give what fits 64 bits; longer ones are numbers with a fraction to Go."""
    if len(text) > 70:
        return None
    digits = text.lstrip("+-").lower()
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2], 8 if digits[0] == "0" else 10)
    value = int(digits.removeprefix("0o") if base == 8 else digits, base)
    value = -value if text[0] == "-" else value
    return value if -(2**63) <= value < 2**64 else None


def whole(number: float) -> int | float | None:
    """Give 80.0 as 80, as JSON written by Go has it; None for what is too large for 64 bits of float."""
    if number in (float("inf"), float("-inf")):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e21 else number
