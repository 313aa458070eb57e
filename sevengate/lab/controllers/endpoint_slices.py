"""EndpointSlices and Endpoints of the Services that select pods.

Takes Services and pods; writes what is to be known of a Service's endpoints. What an endpoint says is decided in
`endpoints`, in which slice it stands in `slices`. Source: Kubernetes, "EndpointSlices".
"""

from typing import Final

from sevengate.cluster.resources import PODS, SERVICES
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.controllers.endpoints import HEADLESS, Group, groups_of, is_headless, subsets_of
from sevengate.lab.controllers.selection import Labelled, Selecting
from sevengate.lab.controllers.slices import SERVICE_NAME, Slices
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.resources import ENDPOINTS
from sevengate.lab.workplace import Workplace

_ENDPOINTS_MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"


class EndpointSlices:
    """Keeps the endpoints of Services."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._moved = work.plan.port
        self._services = work.mirrors.of(SERVICES)
        pods = work.mirrors.of(PODS)
        self._selected = Labelled(pods)
        self._selecting = Selecting(self._services, selector_of)
        self._slices = Slices(work, "endpointslice-controller.k8s.io")
        self._endpoints = work.mirrors.of(ENDPOINTS)
        self._reconciler = Reconciler("endpointslice", self._look)
        self._services.subscribe(self._service_changed)
        pods.subscribe(self._pod_changed)
        self._slices.follow(self._reconciler.ask)
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

    def _endpoints_changed(self, change: Change) -> None:
        self._reconciler.ask(change.key)

    async def _look(self, key: str) -> None:
        service = self._services.objects.get(key)
        if service is None or is_going(service):
            await self._slices.remove(key)
            if service is None and key in self._endpoints.objects and _is_ours(self._endpoints.objects[key]):
                await self._writer.delete(ENDPOINTS, self._endpoints.objects[key])
            return
        selector = selector_of(service)
        if selector is None:
            return
        pods = self._selected.selected(service["metadata"]["namespace"], selector)
        groups = groups_of(service, pods, self._moved)
        labels = _labels(service, {SERVICE_NAME: service["metadata"]["name"]})
        await self._slices.write(service, labels, groups)
        await self._write_endpoints(service, groups)

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


def _labels(service: Object, own: dict[str, str]) -> dict[str, str]:
    headless = {HEADLESS: ""} if is_headless(service) else {}
    return {**(service["metadata"].get("labels") or {}), **headless, **own}


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
