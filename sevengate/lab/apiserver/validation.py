"""Does an object fit its type: unknown fields, wrong types, and what a schema demands of values.

Takes plain data and a Schema; gives the data without what the type does not know, the paths of what was taken out, and
FieldErrors. One walk serves Kubernetes' own types and those of CustomResourceDefinitions. Pure. Source: JSON Schema as
far as structural schemas use it (Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions"); rules in CEL
are not evaluated. What is demanded beyond a schema, like names and immutable fields, is in `rules`.
"""

import re
from collections.abc import Callable, Iterator, Sized
from copy import deepcopy
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import FieldError, Object, invalid
from sevengate.lab.apiserver.schemas import ANY, Schema

#: What JSON calls the values that Python makes of it.
_NAMES: Final[dict[type, str]] = {
    dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number",
}  # fmt: skip


def typed(value: Any, schema: Schema, kind: str) -> Object:
    """Give a message that is answered and not stored; raise ApiError if a field of it has the wrong type."""
    read, _ = prune(value, schema)
    wrong = [error for error in check(read, schema) if error.cause == "FieldValueTypeInvalid"]
    if wrong:
        raise invalid(kind, "", "", wrong)
    message: Object = read
    return message


def prune(value: Any, schema: Schema, trusted: Any = None) -> tuple[Any, list[str]]:
    """Give the value without unknown fields and without nulls, and the paths of the unknown fields.

    Parts that are the very same as those of `trusted`, which was stored and so pruned before, are not looked into.
    """
    unknown: list[str] = []
    return _pruned(value, schema, ("", unknown), trusted), unknown


