"""Who owns which field: server-side apply, and the bookkeeping that every other write leaves behind.

Takes the live object, what a manager applies or has written, and the Schema of the type; gives the new object with its
`managedFields`. An apply owns exactly the fields it names: those it named before and names no more are removed unless
another owns them too, and a field that another owns with another value is a conflict (ApplyConflict), or taken over by
force. Pure. Source: Kubernetes, "Server-Side Apply". Sets of fields and how they are spelled are in `fieldsets`.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import ApiError, Object
from sevengate.lab.apiserver.fieldsets import (
    NOTHING,
    Fields,
    Path,
    children,
    compare,
    fields_of,
    read,
    spelled,
    write,
)
from sevengate.lab.apiserver.schemas import Schema

APPLY: Final = "Apply"
UPDATE: Final = "Update"


class Owner(msgspec.Struct, frozen=True, order=True):
    """Who writes: a name, how (Apply or Update), in which API version, and through which subresource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


class Owned(msgspec.Struct, frozen=True):
    """What a manager owns, and when that last changed (RFC 3339)."""

    fields: Fields
    time: str


class Writing(msgspec.Struct, frozen=True):
    """One write: who makes it, when (RFC 3339), and whether an apply takes fields from their owners."""

    owner: Owner
    time: str
    force: bool = False


Owners = dict[Owner, Owned]


class ApplyConflict(Exception):  # noqa: N818 - the word of the API
    """Fields that an apply would change belong to others."""

    def __init__(self, conflicts: Iterable[tuple[Owner, Path]]) -> None:
        self.conflicts = sorted(conflicts)
        super().__init__(f"{len(self.conflicts)} conflicts")

    def answer(self) -> ApiError:
        """Give the 409 that names each field and its owner."""
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {_using(owner)}", "field": spelled(path)}
            for owner, path in self.conflicts
        ]
        count = len(causes)
        text = f"Apply failed with {count} conflict{'s' * (count > 1)}: {self._by_owner()}"
        return ApiError(409, "Conflict", text, {"causes": causes})

    def _by_owner(self) -> str:
        parts = []
        for owner, pairs in groupby(self.conflicts, key=lambda pair: pair[0]):
            fields = [spelled(path) for _, path in pairs]
            one = f"conflict with {_using(owner)}: {fields[0]}"
            many = f"conflicts with {_using(owner)}:" + "".join(f"\n- {field}" for field in fields)
            parts.append(one if len(fields) == 1 else many)
        return "\n".join(parts)


def _using(owner: Owner) -> str:
    with_subresource = f' with subresource "{owner.subresource}"' if owner.subresource else ""
    return f'"{owner.name}"{with_subresource} using {owner.api_version}'


def owners_of(thing: Object) -> Owners:
    """Read an object's `managedFields`; entries that name nobody are passed over."""
    return {
        Owner(
            entry["manager"], entry.get("operation", UPDATE), entry.get("apiVersion", ""), entry.get("subresource", "")
        ): Owned(read(entry.get("fieldsV1") or {}), entry.get("time", ""))
        for entry in thing.get("metadata", {}).get("managedFields") or ()
        if entry.get("manager")
    }


def managed_fields(owners: Owners) -> list[Object]:
    """Write `managedFields`, oldest entry first; who owns nothing is left out."""
    entries = []
    for manager, owned in sorted(owners.items(), key=lambda pair: (pair[1].time, pair[0])):
        if not owned.fields:
            continue
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": owned.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": write(owned.fields),
        }
        entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    return entries


def track_update(old: Object, new: Object, schema: Schema, writing: Writing) -> list[Object]:
    """Give the `managedFields` after an update: the manager owns what it added or changed, and nobody what is gone."""
    difference = compare(old, new, schema)
    written = difference.added | difference.modified
    owners = owners_of(new if "managedFields" in new.get("metadata", {}) else old)
    kept = {
        other: Owned(owned.fields - difference.modified - difference.removed, owned.time)
        for other, owned in owners.items()
    }
    if written:
        already = kept[writing.owner].fields if writing.owner in kept else NOTHING
        kept[writing.owner] = Owned(already | written, writing.time)
    return managed_fields(kept)


def apply(live: Object, applied: Object, schema: Schema, writing: Writing) -> Object:
    """Give the live object with an applied configuration merged in; raise ApplyConflict if that takes from others."""
    owners = owners_of(live)
    wanted = fields_of(applied, schema)
    merged: Object = _merge(live, applied, schema)
    changed = compare(live, merged, schema).modified
    others = {other: owned for other, owned in owners.items() if other != writing.owner}
    conflicts = [(other, path) for other, owned in others.items() for path in owned.fields & wanted & changed]
    if conflicts and not writing.force:
        raise ApplyConflict(conflicts)
    before = owners.get(writing.owner, Owned(NOTHING, writing.time))
    kept = {other: Owned(owned.fields - changed, owned.time) for other, owned in others.items()}
    still_owned = frozenset[Path]().union(wanted, *(owned.fields for owned in kept.values()))
    merged = _without(merged, before.fields - wanted, still_owned, schema)
    is_repeated = before.fields == wanted and not changed
    kept[writing.owner] = Owned(wanted, before.time if is_repeated else writing.time)
    merged["metadata"] = {**merged.get("metadata", {}), "managedFields": managed_fields(kept)}
    return merged


def _merge(live: Any, applied: Any, schema: Schema) -> Any:
    have, want = children(live, schema), children(applied, schema)
    if have is None or want is None:
        return applied
    parts = {element: part for element, (part, _) in have.items()}
    for element, (part, part_schema) in want.items():
        parts[element] = _merge(parts[element], part, part_schema) if element in parts else part
    return _rebuilt(applied, parts)


def _rebuilt(like: Any, parts: dict[str, Any]) -> Any:
    if isinstance(like, dict):
        return {element.removeprefix("f:"): part for element, part in parts.items()}
    return list(parts.values())


def _without(value: Any, gone: Fields, kept: Fields, schema: Schema, path: Path = ()) -> Any:
    """Remove fields nobody owns any more; a mapping or item goes with all in it unless something in it is owned."""
    parts = children(value, schema)
    if parts is None or not gone:
        return value
    left: dict[str, Any] = {}
    for element, (part, part_schema) in parts.items():
        here = (*path, element)
        if here in gone and not _any_under(kept, here):
            continue
        below = frozenset(field for field in gone if field[: len(here)] == here)
        left[element] = _without(part, below, kept, part_schema, here)
    return _rebuilt(value, left)


def _any_under(fields: Fields, path: Path) -> bool:
    return any(field[: len(path)] == path for field in fields)
