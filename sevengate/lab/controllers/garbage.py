"""What goes with its owner, on an API server that leaves this to controllers, as a real one does.

Takes what workloads and Services own; deletes what has lost all of its owners, takes owners that are gone out of what
has others left, and carries out what a deletion in the foreground, or one that leaves orphans, waits for. The lab's
own API server does all of it at once, so there is nothing to do here. Source: Kubernetes, "Garbage Collection", "Use
Cascading Deletion".
"""

from collections.abc import Iterator
from typing import Final

from sevengate.cluster.resources import ENDPOINT_SLICES, PODS, SERVICES, Resource
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINTS,
    JOBS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from sevengate.lab.workplace import Workplace

#: What is known to own something, and what is owned, by kind.
OWNERS: Final = {
    one.kind: one for one in (DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS, STATEFUL_SETS, JOBS, SERVICES, ENDPOINTS)
}
OWNED: Final = {one.kind: one for one in (REPLICA_SETS, PODS, CONTROLLER_REVISIONS, ENDPOINT_SLICES)}
_FOREGROUND: Final = "foregroundDeletion"
_ORPHAN: Final = "orphan"


class Garbage:
    """Removes what nobody owns any more."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._mirrors = {kind: work.mirrors.of(one) for kind, one in (OWNERS | OWNED).items()}
        self._by_owner = {kind: self._mirrors[kind].index(_owner_uids) for kind in OWNED}
        self._reconciler = Reconciler("garbage", self._look)
        for kind in OWNED:
            self._mirrors[kind].subscribe(self._owned_changed)
        for kind in OWNERS:
            self._mirrors[kind].subscribe(self._owner_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return (self._reconciler,)

    def _owned_changed(self, change: Change) -> None:
        if change.after is not None and change.before is None:
            self._ask(change.after)
        elif change.before is not None and change.after is None:
            # An owner may wait for the last of what it owns.
            for reference in _references(change.before):
                self._reconciler.ask(f"{reference['kind']} {_key(change.before, reference)}")

    def _owner_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is not None and is_going(after):
            self._ask(after)
        if before is not None and (after is None or after["metadata"]["uid"] != before["metadata"]["uid"]):
            for thing in self._owned_by(before):
                self._ask(thing)

    def _ask(self, thing: Object) -> None:
        if thing["metadata"].get("ownerReferences") or is_going(thing):
            self._reconciler.ask(f"{thing['kind']} {key_of(thing)}")

    def _owned_by(self, owner: Object) -> list[Object]:
        uid = owner["metadata"]["uid"]
        return [thing for index in self._by_owner.values() for thing in index.find(uid)]

    async def _look(self, place: str) -> None:
        kind, _, key = place.partition(" ")
        thing = self._mirrors[kind].objects.get(key) if kind in self._mirrors else None
        if thing is None:
            return
        if is_going(thing):
            await self._let_go(thing)
        elif kind in OWNED:
            await self._check_owners(OWNED[kind], thing)

    async def _check_owners(self, resource: Resource, thing: Object) -> None:
        """Delete what has lost all its owners, and forget those of others that are gone."""
        references = list(_references(thing))
        left = [one for one in references if await self._is_there(thing, one)]
        if references and not left:
            # It may have been let go as an orphan a moment ago.
            await self._writer.delete_unchanged(resource, thing)
        elif len(left) < len(references):
            await self._refer(resource, thing, left)

    async def _is_there(self, thing: Object, reference: Object) -> bool:
        resource = OWNERS.get(reference["kind"])
        if resource is None:
            return True  # of what we know nothing we take nothing
        key = _key(thing, reference)
        held = self._mirrors[resource.kind].objects.get(key)
        if held is not None and held["metadata"]["uid"] == reference["uid"]:
            return True
        namespace, _, name = key.rpartition("/")
        uid: str = reference["uid"]
        return await self._writer.uid_of(resource, name, namespace) == uid

    async def _let_go(self, owner: Object) -> None:
        """Carry out what a deletion waits for, and then let the owner go."""
        resource, finalizers = OWNERS.get(owner["kind"]), owner["metadata"].get("finalizers") or []
        if resource is None or not {_FOREGROUND, _ORPHAN} & set(finalizers):
            return
        uid, owned = owner["metadata"]["uid"], self._owned_by(owner)
        for thing in owned:
            if _ORPHAN in finalizers:
                others = [one for one in _references(thing) if one["uid"] != uid]
                await self._refer(OWNED[thing["kind"]], thing, others)
            elif not is_going(thing):
                await self._writer.delete(OWNED[thing["kind"]], thing, policy="Foreground")
        if not self._owned_by(owner):
            kept = [one for one in finalizers if one not in {_FOREGROUND, _ORPHAN}]
            metadata = {"finalizers": kept, "resourceVersion": owner["metadata"]["resourceVersion"]}
            await self._writer.merge(resource, owner, {"metadata": metadata})

    async def _refer(self, resource: Resource, thing: Object, references: list[Object]) -> None:
        metadata = {"ownerReferences": references, "resourceVersion": thing["metadata"]["resourceVersion"]}
        await self._writer.merge(resource, thing, {"metadata": metadata})


def _references(thing: Object) -> Iterator[Object]:
    yield from thing["metadata"].get("ownerReferences") or ()


def _owner_uids(thing: Object) -> list[str]:
    return [reference["uid"] for reference in _references(thing)]


def _key(thing: Object, reference: Object) -> str:
    namespace = thing["metadata"].get("namespace")
    return f"{namespace}/{reference['name']}" if namespace else str(reference["name"])
