"""What a reflector knows of its objects: which there are, how new each is, and what is wrong with them.

It takes raw objects as lists and watches bring them and gives Events. The objects themselves are kept by the Snapshot
alone. Events that come twice, or after newer ones of the same object, are no news and give nothing; resourceVersions
are compared as numbers where they are (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
An object that cannot be read gives nothing either: its last good version stays in the Snapshot, with a complaint.
"""

from typing import Final

import msgspec

from sevengate.cluster.envelope import BOOKMARK, DELETED, Line, identity_of
from sevengate.cluster.resources import Resource
from sevengate.diagnostics import Diagnostic, ObjectRef, Report, Where
from sevengate.kube.decode import decode_json
from sevengate.kube.objects import AnyObject
from sevengate.kube.snapshot import Deleted, Event

#: Deleted objects that are remembered until a bookmark; a server that sends none shall not fill our memory.
MOST_DELETED: Final = 10_000


class Known:
    """The objects of one Selection: `versions` by key, 0 for a version that is no number, and `complaints` by key."""

    def __init__(self, resource: Resource) -> None:
        self.versions: dict[str, int] = {}
        self.complaints: dict[str, tuple[Diagnostic, ...]] = {}
        self._resource = resource
        self._deleted: dict[str, int] = {}

    def take(self, line: Line) -> tuple[Event, ...]:
        """Take in what a watch says of an object, and give the news in it."""
        if line.type == BOOKMARK:
            # What came before a bookmark comes no more, so nothing that was deleted can come back by mistake.
            self._deleted.clear()
            return ()
        if line.type == DELETED:
            return self._delete(line.object)
        return self.put(line.object)

    def put(self, raw: msgspec.Raw) -> tuple[Event, ...]:
        """Take in an object as it is now."""
        report = Report()
        found = decode_json(self._resource.api_version, self._resource.kind, raw, report)
        key, version = (found.key, _number(found.metadata.resource_version)) if found else _who(raw)
        if version and version <= max(self.versions.get(key, 0), self._deleted.get(key, 0)):
            return ()
        self._complain(key, report, found)
        if key:
            self.versions[key] = version
        return (found,) if found else ()

    def _delete(self, raw: msgspec.Raw) -> tuple[Event, ...]:
        key, version = _who(raw)
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

    def _complain(self, key: str, report: Report, found: AnyObject | None) -> None:
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
    return identity.key, _number(identity.resource_version or "")


def _number(version: str) -> int:
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 20 else 0
