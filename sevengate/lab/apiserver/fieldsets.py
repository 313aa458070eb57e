"""Sets of fields: which fields an object has, in which two objects differ, and how `managedFields` writes that.

A field is a path of elements as FieldsV1 spells them (`f:spec`, `k:{"name":"web"}`, `v:"a"`); a set of fields is a
frozenset of paths, so that union, difference and intersection are Python's own. Takes objects and the Schema of their
type, which says what is owned as a whole. Pure. Source: sigs.k8s.io/structured-merge-diff and Kubernetes,
"Server-Side Apply". Who owns what is decided in `apply`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.patches.json_patch import same
from sevengate.lab.apiserver.schemas import ANY, Schema

Path = tuple[str, ...]
Fields = frozenset[Path]

NOTHING: Final[Fields] = frozenset()

_SYSTEM: Final = (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "selfLink", "generateName",
)  # fmt: skip
#: What nobody manages: the server sets it, or it is the object's name.
UNMANAGED: Final = frozenset({("f:apiVersion",), ("f:kind",), *(("f:metadata", f"f:{name}") for name in _SYSTEM)})


def fields_of(thing: Object, schema: Schema) -> Fields:
    """Give all fields that an object has."""
    return frozenset(path for path in _walk(thing, schema, ()) if path[:2] not in UNMANAGED and path not in UNMANAGED)


def _walk(value: Any, schema: Schema, path: Path) -> Iterator[Path]:
    parts = children(value, schema)
    if parts is None:
        yield path
        return
    if path and (schema.is_map or path[-1].startswith("k:") or not parts):
        yield path
    for element, (part, part_schema) in parts.items():
        yield from _walk(part, part_schema, (*path, element))


def children(value: Any, schema: Schema) -> dict[str, tuple[Any, Schema]] | None:
    """Give a value's parts by path element, or None for what is owned as a whole."""
    if isinstance(value, dict) and not schema.is_atomic:
        return {f"f:{name}": (part, schema.child(name) or _loose(part)) for name, part in value.items()}
    if isinstance(value, list) and schema.list_keys:
        items = schema.items or ANY
        return {_keyed(item, schema): (item, items) for item in value if isinstance(item, dict)}
    if isinstance(value, list) and schema.is_set:
        return {f"v:{_text(item)}": (item, _SCALAR) for item in value}
    return None


_SCALAR: Final = Schema({"type": "string"}, {})
_ATOMIC_LIST: Final = Schema({"type": "array"}, {})


def _loose(value: Any) -> Schema:
    """Give the schema of a value whose type is not known: mappings are merged, lists are whole."""
    if isinstance(value, dict):
        return ANY
    return _ATOMIC_LIST if isinstance(value, list) else _SCALAR


def _keyed(item: Object, schema: Schema) -> str:
    """Spell the element of an associative list's item; a key that is left out has its default (`protocol: TCP`)."""
    known = {name: item.get(name, _default(schema, name)) for name in sorted(schema.list_keys)}
    return f"k:{_text({name: value for name, value in known.items() if value is not None})}"


def _default(schema: Schema, name: str) -> Any:
    child = schema.items.child(name) if schema.items else None
    declared = child.node.get("default") if child else None
    return "TCP" if declared is None and name == "protocol" else declared


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


class Difference(msgspec.Struct, frozen=True):
    """In which fields a newer object differs from an older one."""

    added: Fields
    modified: Fields
    removed: Fields


def compare(old: Object, new: Object, schema: Schema) -> Difference:
    """Give the fields in which two objects of one type differ."""
    old, new = _trimmed(old, new)
    before, after = fields_of(old, schema), fields_of(new, schema)
    modified = frozenset(_changed(old, new, schema, ())) & before & after
    return Difference(after - before, modified, before - after)


def _trimmed(old: Object, new: Object) -> tuple[Object, Object]:
    """Leave out of two mappings what both have: most writes change a status and leave a hundred fields as they were."""
    common = [name for name in old if name in new]
    equal = {name for name in common if msgspec.json.encode(old[name]) == msgspec.json.encode(new[name])}
    if equal and (len(equal) == len(old) or len(equal) == len(new)):
        # A mapping that holds nothing is a field of its own, and neither of these is one.
        equal.pop()
    before = {name: value for name, value in old.items() if name not in equal}
    after = {name: value for name, value in new.items() if name not in equal}
    for name in common:
        if name not in equal and isinstance(old[name], dict) and isinstance(new[name], dict):
            before[name], after[name] = _trimmed(old[name], new[name])
    return before, after


def _changed(old: Any, new: Any, schema: Schema, path: Path) -> Iterator[Path]:
    """Give the paths of the parts that both have, that are owned as a whole, and that differ."""
    before, after = children(old, schema), children(new, schema)
    if before is None or after is None:
        if not same(old, new):
            yield path
        return
    for element in before.keys() & after.keys():
        yield from _changed(before[element][0], after[element][0], after[element][1], (*path, element))


@lru_cache(maxsize=2048)
def write(fields: Fields) -> Object:
    """Write a set as FieldsV1: nested mappings, where `.` marks a field that has sub-fields and is itself meant.

    What is given is kept for the next who asks, because thousands of objects are written alike: nobody may change it.
    """
    tree: Object = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _pruned(tree)


def _pruned(tree: Object) -> Object:
    if tree.keys() == {"."}:
        return {}
    return {element: {} if element == "." else _pruned(part) for element, part in tree.items()}


def read(tree: Object) -> Fields:
    """Read FieldsV1."""
    return _read(msgspec.json.encode(tree))


@lru_cache(maxsize=2048)
def _read(encoded: bytes) -> Fields:
    return frozenset(_members(msgspec.json.decode(encoded), ()))


def _members(tree: Object, path: Path) -> Iterator[Path]:
    if path and (not tree or "." in tree):
        yield path
    for element, part in tree.items():
        if element != ".":
            yield from _members(part, (*path, element))


def spelled(path: Path) -> str:
    """Write a field as the messages of the API do: `.spec.containers[name="web"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "k":
            named = msgspec.json.decode(rest)
            text += "[" + ",".join(f"{name}={_text(value)}" for name, value in named.items()) + "]"
        else:
            text += f".{rest}" if kind == "f" else f"[={rest}]"
    return text
