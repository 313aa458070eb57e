"""How pods find the API server: the Service `default/kubernetes`, with the endpoint where the server listens.

Takes a Plan and the address and port that were bound; gives the objects that a real API server writes about itself,
ready to be stored. Pure. The first address of the Services' network is the server's, by convention; that a connection
to it gets through is up to kube-proxy.
"""

from collections.abc import Iterator

from sevengate.lab.addresses import Plan
from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.defaults import fill

NAMESPACE = "default"
NAME = "kubernetes"
_PORT = "https"


def service_address(plan: Plan) -> str:
    """Give the cluster IP of the API server."""
    return next(plan.service_addresses())


def objects_about(plan: Plan, address: str, port: int) -> Iterator[Object]:
    """Give the Service and its endpoints, in the form of today and in the old one."""
    yield _service(service_address(plan), port)
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": _PORT, "port": port, "protocol": "TCP"}],
    }
    yield {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": address}], "ports": [{"name": _PORT, "port": port, "protocol": "TCP"}]}],
    }


def _service(address: str, port: int) -> Object:
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"component": "apiserver", "provider": NAME},
        },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": _PORT, "port": 443, "protocol": "TCP", "targetPort": port}],
        },
        "status": {"loadBalancer": {}},
    }
    fill(service)
    return service
