"""Which connections go where: Services and their endpoints as Forwards, one for each address and port.

Takes Services, EndpointSlices, nodes and pods as plain data; gives Forwards, and the Checks that load balancers ask.
Pure. A Service's cluster IP, its external addresses, its balancers' addresses, and its node port on every node each
make a Forward for each of its ports; so does each hostPort of a pod. What has no endpoint makes none, so nobody listens
there and connections are refused, as a real kube-proxy has them refused. Source: Kubernetes, "Virtual IPs and Service
Proxies".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sevengate.lab.addresses import Plan
from sevengate.lab.mirror import Object, key_of

#: The label by which a slice names its Service.
SERVICE_NAME: Final = "kubernetes.io/service-name"
#: By this label a Service asks that another proxy than the cluster's looks after it.
OTHER_PROXY: Final = "service.kubernetes.io/service-proxy-name"
_PROTOCOLS: Final = frozenset({"TCP", "UDP"})


class Target(msgspec.Struct, frozen=True, order=True):
    """Where a connection may end."""

    address: str
    port: int


class Forward(msgspec.Struct, frozen=True, order=True):
    """Who listens at an address, and where connections go.

    `source` is the address under which targets see the client: its own for "", else that of a node. `sticky` sends a
    client to the same target each time. `service` is `namespace/name` of the Service, or of the pod with a hostPort.
    """

    address: str
    port: int
    protocol: str
    targets: tuple[Target, ...]
    service: str
    source: str = ""
    sticky: bool = False


class Check(msgspec.Struct, frozen=True, order=True):
    """What a node answers a load balancer that asks whether it has endpoints of its own for a Service."""

    address: str
    port: int
    service: str
    local: int


class World(msgspec.Struct, frozen=True):
    """What decides: Services, the slices of each by key, and pods that have host ports."""

    services: Iterable[Object]
    slices: Mapping[str, Iterable[Object]]
    pods: Iterable[Object]
    plan: Plan


class _Endpoint(msgspec.Struct, frozen=True):
    address: str
    node: str


def forwards(world: World) -> Iterator[Forward]:
    """Give all Forwards."""
    for service in world.services:
        if OTHER_PROXY not in (service["metadata"].get("labels") or {}):
            yield from _of_service(service, list(world.slices.get(key_of(service), ())), world.plan)
    for pod in world.pods:
        yield from _of_pod(pod, world.plan)


def checks(world: World) -> Iterator[Check]:
    """Give what nodes answer for Services whose traffic stays on the node that it came to."""
    for service in world.services:
        port = service["spec"].get("healthCheckNodePort")
        if not port:
            continue
        pieces = world.slices.get(key_of(service), ())
        found = _usable([one for piece in pieces for one in piece.get("endpoints") or ()])
        for node, address in world.plan.nodes:
            yield Check(address, port, key_of(service), len({one.address for one in found if one.node == node}))


def _of_service(service: Object, slices: list[Object], plan: Plan) -> Iterator[Forward]:
    spec, key = service["spec"], key_of(service)
    is_sticky = spec.get("sessionAffinity") == "ClientIP"
    is_local = spec.get("externalTrafficPolicy") == "Local"
    for port in spec.get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        if spec.get("type") == "ExternalName" or protocol not in _PROTOCOLS:
            continue
        found = list(_endpoints(port.get("name") or "", protocol, slices))
        everywhere = _targets(found, plan)
        by_node = {node: _targets([one for one in found if one[0].node == node], plan) for node, _ in plan.nodes}
        local = tuple(sorted(target for targets in by_node.values() for target in targets))
        for address, targets, source in _addresses(service, everywhere, local if is_local else None, plan):
            if targets:
                yield Forward(address, plan.port(port["port"]), protocol, targets, key, source, is_sticky)
        for node, address in plan.nodes if port.get("nodePort") else ():
            targets = by_node[node] if is_local else everywhere
            if targets:
                source = "" if is_local else address
                yield Forward(address, port["nodePort"], protocol, targets, key, source, is_sticky)


def _addresses(
    service: Object, everywhere: tuple[Target, ...], local: tuple[Target, ...] | None, plan: Plan
) -> Iterator[tuple[str, tuple[Target, ...], str]]:
    """Give a Service's addresses with their targets, and as whom the client is seen there."""
    spec = service["spec"]
    for address in spec.get("clusterIPs") or [spec.get("clusterIP") or "None"]:
        if address not in {"None", ""}:
            yield address, everywhere, ""
    balancers = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    outside = [*(spec.get("externalIPs") or ()), *(one["ip"] for one in balancers if one.get("ip"))]
    for address in dict.fromkeys(outside):
        # Where connections may go to another node, that node sees the first one as the client.
        yield (address, everywhere, plan.nodes[0][1]) if local is None else (address, local, "")


def _endpoints(name: str, protocol: str, slices: Iterable[Object]) -> Iterator[tuple[_Endpoint, int]]:
    """Give the endpoints of a port that take connections, each with its port number."""
    found: dict[int, list[Object]] = {}
    for piece in slices:
        for port in piece.get("ports") or ():
            if (port.get("name") or "") == name and (port.get("protocol") or "TCP") == protocol and port.get("port"):
                found.setdefault(int(port["port"]), []).extend(piece.get("endpoints") or ())
    for number, endpoints in found.items():
        yield from ((endpoint, number) for endpoint in _usable(endpoints))


def _usable(found: list[Object]) -> list[_Endpoint]:
    """Give the ready ones of endpoints; if there is none, those that end and serve still."""
    chosen = [one for one in found if _condition(one, "ready")]
    chosen = chosen or [one for one in found if _condition(one, "serving") and _condition(one, "terminating")]
    return [_Endpoint(address, one.get("nodeName") or "") for one in chosen for address in one["addresses"]]


def _condition(endpoint: Object, name: str) -> bool:
    held = (endpoint.get("conditions") or {}).get(name)
    # Conditions that are not said: ready and serving are taken for true, terminating for false.
    return name != "terminating" if held is None else bool(held)


def _targets(found: Iterable[tuple[_Endpoint, int]], plan: Plan) -> tuple[Target, ...]:
    return tuple(sorted({Target(one.address, plan.port(port)) for one, port in found}))


def _of_pod(pod: Object, plan: Plan) -> Iterator[Forward]:
    spec, address = pod["spec"], (pod.get("status") or {}).get("podIP")
    if spec.get("hostNetwork") or not address or spec.get("nodeName") not in dict(plan.nodes):
        return
    node = plan.node_address(spec["nodeName"])
    for container in spec["containers"]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                target = Target(address, plan.port(port["containerPort"]))
                listen, protocol = port.get("hostIP") or node, port.get("protocol") or "TCP"
                listen = node if listen in {"0.0.0.0", "::"} else listen  # noqa: S104 - compared, not bound
                yield Forward(listen, plan.port(port["hostPort"]), protocol, (target,), key_of(pod))
