"""What an object controls: found by owner, taken in where nobody controls it, let go where it is selected no more.

Takes owners of one kind and their dependents of another; a dependent that changes has its owner looked at again, and
an orphan those that might take it in. Source: Kubernetes, "Owners and Dependents"; the rules are those of all
workloads.
"""

from collections.abc import Callable, Iterator

from sevengate.cluster.resources import Resource
from sevengate.lab.controllers.controller import controlling, is_going, reference_to
from sevengate.lab.controllers.selection import Labelled, Selecting, matches
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.workplace import Workplace


class Dependents:
    """The objects of one Resource that those of another control."""

    def __init__(self, work: Workplace, owners: Resource, dependents: Resource) -> None:
        self._writer = work.writer
        self._owners = owners
        self._dependents = dependents
        self._mirror = work.mirrors.of(dependents)
        self._by_owner = self._mirror.index(_owner_terms)
        self._labelled = Labelled(self._mirror)
        self._selecting = Selecting(work.mirrors.of(owners), selector_of)

    def follow(self, ask: Callable[[str], None]) -> None:
        """Have `ask` called with the key of each owner whose dependents change."""

        def heard(change: Change) -> None:
            for thing in (change.before, change.after):
                for key in self._concerned(thing) if thing else ():
                    ask(key)

        self._mirror.subscribe(heard)

    def of(self, owner: Object) -> list[Object]:
        """Give what an object controls now."""
        return list(self._by_owner.find(owner["metadata"]["uid"]))

    async def claim(self, owner: Object) -> list[Object]:
        """Give what an object controls, after taking in and letting go what it must."""
        selector = selector_of(owner)
        if selector is None or is_going(owner):
            return self.of(owner)
        for thing in self.of(owner):
            if not matches(selector, thing):
                await self._let_go(thing, owner)
        for thing in tuple(self._labelled.selected(owner["metadata"].get("namespace", ""), selector)):
            if controlling(thing) is None and not is_going(thing):
                references = [*(thing["metadata"].get("ownerReferences") or ()), reference_to(owner)]
                await self._refer(thing, references)
        return self.of(owner)

    async def _let_go(self, thing: Object, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        await self._refer(thing, [one for one in thing["metadata"]["ownerReferences"] if one["uid"] != uid])

    async def _refer(self, thing: Object, references: list[Object]) -> None:
        metadata = {name: thing["metadata"][name] for name in ("uid", "resourceVersion")}
        await self._writer.merge(self._dependents, thing, {"metadata": {**metadata, "ownerReferences": references}})

    def _concerned(self, thing: Object) -> Iterator[str]:
        owner = controlling(thing)
        if owner is None:
            yield from map(key_of, self._selecting.of(thing))
        elif owner["kind"] == self._owners.kind:
            namespace = thing["metadata"].get("namespace")
            yield f"{namespace}/{owner['name']}" if namespace else owner["name"]


def selector_of(owner: Object) -> Object | None:
    """Give the LabelSelector of a workload."""
    selector: Object | None = owner["spec"].get("selector")
    return selector


def _owner_terms(thing: Object) -> list[str]:
    owner = controlling(thing)
    return [owner["uid"]] if owner else []
