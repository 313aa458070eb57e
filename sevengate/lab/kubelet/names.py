"""The names that a pod knows: its own, those of Services, and those that its manifest adds, as an /etc/hosts.

Takes a pod, its address, all Services and the slices of headless ones; gives text. Pure. A lab has no DNS server, so
what DNS would answer stands in this file: a Service's name leads to its cluster IP, that of a headless one to its
endpoints, that of an ExternalName to what the other name leads to. Which pods ask the cluster at all follows from their
dnsPolicy. When the file is written again is `kubelet`'s business. Source: Kubernetes, "DNS for Services and Pods".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sevengate.lab.mirror import Object, key_of

DOMAIN: Final = "cluster.local"
HEADLESS: Final = "service.kubernetes.io/headless"


class Known(msgspec.Struct, frozen=True):
    """What there is to be named: Services by key, and what gives the EndpointSlices of one."""

    services: Mapping[str, Object]
    slices: Callable[[str], Iterable[Object]]


def hosts(pod: Object, hostname: str, address: str, known: Known) -> str:
    """Give a pod's /etc/hosts."""
    lines = ["127.0.0.1\tlocalhost", f"{address}\t{hostname}"]
    aliases = pod["spec"].get("hostAliases") or ()
    lines += (f"{one['ip']}\t{' '.join(one.get('hostnames') or ())}" for one in aliases)
    if _asks_cluster(pod["spec"]):
        lines += (f"{at}\t{' '.join(names)}" for at, names in _records(pod["metadata"]["namespace"], known))
    return "\n".join(lines) + "\n"


def _asks_cluster(spec: Object) -> bool:
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    return policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.get("hostNetwork"))


def _records(namespace: str, known: Known) -> Iterator[tuple[str, list[str]]]:
    for service in known.services.values():
        names = _names(service["metadata"], namespace)
        for address, host in dict.fromkeys(_led_to(service, known)):
            yield address, [f"{host}.{name}" for name in names] if host else names


def _names(metadata: Object, namespace: str) -> list[str]:
    """Give the names by which a pod of a namespace may call a Service, as search domains would complete them."""
    name, own = metadata["name"], metadata["namespace"]
    known = [f"{name}.{own}.svc.{DOMAIN}", f"{name}.{own}.svc", f"{name}.{own}"]
    return [name, *known] if own == namespace else known


def _led_to(service: Object, known: Known) -> Iterator[tuple[str, str]]:
    """Give the addresses of a Service, each with the name of the one endpoint that is meant, "" for the Service."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        other = known.services.get(_key_of(spec.get("externalName") or ""))
        # An alias of an alias is led no further, so that no two can lead to each other.
        if other and other["spec"].get("type") != "ExternalName":
            yield from _led_to(other, known)
    elif spec.get("clusterIP") != "None":
        yield from ((address, "") for address in (spec.get("clusterIP"),) if address)
    else:
        for endpoint in _ready(known.slices(key_of(service))):
            for address in endpoint["addresses"]:
                yield from ((address, host) for host in ("", endpoint.get("hostname") or ""))


def _ready(slices: Iterable[Object]) -> Iterator[Object]:
    for piece in slices:
        for endpoint in piece.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                yield endpoint


def _key_of(name: str) -> str:
    """Give the key of the Service that a name of the cluster means, "" for any other name."""
    labels = name.rstrip(".").removesuffix(f".{DOMAIN}").split(".")
    return f"{labels[1]}/{labels[0]}" if len(labels) == 3 and labels[2] == "svc" else ""


def service_of(piece: Object) -> list[str]:
    """Give the key of the Service that a slice belongs to."""
    name = (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
    return [f"{piece['metadata']['namespace']}/{name}"] if name else []


def told_of(thing: Object | None) -> object:
    """Give what of a Service, or of a headless one's slice, names are made from."""
    if thing is None:
        return None
    if thing["kind"] == "Service":
        return tuple(thing["spec"].get(name) for name in ("clusterIP", "type", "externalName"))
    return thing.get("endpoints") if HEADLESS in (thing["metadata"].get("labels") or {}) else None
