"""EndpointSlices of one controller: which there are for a Service, and how they become what they ought to be.

Takes Groups of endpoints; writes no more than has changed: an endpoint stays in the slice in which it is, a slice
holds a hundred. Slices that somebody else manages are left alone. Source: Kubernetes, "EndpointSlices" (management,
distribution).
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from sevengate.cluster.resources import ENDPOINT_SLICES
from sevengate.lab.controllers.controller import reference_to
from sevengate.lab.controllers.endpoints import Group, identity_of
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.workplace import Workplace

SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
#: Endpoints in one slice.
MOST: Final = 100


class Slices:
    """The slices that carry the name of one controller."""

    def __init__(self, work: Workplace, manager: str) -> None:
        self._writer = work.writer
        self._manager = manager
        self._mirror = work.mirrors.of(ENDPOINT_SLICES)
        self._by_service = self._mirror.index(_service_of)

    def follow(self, ask: Callable[[str], None]) -> None:
        """Have `ask` called with the key of each Service whose slices change."""

        def heard(change: Change) -> None:
            for one in (change.before, change.after):
                for term in _service_of(one) if one else ():
                    manager, _, key = term.partition(" ")
                    if manager == self._manager:
                        ask(key)

        self._mirror.subscribe(heard)

    def of(self, key: str) -> list[Object]:
        """Give the slices of a Service."""
        return list(self._by_service.find(f"{self._manager} {key}"))

    async def remove(self, key: str) -> None:
        """Delete the slices of a Service."""
        for one in self.of(key):
            await self._writer.delete(ENDPOINT_SLICES, one)

    async def write(self, owner: Object, labels: Mapping[str, str], groups: list[Group]) -> None:
        """Bring the slices of the Service that has the owner's key to hold the endpoints of some Groups."""
        whole = {**labels, MANAGED_BY: self._manager}
        slices = self.of(key_of(owner))
        unused = {key_of(one): one for one in slices}
        for group in groups or [Group((), {})]:
            for one, endpoints in _parted([one for one in slices if _is_of(one, group)], group):
                wanted = {"ports": list(group.ports), "endpoints": endpoints}
                if one is None:
                    await self._create(owner, whole, {"addressType": group.address_type, **wanted})
                else:
                    unused.pop(key_of(one))
                    await self._replace(one, whole, wanted)
        for one in unused.values():
            await self._writer.delete(ENDPOINT_SLICES, one)

    async def _create(self, owner: Object, labels: dict[str, str], wanted: Object) -> None:
        metadata = {
            "generateName": f"{owner['metadata']['name']}-",
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [reference_to(owner)],
        }
        await self._writer.create(ENDPOINT_SLICES, {"metadata": metadata, **wanted})

    async def _replace(self, one: Object, labels: dict[str, str], wanted: Object) -> None:
        held = {name: one.get(name) or [] for name in wanted}
        if held != wanted or (one["metadata"].get("labels") or {}) != labels:
            metadata = {**one["metadata"], "labels": labels}
            await self._writer.replace(ENDPOINT_SLICES, {**one, "metadata": metadata, **wanted})


def _parted(slices: list[Object], group: Group) -> Iterator[tuple[Object | None, list[Object]]]:
    """Part the endpoints of a Group among the slices that hold them already, and as many new ones as it takes."""
    left = dict(group.endpoints)
    kept: list[tuple[Object, list[Object]]] = []
    for one in slices:
        held = map(identity_of, one.get("endpoints") or ())
        kept.append((one, [left.pop(identity) for identity in held if identity in left]))
    rest = iter(left.values())
    for one, staying in sorted(kept, key=lambda each: -len(each[1])):
        endpoints = [*staying, *islice(rest, MOST - len(staying))]
        # One slice stays even when nothing is in it, so that it is seen that there is nothing.
        if endpoints or (not group.endpoints and one is slices[0]):
            yield one, endpoints
    while more := list(islice(rest, MOST)):
        yield None, more
    if not slices and not group.endpoints:
        yield None, []


def _is_of(one: Object, group: Group) -> bool:
    if one.get("addressType") != group.address_type:
        return False
    return not group.endpoints or (one.get("ports") or []) == list(group.ports)


def _service_of(one: Object) -> list[str]:
    """Give who manages a slice, and the key of its Service."""
    labels = one["metadata"].get("labels") or {}
    name, manager = labels.get(SERVICE_NAME), labels.get(MANAGED_BY)
    return [f"{manager} {one['metadata']['namespace']}/{name}"] if name and manager else []
