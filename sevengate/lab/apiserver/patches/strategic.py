"""Strategic merge patch: a merge patch that knows which lists are merged, and by which field.

Takes an object, a patch and the Schema of the object's type, whose patch strategies and merge keys decide; gives the
new object. The patch may carry directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>` and `$retainKeys`. Source: Kubernetes, "Update API Objects in Place Using kubectl patch" and
"strategic-merge-patch.md" of its API conventions. What lists without a merge key do is the same as in a merge patch.
"""

from typing import Any, Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.patches.error import PatchError
from sevengate.lab.apiserver.patches.json_patch import same
from sevengate.lab.apiserver.schemas import ANY, Schema

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"


def strategic_merge(target: Object, patch: Any, schema: Schema) -> Object:
    """Give the target with the patch applied; raise PatchError if the patch does not fit the type."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is a mapping")
    return _merge_map(target, patch, schema)


def _merge_map(target: Object, patch: Object, schema: Schema) -> Object:
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "delete":
        return {}
    if directive not in {"replace", "merge"}:
        raise PatchError(f"unknown directive $patch: {directive!r}")
    merged = {} if directive == "replace" else dict(target)
    if _RETAIN in patch:
        merged = {name: value for name, value in merged.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if not name.startswith("$"):
            _merge_field(merged, name, value, schema.child(name) or ANY)
    for name, value in patch.items():
        if name.startswith((_ORDER, _DELETE)):
            _arrange(merged, name, value, schema)
    return merged


def _merge_field(merged: Object, name: str, value: Any, schema: Schema) -> None:
    if value is None:
        merged.pop(name, None)
        return
    existing = merged.get(name)
    if isinstance(value, dict):
        start = existing if isinstance(existing, dict) and "replace" not in schema.patch_strategies else {}
        merged[name] = _merge_map(start, value, schema)
    elif isinstance(value, list):
        start_list = existing if isinstance(existing, list) else []
        merged[name] = _merge_list(start_list, value, schema)
    else:
        merged[name] = value


def _merge_list(target: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if "merge" not in schema.patch_strategies:
        return [_without_directives(item) for item in patch]
    if not schema.patch_key:
        return target + [item for item in patch if not _holds(target, item)]
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [_without_directives(item) for item in patch if item.get(_DIRECTIVE) != "replace"]
    merged = list(target)
    for item in patch:
        _merge_item(merged, item, schema)
    return merged


def _merge_item(merged: list[Any], item: Any, schema: Schema) -> None:
    key = schema.patch_key
    if not isinstance(item, dict) or key not in item:
        raise PatchError(f"an item of the patch does not have the merge key {key!r}")
    places = [place for place, existing in enumerate(merged) if same(existing.get(key), item[key])]
    if item.get(_DIRECTIVE) == "delete":
        for place in reversed(places):
            del merged[place]
    elif places:
        merged[places[0]] = _merge_map(merged[places[0]], item, schema.items or ANY)
    else:
        merged.append(_merge_map({}, item, schema.items or ANY))


def _arrange(merged: Object, directive: str, values: Any, schema: Schema) -> None:
    """Carry out a directive about the list that it names behind the slash."""
    kind, _, name = directive.partition("/")
    existing = merged.get(name)
    if not isinstance(existing, list) or not isinstance(values, list):
        return
    if kind + "/" == _DELETE:
        merged[name] = [item for item in existing if not _holds(values, item)]
        return
    key = (schema.child(name) or ANY).patch_key
    wanted = [_named(value, key) for value in values]
    merged[name] = _ordered(existing, [_named(item, key) for item in existing], wanted)


def _ordered(items: list[Any], names: list[Any], wanted: list[Any]) -> list[Any]:
    """Put the items that are named in the wanted order, leaving all others at their places."""
    named = list(zip(names, items, strict=True))
    moving = sorted((pair for pair in named if pair[0] in wanted), key=lambda pair: wanted.index(pair[0]))
    in_order = iter(moving)
    return [next(in_order)[1] if name in wanted else item for name, item in named]


def _named(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item


def _holds(items: list[Any], wanted: Any) -> bool:
    return any(same(item, wanted) for item in items)


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_directives(part) for name, part in value.items() if not name.startswith("$")}
    return [_without_directives(item) for item in value] if isinstance(value, list) else value
