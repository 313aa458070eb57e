"""All objects of the lab, the one number that counts their changes, and a bounded log of those.

Takes whole objects; gives them back with a resourceVersion, the state at an earlier revision, and what changed since.
A stored object is never changed: it is encoded once, and its bytes serve every list and every watch. Watches hold no
queue of their own: each keeps a revision and reads on in the log, so a slow one costs nothing and is told that its
place is gone when the log has moved past it (HTTP 410). What a write means is decided in `verbs`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from sevengate.lab.apiserver.answers import Object

#: Where objects of one type are kept: API group and plural. Versions of a type share it.
Shelf = tuple[str, str]
#: Namespace ("" for what has none) and name.
Key = tuple[str, str]
#: One object's shelf and key.
Place = tuple[Shelf, Key]

#: How many changes of one type are remembered.
LOG_LENGTH: Final = 20_000


class CompactedError(Exception):
    """The log does not reach back to a revision."""


class Change(StrEnum):
    """What happened to an object, in the words of a watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Stored:
    """An object at one revision."""

    __slots__ = ("_encoded", "object", "revision")

    def __init__(self, plain: Object, revision: int) -> None:
        self.object = plain
        self.revision = revision
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The object as JSON; made once."""
        if self._encoded is None:
            self._encoded = msgspec.json.encode(self.object)
        return self._encoded

    def copy(self) -> Object:
        """Give the object as data that may be changed."""
        plain: Object = msgspec.json.decode(self.encoded)
        return plain


class Event(msgspec.Struct, frozen=True):
    """One entry of the log. For a deletion, `stored` is the last state under the revision of the deletion."""

    change: Change
    key: Key
    stored: Stored
    previous: Stored | None

    @property
    def revision(self) -> int:
        """The revision that the change made."""
        return self.stored.revision


class _Shelf:
    def __init__(self) -> None:
        self.items: dict[Key, Stored] = {}
        self.log: list[Event] = []
        self.compacted = 0
        self.listeners: set[Callable[[], None]] = set()
        self._keys: list[Key] | None = None

    def keys(self) -> list[Key]:
        if self._keys is None:
            self._keys = sorted(self.items)
        return self._keys

    def record(self, event: Event) -> None:
        if event.change is Change.DELETED:
            del self.items[event.key]
        else:
            self.items[event.key] = event.stored
        if event.change is not Change.MODIFIED:
            self._keys = None
        self.log.append(event)
        # Cutting a tenth at once keeps appending cheap.
        if len(self.log) > LOG_LENGTH * 1.1:
            self.forget(len(self.log) - LOG_LENGTH)
        for wake in tuple(self.listeners):
            wake()

    def forget(self, count: int) -> None:
        if count:
            self.compacted = self.log[count - 1].revision
            del self.log[:count]


class Storage:
    """Objects by type and key."""

    def __init__(self) -> None:
        self.revision = 1
        self._shelves: dict[Shelf, _Shelf] = {}
        self._uids: dict[str, Place] = {}
        self._owned: dict[str, set[Place]] = {}

    def _shelf(self, shelf: Shelf) -> _Shelf:
        return self._shelves.setdefault(shelf, _Shelf())

    def shelves(self) -> tuple[Shelf, ...]:
        """Give the types of which there is, or was, an object."""
        return tuple(self._shelves)

    def get(self, shelf: Shelf, key: Key) -> Stored | None:
        """Give an object, or None."""
        return self._shelf(shelf).items.get(key)

    def items(self, shelf: Shelf, namespace: str = "") -> list[Stored]:
        """Give the objects of a type, all or those of a namespace, sorted by namespace and name."""
        place = self._shelf(shelf)
        return [place.items[key] for key in _within(place.keys(), namespace)]

    def put(self, shelf: Shelf, key: Key, plain: Object) -> Stored:
        """Store an object as the newest revision; it must not be changed from here on."""
        previous = self.get(shelf, key)
        stored = self._numbered(plain)
        self._shelf(shelf).record(Event(Change.MODIFIED if previous else Change.ADDED, key, stored, previous))
        self._index((shelf, key), previous, stored)
        return stored

    def remove(self, shelf: Shelf, key: Key) -> Stored:
        """Remove an object and give its last state; raise KeyError if it is not there."""
        previous = self._shelf(shelf).items[key]
        stored = self._numbered({**previous.object, "metadata": dict(previous.object["metadata"])})
        self._shelf(shelf).record(Event(Change.DELETED, key, stored, previous))
        self._index((shelf, key), previous, None)
        return stored

    def _index(self, place: Place, previous: Stored | None, stored: Stored | None) -> None:
        for uid in _owner_uids(previous):
            self._owned[uid].discard(place)
            if not self._owned[uid]:
                del self._owned[uid]
        for uid in _owner_uids(stored):
            self._owned.setdefault(uid, set()).add(place)
        if stored is not None:
            self._uids[stored.object["metadata"]["uid"]] = place
        elif previous is not None:
            self._uids.pop(previous.object["metadata"]["uid"], None)

    def with_uid(self, uid: str) -> Place | None:
        """Say where the object with a uid stands; None if there is none."""
        return self._uids.get(uid)

    def owned_by(self, uid: str) -> list[Place]:
        """Say which objects name the one with a uid as an owner."""
        return sorted(self._owned.get(uid, ()))

    def _numbered(self, plain: Object) -> Stored:
        self.revision += 1
        plain["metadata"]["resourceVersion"] = str(self.revision)
        return Stored(plain, self.revision)

    def events_since(self, shelf: Shelf, revision: int) -> list[Event]:
        """Give what changed after a revision; raise CompactedError if that is not known any more."""
        place = self._shelf(shelf)
        if revision < place.compacted:
            raise CompactedError
        return place.log[bisect_right(place.log, revision, key=_revision) :]

    def items_at(self, shelf: Shelf, revision: int, namespace: str = "") -> list[Stored]:
        """Give the objects of a type as they were at a revision; raise CompactedError if that is not known any more."""
        later = self.events_since(shelf, revision)
        if not later:
            return self.items(shelf, namespace)
        past = dict(self._shelf(shelf).items)
        for event in reversed(later):
            if event.previous is None:
                del past[event.key]
            else:
                past[event.key] = event.previous
        return [past[key] for key in _within(sorted(past), namespace)]

    def compact(self) -> None:
        """Forget all changes, so that every revision but the newest is gone."""
        for place in self._shelves.values():
            place.log.clear()
            place.compacted = self.revision

    def listen(self, shelf: Shelf, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called at each change of a type; gives what ends that."""
        listeners = self._shelf(shelf).listeners
        listeners.add(wake)
        return lambda: listeners.discard(wake)


def _owner_uids(stored: Stored | None) -> list[str]:
    references = stored.object["metadata"].get("ownerReferences") or () if stored else ()
    return [reference["uid"] for reference in references]


def _revision(event: Event) -> int:
    return event.revision


def _within(keys: list[Key], namespace: str) -> Iterator[Key]:
    if not namespace:
        yield from keys
        return
    for key in keys[bisect_left(keys, (namespace, "")) :]:
        if key[0] != namespace:
            return
        yield key
