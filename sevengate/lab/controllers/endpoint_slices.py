"""EndpointSlices and Endpoints of the Services that select pods.

Takes Services and pods; writes what is to be known of a Service's endpoints, and no more than has changed: an endpoint
stays in the slice in which it is. What an endpoint says is decided in `endpoints`. Slices that somebody else manages
are left alone. Source: Kubernetes, "EndpointSlices".
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from sevengate.cluster.resources import ENDPOINT_SLICES, PODS, SERVICES
from sevengate.lab.controllers.controller import Part, is_going, reference_to
from sevengate.lab.controllers.endpoints import HEADLESS, Group, groups_of, is_headless, subsets_of
from sevengate.lab.controllers.selection import Labelled, Selecting
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.resources import ENDPOINTS
from sevengate.lab.workplace import Workplace

SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
_US: Final = "endpointslice-controller.k8s.io"
_ENDPOINTS_MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
#: Endpoints in one slice.
MOST: Final = 100


class EndpointSlices:
    """Keeps the endpoints of Services."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._moved = work.plan.port
        self._services = work.mirrors.of(SERVICES)
        pods = work.mirrors.of(PODS)
        self._selected = Labelled(pods)
        self._selecting = Selecting(self._services, selector_of)
        slices = work.mirrors.of(ENDPOINT_SLICES)
        self._slices = slices.index(_service_of)
        self._endpoints = work.mirrors.of(ENDPOINTS)
        self._reconciler = Reconciler("endpointslice", self._look)
        self._services.subscribe(self._service_changed)
        pods.subscribe(self._pod_changed)
        slices.subscribe(self._slice_changed)
        self._endpoints.subscribe(self._endpoints_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return (self._reconciler,)

    def _service_changed(self, change: Change) -> None:
        if _wish(change.before) != _wish(change.after):
            self._reconciler.ask(change.key)

    def _pod_changed(self, change: Change) -> None:
        if _state(change.before) == _state(change.after):
            return
        for pod in (change.before, change.after):
            for service in self._selecting.of(pod) if pod else ():
                self._reconciler.ask(key_of(service))

    def _slice_changed(self, change: Change) -> None:
        for one in (change.before, change.after):
            for key in _service_of(one) if one else ():
                self._reconciler.ask(key)

    def _endpoints_changed(self, change: Change) -> None:
        self._reconciler.ask(change.key)

    async def _look(self, key: str) -> None:
        service = self._services.objects.get(key)
        if service is None or is_going(service):
            for one in tuple(self._slices.find(key)):
                await self._writer.delete(ENDPOINT_SLICES, one)
            if service is None and key in self._endpoints.objects and _is_ours(self._endpoints.objects[key]):
                await self._writer.delete(ENDPOINTS, self._endpoints.objects[key])
            return
        selector = selector_of(service)
        if selector is None:
            return
        pods = self._selected.selected(service["metadata"]["namespace"], selector)
        groups = groups_of(service, pods, self._moved)
        await self._write_slices(service, list(self._slices.find(key)), groups)
        await self._write_endpoints(service, groups)

    # --- EndpointSlices

    async def _write_slices(self, service: Object, slices: list[Object], groups: list[Group]) -> None:
        labels = _labels(service, {MANAGED_BY: _US, SERVICE_NAME: service["metadata"]["name"]})
        unused = {key_of(one): one for one in slices}
        for group in groups or [Group((), {})]:
            held = [one for one in slices if _is_of(one, group)]
            for one, endpoints in _parted(held, group):
                wanted = {"ports": list(group.ports), "endpoints": endpoints}
                if one is None:
                    await self._create(service, labels, wanted)
                    continue
                unused.pop(key_of(one))
                is_same = one.get("endpoints") == endpoints and labels == (one["metadata"].get("labels") or {})
                if not is_same or (one.get("ports") or []) != wanted["ports"]:
                    metadata = {**one["metadata"], "labels": labels}
                    await self._writer.replace(ENDPOINT_SLICES, {**one, "metadata": metadata, **wanted})
        for one in unused.values():
            await self._writer.delete(ENDPOINT_SLICES, one)

    async def _create(self, service: Object, labels: dict[str, str], wanted: Object) -> None:
        metadata = {
            "generateName": f"{service['metadata']['name']}-",
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [reference_to(service)],
        }
        await self._writer.create(ENDPOINT_SLICES, {"metadata": metadata, "addressType": "IPv4", **wanted})

    # --- Endpoints

    async def _write_endpoints(self, service: Object, groups: list[Group]) -> None:
        labels = _labels(service, {_ENDPOINTS_MANAGED_BY: "endpoint-controller"})
        subsets = subsets_of(service, groups)
        held = self._endpoints.objects.get(key_of(service))
        if held is None:
            metadata = {name: service["metadata"][name] for name in ("name", "namespace")}
            await self._writer.create(ENDPOINTS, {"metadata": {**metadata, "labels": labels}, "subsets": subsets})
        elif (held.get("subsets") or []) != subsets or (held["metadata"].get("labels") or {}) != labels:
            metadata = {**held["metadata"], "labels": labels}
            await self._writer.replace(ENDPOINTS, {**held, "metadata": metadata, "subsets": subsets})


def selector_of(service: Object) -> Object | None:
    """Give a Service's selector as a LabelSelector; None for a Service that selects no pods."""
    spec = service["spec"]
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return None
    return {"matchLabels": spec["selector"]}


def _parted(slices: list[Object], group: Group) -> Iterator[tuple[Object | None, list[Object]]]:
    """Part the endpoints of a Group among the slices that hold them already, and as many new ones as it takes."""
    left = dict(group.endpoints)
    kept: list[tuple[Object | None, list[Object]]] = []
    for one in slices:
        uids = [endpoint.get("targetRef", {}).get("uid") for endpoint in one.get("endpoints") or ()]
        kept.append((one, [left.pop(uid) for uid in uids if uid in left]))
    rest = iter(left.values())
    for held, staying in sorted(kept, key=lambda each: -len(each[1])):
        endpoints = [*staying, *islice(rest, MOST - len(staying))]
        # One slice stays even when nothing is in it, so that it is seen that there is nothing.
        if endpoints or (not group.endpoints and held is slices[0]):
            yield held, endpoints
    while more := list(islice(rest, MOST)):
        yield None, more
    if not slices and not group.endpoints:
        yield None, []


def _is_of(one: Object, group: Group) -> bool:
    if one.get("addressType") != "IPv4":
        return False
    return not group.endpoints or (one.get("ports") or []) == list(group.ports)


def _labels(service: Object, own: dict[str, str]) -> dict[str, str]:
    headless = {HEADLESS: ""} if is_headless(service) else {}
    return {**(service["metadata"].get("labels") or {}), **headless, **own}


def _service_of(one: Object) -> list[str]:
    """Give the key of the Service whose slice this is, if we manage it."""
    labels = one["metadata"].get("labels") or {}
    name = labels.get(SERVICE_NAME)
    return [f"{one['metadata']['namespace']}/{name}"] if name and labels.get(MANAGED_BY) == _US else []


def _is_ours(endpoints: Object) -> bool:
    return _ENDPOINTS_MANAGED_BY in (endpoints["metadata"].get("labels") or {})


def _wish(service: Object | None) -> object:
    if service is None:
        return None
    metadata = service["metadata"]
    return metadata["uid"], service["spec"], metadata.get("labels"), metadata.get("annotations"), is_going(service)


def _state(pod: Object | None) -> object:
    """Give what of a pod its endpoints show."""
    if pod is None:
        return None
    status = pod.get("status") or {}
    ready = next((one["status"] for one in status.get("conditions") or () if one["type"] == "Ready"), "")
    metadata = pod["metadata"]
    return (
        metadata["uid"], metadata.get("labels"), is_going(pod), pod["spec"].get("nodeName"), status.get("podIP"),
        status.get("phase"), ready,
    )  # fmt: skip
