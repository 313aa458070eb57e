"""A made-up cluster of any size, as an API server would send it: JSON with all that is usually there and not read.

Ingress number i has one host (`host_name(i)`), PATHS paths and one Service, whose EndpointSlices are given. What is
decoded of it is a Snapshot like that of any cluster.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from bench.scale import PATHS
from sevengate.diagnostics import Report
from sevengate.kube.decode import decode_json
from sevengate.kube.objects import AnyObject
from sevengate.kube.snapshot import Snapshot

NAMESPACE: Final = "shop"
CLASS: Final = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "nginx"},
    "spec": {"controller": "k8s.io/ingress-nginx"},
}

Plain = dict[str, Any]
#: IP address and port.
Address = tuple[str, int]


def host_name(number: int) -> str:
    """Give the host of an Ingress."""
    return f"host-{number}.example.com"


def path(number: int) -> str:
    """Give a path that each host has, for a number below PATHS."""
    return f"/path-{number}"


def ingress(number: int, *, first_path: str = path(0)) -> Plain:
    """Give an Ingress; `first_path` may stand in the place of its first path."""
    backend = {"service": {"name": f"service-{number}", "port": {"number": 80}}}
    paths = (first_path, *(path(i) for i in range(1, PATHS)))
    rule = {
        "host": host_name(number),
        "http": {"paths": [{"path": one, "pathType": "Prefix", "backend": backend} for one in paths]},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": _metadata(f"ingress-{number}", number),
        "spec": {"ingressClassName": "nginx", "rules": [rule]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }


def service(number: int) -> Plain:
    """Give the Service that an Ingress names."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(f"service-{number}", number),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": _address(10, 2 * number),
            "clusterIPs": [_address(10, 2 * number)],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
            "selector": {"app": f"app-{number}"},
            "sessionAffinity": "None",
        },
        "status": {"loadBalancer": {}},
    }


def endpoint_slice(number: int, *addresses: Address, part: int = 0) -> Plain:
    """Give a slice of a Service, all of whose endpoints have the first one's port."""
    metadata = _metadata(f"service-{number}-{part}", number)
    metadata["labels"] |= {
        "kubernetes.io/service-name": f"service-{number}",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": [_endpoint(ip, number) for ip, _ in addresses],
        "ports": [{"name": "http", "protocol": "TCP", "port": addresses[0][1]}],
    }


def small_cluster(size: int, address: Address) -> Iterator[Plain]:
    """Give Ingresses and their Services, each with one endpoint at the same address."""
    yield CLASS
    for number in range(size):
        yield from (ingress(number), service(number), endpoint_slice(number, address))


def full_cluster(size: int, slices: int = 5) -> Iterator[Plain]:
    """Give Ingresses and their Services, each with some slices of two endpoints."""
    yield CLASS
    for number in range(size):
        yield from (ingress(number), service(number))
        for part in range(slices):
            pods = (_address(10, (number * slices + part) * 2 + i) for i in range(2))
            yield endpoint_slice(number, *((pod, 8080) for pod in pods), part=part)


def write(plain: Plain) -> bytes:
    """Write an object as the API server sends it."""
    return msgspec.json.encode(plain)


def decode(api_version: str, kind: str, text: bytes) -> AnyObject:
    """Decode an object, none of which may be faulty."""
    report = Report()
    found = decode_json(api_version, kind, text, report)
    if found is None or list(report):
        raise ValueError(f"the bench made a faulty {kind}: {list(report)}")
    return found


def decoded(plain: Plain) -> AnyObject:
    """Give an object as the compiler takes it."""
    return decode(plain["apiVersion"], plain["kind"], write(plain))


def snapshot(plain: Iterable[Plain]) -> Snapshot:
    """Give the Snapshot that holds all these objects."""
    return Snapshot().after(map(decoded, plain))[0]


def _metadata(name: str, number: int) -> Plain:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"7f3d0c1e-5a0b-4c5e-9d2f-{number:012x}",
        "resourceVersion": str(100_000 + number),
        "generation": 1,
        "creationTimestamp": "2025-01-01T00:00:00Z",
        "labels": {"app": f"app-{number}", "app.kubernetes.io/managed-by": "Helm"},
        "managedFields": [
            {
                "manager": "helm",
                "operation": "Update",
                "apiVersion": "networking.k8s.io/v1",
                "time": "2025-01-01T00:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:rules": {}}},
            }
        ],
    }


def _endpoint(ip: str, number: int) -> Plain:
    return {
        "addresses": [ip],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": f"node-{number % 100}",
        "zone": f"zone-{number % 3}",
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": f"app-{number}", "uid": f"{number:032x}"},
    }


def _address(first: int, number: int) -> str:
    return f"{first}.{number >> 16}.{number >> 8 & 255}.{number & 255}"
