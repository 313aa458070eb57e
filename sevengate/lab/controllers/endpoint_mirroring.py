"""EndpointSlices of Endpoints objects that people write by hand, for Services that select no pods.

Such a Service leads out of the cluster, to a database or another site; who reads only EndpointSlices, as Sevengate
does, would not find it. Takes Services and Endpoints; writes slices, and leaves alone what has a selector, what asks
not to be mirrored, and what is a lock of an election. Source: Kubernetes, "EndpointSlices" (EndpointSlice mirroring).
"""

from ipaddress import ip_address
from typing import Any, Final

from sevengate.cluster.resources import SERVICES
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.controllers.endpoints import Group, identity_of
from sevengate.lab.controllers.slices import SERVICE_NAME, Slices
from sevengate.lab.mirror import Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.resources import ENDPOINTS
from sevengate.lab.workplace import Workplace

_SKIP: Final = "endpointslice.kubernetes.io/skip-mirror"
_LOCK: Final = "control-plane.alpha.kubernetes.io/leader"
_READY: Final = {"addresses": True, "notReadyAddresses": False}


class EndpointMirroring:
    """Mirrors Endpoints."""

    def __init__(self, work: Workplace) -> None:
        self._services = work.mirrors.of(SERVICES)
        self._endpoints = work.mirrors.of(ENDPOINTS)
        self._slices = Slices(work, "endpointslicemirroring-controller.k8s.io")
        self._reconciler = Reconciler("endpointmirroring", self._look)
        self._services.subscribe(lambda change: self._reconciler.ask(change.key))
        self._endpoints.subscribe(lambda change: self._reconciler.ask(change.key))
        self._slices.follow(self._reconciler.ask)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return (self._reconciler,)

    async def _look(self, key: str) -> None:
        service, endpoints = self._services.objects.get(key), self._endpoints.objects.get(key)
        if service is None or endpoints is None or is_going(endpoints) or not _is_by_hand(service, endpoints):
            await self._slices.remove(key)
            return
        labels = {**(endpoints["metadata"].get("labels") or {}), SERVICE_NAME: endpoints["metadata"]["name"]}
        await self._slices.write(endpoints, labels, _groups(endpoints))


def _is_by_hand(service: Object, endpoints: Object) -> bool:
    metadata = endpoints["metadata"]
    is_skipped = (metadata.get("labels") or {}).get(_SKIP) == "true" or _LOCK in (metadata.get("annotations") or {})
    return not (is_skipped or service["spec"].get("selector"))


def _groups(endpoints: Object) -> list[Group]:
    found: dict[str, Group] = {}
    for subset in endpoints.get("subsets") or ():
        ports = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or ()]
        for kind, ready in _READY.items():
            for address in subset.get(kind) or ():
                family = f"IPv{ip_address(address['ip']).version}"
                group = found.setdefault(f"{family} {ports}", Group(ports, {}, family))
                endpoint = _endpoint(address, ready=ready)
                group.endpoints[identity_of(endpoint)] = endpoint
    return list(found.values())


def _endpoint(address: Object, *, ready: bool) -> Object:
    kept: dict[str, Any] = {name: address[name] for name in ("hostname", "nodeName", "targetRef") if name in address}
    return {"addresses": [address["ip"]], "conditions": {"ready": ready}, **kept}
