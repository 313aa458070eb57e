"""Objects as the Table that kubectl prints: column definitions, and one row of cells for each object.

Takes objects, their Resource and the time; gives a meta.k8s.io/v1 Table. Pure. The cells of Kubernetes' own types come
from `columns`; those of custom resources from the JSON paths that their definition names; a type with neither gets its
name and age, as on a real server.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.columns import COLUMNS
from sevengate.lab.apiserver.durations import age
from sevengate.lab.apiserver.resources import Column, Resource

_CREATED: Final = ".metadata.creationTimestamp"
_AGE: Final = Column("Age", "date", _CREATED)
_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.(\w+)==[\"']([^\"']*)[\"']\)\]")


def table(things: Iterable[Object], resource: Resource, now: datetime, *, include: str = "Metadata") -> Object:
    """Give the Table of some objects; `include` says what each row carries: Metadata, Object or None."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": definitions(resource),
        "rows": [{"cells": cells(thing, resource, now), "object": _carried(thing, include)} for thing in things],
    }


def _carried(thing: Object, include: str) -> Object | None:
    match include:
        case "None":
            return None
        case "Object":
            return thing
        case _:
            return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}


def definitions(resource: Resource) -> list[Object]:
    """Give the column definitions of a type."""
    named = _definition("Name", "string", 0, "name")
    if not resource.is_custom and (known := COLUMNS.get(resource.kind)):
        rest = [_definition(title, "string", int(title in known.wide)) for title in known.titles]
        return [named, *rest] if known.named else rest
    return [named, *(_definition(one.name, one.type, one.priority) for one in resource.columns or (_AGE,))]


def _definition(name: str, kind: str, priority: int, form: str = "") -> Object:
    return {"name": name, "type": kind, "format": form, "description": "", "priority": priority}


def cells(thing: Object, resource: Resource, now: datetime) -> list[Any]:
    """Give the cells of one object's row."""
    name = thing["metadata"]["name"]
    if not resource.is_custom and (known := COLUMNS.get(resource.kind)):
        return [name, *known.cells(thing, now)] if known.named else known.cells(thing, now)
    return [name, *(_cell(thing, column, now) for column in resource.columns or (_AGE,))]


def _cell(thing: Object, column: Column, now: datetime) -> Any:
    found = find(thing, column.path)
    if not found:
        return "" if column.type != "date" else None
    if column.type == "date":
        return age(str(found[0]), now)
    if column.type == "string":
        return ",".join(_text(value) for value in found)
    return found[0]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def find(thing: Any, path: str) -> list[Any]:
    """Give the values at a simple JSON path: fields, indexes, `[*]` and `[?(@.type=="Ready")]`."""
    values = [thing]
    for name, quoted, index, key, wanted in _STEP.findall(path):
        if name or quoted:
            values = [
                value[name or quoted] for value in values if isinstance(value, dict) and (name or quoted) in value
            ]
            continue
        items = [value for value in values if isinstance(value, list)]
        if index == "*":
            values = [item for value in items for item in value]
        elif index:
            values = [value[int(index)] for value in items if int(index) < len(value)]
        else:
            values = [
                item for value in items for item in value if isinstance(item, dict) and str(item.get(key)) == wanted
            ]
    return values
