"""What a reflector knows of its objects: which there are, how new each is, and what is wrong with them.

It takes raw objects as lists and watches bring them and gives them decoded, or Deleted. The objects themselves are
kept by whoever takes these: the Snapshot, or a mirror. Events that come twice, or after newer ones of the same object,
are no news and give nothing; resourceVersions are compared as numbers where they are
(https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions). An object that cannot be read gives
nothing either: its last good version stays where it is kept, with a complaint. To what an object is decoded is a
parameter: `noun` gives the nouns of kube.
"""

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from sevengate.cluster.envelope import BOOKMARK, DELETED, Line, identity_of
from sevengate.cluster.resources import Resource
from sevengate.diagnostics import Diagnostic, ObjectRef, Report, Where
from sevengate.kube.decode import decode_json
from sevengate.kube.objects import AnyObject
from sevengate.kube.snapshot import Deleted

T = TypeVar("T")

#: Deleted objects that are remembered until a bookmark; a server that sends none shall not fill our memory.
MOST_DELETED: Final = 10_000


class Reading(NamedTuple, Generic[T]):
    """An object that could be read: its key, its resourceVersion, and what it was decoded to."""

    key: str
    version: str
    thing: T


#: Reads a raw object of a Resource; None, with the reason in the Report, where that is impossible.
Decode = Callable[[Resource, msgspec.Raw, Report], Reading[T] | None]


def noun(resource: Resource, raw: msgspec.Raw, report: Report) -> Reading[AnyObject] | None:
    """Read a noun of kube."""
    found = decode_json(resource.api_version, resource.kind, raw, report)
    return Reading(found.key, found.metadata.resource_version, found) if found else None


class Known(Generic[T]):
    """The objects of one Selection: `versions` by key, 0 for a version that is no number, and `complaints` by key."""

    def __init__(self, resource: Resource, decode: Decode[T]) -> None:
        self.versions: dict[str, int] = {}
        self.complaints: dict[str, tuple[Diagnostic, ...]] = {}
        self._resource = resource
        self._decode = decode
        self._deleted: dict[str, int] = {}

    def take(self, line: Line) -> tuple[T | Deleted, ...]:
        """Take in what a watch says of an object, and give the news in it."""
        if line.type == BOOKMARK:
            # What came before a bookmark comes no more, so nothing that was deleted can come back by mistake.
            self._deleted.clear()
            return ()
        if line.type == DELETED:
            return self._delete(line.object)
        return self.put(line.object)

    def put(self, raw: msgspec.Raw) -> tuple[T | Deleted, ...]:
        """Take in an object as it is now."""
        report = Report()
        found = self._decode(self._resource, raw, report)
        key, version = (found.key, number_of(found.version)) if found else _who(raw)
        if version and version <= max(self.versions.get(key, 0), self._deleted.get(key, 0)):
            return ()
        self._complain(key, report, found)
        if key:
            self.versions[key] = version
        return (found.thing,) if found else ()

    def _delete(self, raw: msgspec.Raw) -> tuple[T | Deleted, ...]:
        return self.drop(*_who(raw))

    def drop(self, key: str, version: int = 0) -> tuple[T | Deleted, ...]:
        """Take in that an object is gone since a version, 0 for one that is not known."""
        held = self.versions.get(key)
        if held is not None and version and version < held:
            return ()
        self._remember_deleted(key, max(version, held or 0))
        if held is None:
            return ()
        del self.versions[key]
        self.complaints.pop(key, None)
        return (Deleted(self._resource.kind, key),)

    def _remember_deleted(self, key: str, version: int) -> None:
        self._deleted[key] = version
        if len(self._deleted) > MOST_DELETED:
            del self._deleted[next(iter(self._deleted))]

    def _complain(self, key: str, report: Report, found: Reading[T] | None) -> None:
        if found is None:
            namespace, _, name = key.rpartition("/")
            where = Where(ObjectRef(self._resource.kind, namespace, name) if key else None)
            message = "The object cannot be read; what was last read of it, if anything was, stays in use"
            report.warning("cluster/kept", where, message)
        if report:
            self.complaints[key] = report.done()
        else:
            self.complaints.pop(key, None)


def _who(raw: msgspec.Raw) -> tuple[str, int]:
    identity = identity_of(raw)
    return identity.key, number_of(identity.resource_version or "")


def number_of(version: str) -> int:
    """Read a resourceVersion as a number; 0 for one that is none."""
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 20 else 0
