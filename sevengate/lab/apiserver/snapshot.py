"""All objects of a lab as bytes, to be kept in a file, and back.

Takes a Storage; gives JSON, or puts what such JSON holds into a Storage. What is there already stays: the objects that
an API server makes about itself are new in each. Pure. Pods that were running are started anew by the kubelet.
"""

from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.storage import Shelf, Storage

_FORMAT: Final = "sevengate-lab/1"


class SnapshotError(Exception):
    """The bytes are no snapshot of a lab."""


class _Snapshot(msgspec.Struct):
    format: str
    revision: int
    shelves: list[tuple[Shelf, list[Object]]]


def save(storage: Storage) -> bytes:
    """Give all objects as bytes."""
    shelves: list[Any] = [(shelf, [stored.object for stored in storage.items(shelf)]) for shelf in storage.shelves()]
    return msgspec.json.encode(_Snapshot(_FORMAT, storage.revision, shelves))


def restore(storage: Storage, content: bytes) -> int:
    """Put the objects into a Storage and give their number; raise SnapshotError if these are none."""
    try:
        snapshot = msgspec.json.decode(content, type=_Snapshot)
        if snapshot.format != _FORMAT:
            raise SnapshotError(f"it is of the format {snapshot.format!r}, and not {_FORMAT!r}")
        places = [
            (shelf, (thing["metadata"].get("namespace", ""), thing["metadata"]["name"]), thing)
            for shelf, things in snapshot.shelves
            for thing in things
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotError(f"it is no snapshot of a lab: {error}") from None
    # Clients that were here before must not see revisions go back.
    storage.revision = max(storage.revision, snapshot.revision)
    fresh = [place for place in places if storage.get(place[0], place[1]) is None]
    for shelf, key, thing in fresh:
        storage.put(shelf, key, thing)
    return len(fresh)
