"""A Fault is what makes one object, or one part of it, unreadable.

It is raised and caught inside this room only. The functions that take an object apart know which field they hold but
not the object's name nor the report, so they raise a Fault with the field's path relative to what they were given;
each caller puts its own part of the path in front, and decode.py turns the whole into a Diagnostic.
"""

import re
from typing import Final

import msgspec

from sevengate.kube.objects import PathType, ServiceType

#: How a type is called to those who write manifests and not Python.
_TYPES: Final = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "a boolean",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
#: The fields that take one of a few words.
_VALUES: Final = {"pathType": tuple(PathType), "type": tuple(ServiceType)}
_PLACE = re.compile(r" - at `\$(?P<path>.*)`\Z", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<found>[^`]+)`")
_NO_VALUE = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_BOUND = re.compile(r"Expected `int` (?P<sign>[<>]=) (?P<number>\d+)")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")


class Fault(Exception):  # noqa: N818 - the word of the house; it is a finding, not a failure of the program
    """Why something cannot be read: a code of CODES, the field, a sentence, and what to do about it."""

    def __init__(self, code: str, field: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message
        self.hint = hint

    def under(self, parent: str) -> "Fault":
        """Give the same fault with the path of the parent field in front of its own."""
        joint = "." if parent and self.field and not self.field.startswith("[") else ""
        return Fault(self.code, f"{parent}{joint}{self.field}", self.message, self.hint)


def of_validation(error: msgspec.ValidationError, plain: object) -> Fault:
    """Put what msgspec says about `plain` into the words of the Kubernetes API."""
    text = str(error)
    place = _PLACE.search(text)
    field = _field(place["path"], plain) if place else ""
    what = _PLACE.sub("", text)
    if expected := _EXPECTED.fullmatch(what):
        return _wrong_type(field, expected["wanted"], expected["found"])
    if missing := _MISSING.fullmatch(what):
        return Fault("object/invalid-value", "", f"{missing['name']} is missing").under(field)
    if wrong := _NO_VALUE.fullmatch(what):
        values = ", ".join(_VALUES.get(field.rpartition(".")[2], ()))
        message = f"{wrong['value'][:80]} is not one of the values of this field"
        return Fault("object/invalid-value", field, message, f"write one of {values}")
    if bound := _BOUND.fullmatch(what):
        limit = f"at {'most' if bound['sign'] == '<=' else 'least'} {bound['number']}"
        return Fault("object/invalid-value", field, f"The number must be {limit}")
    if "matching regex" in what:
        return Fault("object/invalid-value", field, "The text holds a control character")
    return Fault("object/invalid-value", field, what.replace("`", ""))


def _wrong_type(field: str, wanted: str, found: str) -> Fault:
    allowed = [_TYPES.get(name, name) for name in wanted.split(" | ") if name != "null"]
    hint = "put it in quotes" if "str" in wanted and found in {"int", "float", "bool"} else ""
    message = f"Expected {' or '.join(allowed)}, got {_TYPES.get(found, found)}"
    return Fault("manifest/wrong-type", field, message, hint)


def _field(path: str, plain: object) -> str:
    """Write msgspec's path as Kubernetes does; `[...]`, "some key of this mapping", becomes that key."""
    parent, elided, rest = path.partition("[...]")
    field = parent.removeprefix(".")
    if not elided:
        return field
    mapping = _at(plain, field)
    culprit = next((key for key, value in mapping.items() if not isinstance(value, str)), "")
    return f"{field}[{culprit}]{rest}"


def _at(plain: object, field: str) -> dict[str, object]:
    for name in field.split("."):
        plain = plain.get(name) if isinstance(plain, dict) else None
    return plain if isinstance(plain, dict) else {}
