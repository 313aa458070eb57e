"""JSON patch (RFC 6902): a list of operations on JSON pointers (RFC 6901), carried out in order or not at all.

It takes an object and the operations as decoded JSON; it gives a new object and shares nothing that it changed with
the old one.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from sevengate.lab.apiserver.patches.error import PatchError


def json_patch(target: Any, operations: Any) -> Any:
    """Give the target with all operations carried out; raise PatchError if one cannot be."""
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is a list of operations")
    document = deepcopy(target)
    for operation in operations:
        if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
            raise PatchError(f"unknown operation {operation!r}")
        document = _OPERATIONS[operation["op"]](document, operation)
    return document


def pointer(text: Any) -> list[str]:
    """Split a JSON pointer (RFC 6901) into its tokens; raise PatchError if it is none."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"{text!r} is not a JSON pointer")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError(f"operation {operation['op']} has no value")
    return deepcopy(operation["value"])


def _index(items: list[Any], token: str, last: int) -> int:
    """Read a list's index, which may be at most `last` (RFC 6901: digits without leading zeros)."""
    if not (token.isascii() and token.isdigit()) or (len(token) > 1 and token[0] == "0") or int(token) > last:
        raise PatchError(f"{token!r} is not an index of a list of {len(items)}")
    return int(token)


def _get(document: Any, tokens: list[str]) -> Any:
    for token in tokens:
        if isinstance(document, list):
            document = document[_index(document, token, len(document) - 1)]
        elif isinstance(document, dict) and token in document:
            document = document[token]
        else:
            raise PatchError(f"there is no {'/'.join(tokens)}")
    return document


def _add_at(document: Any, tokens: list[str], value: Any) -> Any:
    if not tokens:
        return value
    parent, last = _get(document, tokens[:-1]), tokens[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, len(parent)), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise PatchError(f"nothing can be added at {'/'.join(tokens)}")
    return document


def _remove_at(document: Any, tokens: list[str]) -> Any:
    if not tokens:
        return None
    _get(document, tokens)
    parent, last = _get(document, tokens[:-1]), tokens[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _add(document: Any, operation: dict[str, Any]) -> Any:
    return _add_at(document, pointer(operation.get("path")), _value(operation))


def _remove(document: Any, operation: dict[str, Any]) -> Any:
    return _remove_at(document, pointer(operation.get("path")))


def _replace(document: Any, operation: dict[str, Any]) -> Any:
    tokens, value = pointer(operation.get("path")), _value(operation)
    _get(document, tokens)
    if not tokens:
        return value
    parent, last = _get(document, tokens[:-1]), tokens[-1]
    parent[int(last) if isinstance(parent, list) else last] = value
    return document


def _move(document: Any, operation: dict[str, Any]) -> Any:
    source, target = pointer(operation.get("from")), pointer(operation.get("path"))
    if target[: len(source)] == source and len(target) > len(source):
        raise PatchError("a value cannot be moved into itself")
    moved = _get(document, source)
    return _add_at(_remove_at(document, source), target, moved)


def _copy(document: Any, operation: dict[str, Any]) -> Any:
    copied = deepcopy(_get(document, pointer(operation.get("from"))))
    return _add_at(document, pointer(operation.get("path")), copied)


def _test(document: Any, operation: dict[str, Any]) -> Any:
    found, wanted = _get(document, pointer(operation.get("path"))), _value(operation)
    if not same(found, wanted):
        raise PatchError(f"testing path {operation['path']} value failed")
    return document


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal; unlike in Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


_OPERATIONS: Final[dict[str, Callable[[Any, dict[str, Any]], Any]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