def _pruned(value: Any, schema: Schema, found: tuple[str, list[str]], trusted: Any) -> Any:
    path, unknown = found
    if isinstance(value, list):
        items = schema.items or ANY
        return [_pruned(item, items, (f"{path}[{index}]", unknown), None) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept, known = {}, trusted if isinstance(trusted, dict) else {}
    for name, part in value.items():
        child = schema.child(name)
        here = f"{path}.{name}" if path else name
        if part is not None and part is known.get(name):
            kept[name] = part
        elif child is None and not schema.is_open:
            unknown.append(here)
        elif part is not None or (child is not None and child.node.get("nullable")):
            kept[name] = _pruned(part, child or ANY, (here, unknown), known.get(name))
    return kept


def fill_defaults(value: Any, schema: Schema) -> Any:
    """Give the value with the defaults that its schema declares (as CustomResourceDefinitions do)."""
    if isinstance(value, list):
        return [fill_defaults(item, schema.items or ANY) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {name: fill_defaults(part, schema.child(name) or ANY) for name, part in value.items()}
    for name, node in schema.node.get("properties", {}).items():
        if name not in filled and isinstance(node, dict) and "default" in node:
            filled[name] = fill_defaults(deepcopy(node["default"]), schema.child(name) or ANY)
    return filled


def check(value: Any, schema: Schema, path: str = "", trusted: Any = None) -> list[FieldError]:
    """Give what is wrong with a value by its schema; what is the very same as in `trusted` is not looked into."""
    return list(_errors(value, schema, path, trusted))


def _errors(value: Any, schema: Schema, path: str, trusted: Any = None) -> Iterator[FieldError]:
    node = schema.node
    if value is None and node.get("nullable"):
        return
    if wrong := _wrong_type(value, schema, path):
        yield wrong
        return
    if not schema.is_plain:
        yield from _demands(value, schema, path)
    if isinstance(value, dict):
        yield from _fields(value, schema, path, trusted if isinstance(trusted, dict) else {})
    elif isinstance(value, list) and schema.items:
        for index, item in enumerate(value):
            yield from _errors(item, schema.items, f"{path}[{index}]")


def _demands(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    node = schema.node
    if "enum" in node and value not in node["enum"]:
        supported = ", ".join(f'"{word}"' for word in node["enum"])
        message = f"Unsupported value: {_shown(value)}: supported values: {supported}"
        yield FieldError(path, "FieldValueNotSupported", message)
    yield from _bounds(value, node, path)
    yield from _alternatives(value, schema, path)


def _fields(value: Object, schema: Schema, path: str, trusted: Object) -> Iterator[FieldError]:
    for name in schema.node.get("required", ()):
        if value.get(name) is None:
            yield FieldError(_joined(path, name), "FieldValueRequired", "Required value")
    for name, part in value.items():
        if part is not trusted.get(name) and (child := schema.child(name)):
            yield from _errors(part, child, _joined(path, name), trusted.get(name))


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _wrong_type(value: Any, schema: Schema, path: str) -> FieldError | None:
    wanted = schema.accepted
    found = _NAMES.get(type(value), "")
    if not wanted or found in wanted or (found == "integer" and "number" in wanted):
        return None
    message = f"Invalid value: {_shown(value)}: {path or 'the object'} must be of type {','.join(sorted(wanted))}"
    return FieldError(path, "FieldValueTypeInvalid", message)


def _bounds(value: Any, node: Object, path: str) -> Iterator[FieldError]:
    for keyword, broken in _BOUNDS.items():
        if keyword in node and (message := broken(value, node[keyword], node)):
            yield FieldError(path, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {path} in body {message}")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _minimum(value: Any, limit: Any, node: Object) -> str:
    if not _number(value) or (value > limit if node.get("exclusiveMinimum") is True else value >= limit):
        return ""
    return f"should be greater than or equal to {limit}"


def _maximum(value: Any, limit: Any, node: Object) -> str:
    if not _number(value) or (value < limit if node.get("exclusiveMaximum") is True else value <= limit):
        return ""
    return f"should be less than or equal to {limit}"


def _pattern(value: Any, pattern: Any, _node: Object) -> str:
    try:
        return f"should match '{pattern}'" if isinstance(value, str) and not re.search(pattern, value) else ""
    except re.error as error:
        return f"should match '{pattern}', which is no pattern: {error}"


def _sized(kind: type[Sized], word: str, sign: int) -> Callable[[Any, Any, Object], str]:
    edge = "at least" if sign > 0 else "at most"

    def broken(value: Any, limit: Any, _node: Object) -> str:
        wrong = isinstance(value, kind) and sign * (len(value) - limit) < 0
        return f"should have {edge} {limit} {word}" if wrong else ""

    return broken


_BOUNDS: Final[dict[str, Callable[[Any, Any, Object], str]]] = {
    "minimum": _minimum,
    "maximum": _maximum,
    "pattern": _pattern,
    "minLength": _sized(str, "chars long", 1),
    "maxLength": _sized(str, "chars long", -1),
    "minItems": _sized(list, "items", 1),
    "maxItems": _sized(list, "items", -1),
    "minProperties": _sized(dict, "properties", 1),
    "maxProperties": _sized(dict, "properties", -1),
}


def _alternatives(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    def met(node: Object) -> bool:
        return not check(value, schema.beside(node), path)

    node = schema.node
    for part in node.get("allOf", ()):
        yield from _errors(value, schema.beside(part), path)
    if "anyOf" in node and not any(map(met, node["anyOf"])):
        yield FieldError(
            path,
            "FieldValueInvalid",
            f'Invalid value: {_shown(value)}: "{path}" must validate at least one schema (anyOf)',
        )
    if "oneOf" in node and sum(map(met, node["oneOf"])) != 1:
        yield FieldError(
            path,
            "FieldValueInvalid",
            f'Invalid value: {_shown(value)}: "{path}" must validate one and only one schema (oneOf)',
        )
    if "not" in node and met(node["not"]):
        yield FieldError(
            path, "FieldValueInvalid", f'Invalid value: {_shown(value)}: "{path}" must not validate the schema (not)'
        )


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:200]
