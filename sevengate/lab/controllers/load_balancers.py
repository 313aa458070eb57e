"""Load balancers: Services of that type get an address from the Plan's pool, as a cloud would give them one.

An address goes back when its Service is deleted or of another type. What a Service asks for with `loadBalancerIP` it
gets if that is free. Who really listens on the address is kube-proxy's business. Services that name a class of load
balancers are somebody else's. Source: Kubernetes, "Service" (type LoadBalancer).
"""

from typing import Final

from sevengate.cluster.resources import SERVICES
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.mirror import Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.workplace import Workplace

_RETRY: Final = 5.0


class LoadBalancers:
    """Gives addresses to Services."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._pool = tuple(work.plan.balancer_addresses())
        self._services = work.mirrors.of(SERVICES)
        self._by_address = self._services.index(addresses_of)
        self._recorder = Recorder(work.client, "service-controller")
        # One after the other, so that no address is given twice.
        self._reconciler = Reconciler("loadbalancer", self._look, workers=1)
        self._services.subscribe(lambda change: self._reconciler.ask(change.key))

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    async def _look(self, key: str) -> float | None:
        service = self._services.objects.get(key)
        if service is None or is_going(service):
            return None
        held = addresses_of(service)
        if service["spec"].get("type") != "LoadBalancer":
            if held:
                await self._writer.merge_status(SERVICES, service, {"loadBalancer": {"ingress": None}})
            return None
        asked = service["spec"].get("loadBalancerIP")
        if service["spec"].get("loadBalancerClass") or (held and asked in {None, "", *held}):
            return None
        return await self._give(service, asked)

    async def _give(self, service: Object, asked: str | None) -> float | None:
        wanted = [asked] if asked else self._pool
        address = next((one for one in wanted if one in self._pool and not self._by_address.count(one)), None)
        if address is None:
            why = f"address {asked} is taken or not in the pool" if asked else "the pool has no address left"
            message = f"Error syncing load balancer: failed to ensure load balancer: {why}"
            self._recorder.tell(service, "SyncLoadBalancerFailed", message, "Warning")
            return _RETRY
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        await self._writer.merge_status(SERVICES, service, status)
        self._recorder.tell(service, "EnsuredLoadBalancer", "Ensured load balancer")
        return None


def addresses_of(service: Object) -> list[str]:
    """Give the addresses at which a load balancer takes in a Service's connections."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [one["ip"] for one in ingress if one.get("ip")]
