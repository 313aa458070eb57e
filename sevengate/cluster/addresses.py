"""At which addresses the gate is reached, for the status of Ingresses.

The order is ingress-nginx's: what --publish-status-address says; else what the Service of --publish-service shows to
the outside; else the nodes on which ready pods of ours run that are to stay. Pure: takes nouns, gives addresses and
host names. None means that nobody knows (yet), and then a status is better left as it is.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sevengate.kube.objects import Node, Pod, Service, ServiceType
from sevengate.kube.snapshot import Snapshot

#: What stands in spec.clusterIP of a Service without one.
_HEADLESS = "None"


class Publishing(msgspec.Struct, frozen=True):
    """The flags: addresses, separated by commas; a Service `namespace/name`; whether a node's internal address will do.

    ingress-nginx takes a node's internal address anyway where it has no external one, and so do we.
    """

    status_address: str = ""
    service: str = ""
    report_node_internal_ip: bool = False


def addresses(publishing: Publishing, snapshot: Snapshot) -> tuple[str, ...] | None:
    """Give the addresses, sorted, or None where they cannot be known."""
    if publishing.status_address:
        given = (part.strip() for part in publishing.status_address.split(","))
        return _sorted(given)
    if publishing.service:
        service = snapshot.services.get(publishing.service)
        return _sorted(_of_service(service)) if service else None
    internal = publishing.report_node_internal_ip
    return _sorted(_of_nodes(snapshot.pods.values(), snapshot.nodes, internal=internal)) or None


def _of_service(service: Service) -> Iterable[str]:
    match service.type:
        case ServiceType.LOAD_BALANCER:
            return (*service.load_balancer_ips, *service.external_ips)
        case ServiceType.NODE_PORT | ServiceType.CLUSTER_IP:
            inner = () if service.cluster_ip == _HEADLESS else (service.cluster_ip,)
            return service.external_ips or inner
        case ServiceType.EXTERNAL_NAME:
            return (service.external_name,)


def _of_nodes(pods: Iterable[Pod], nodes: Mapping[str, Node], *, internal: bool) -> Iterator[str]:
    serving = [pod for pod in pods if pod.ready]
    # A pod that is told to end soon takes no new connections. Where all are, they are the last that can be said.
    for pod in [pod for pod in serving if not pod.ending] or serving:
        node = nodes.get(pod.node_name)
        if node:
            one = node.internal_ips if internal else node.external_ips or node.internal_ips
            yield from one[:1]


def _sorted(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({address for address in found if address}))
