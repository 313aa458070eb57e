"""Objects as an API server holds them, with the least that each needs."""

from typing import Any

Plain = dict[str, Any]


def ingress(name: str, namespace: str = "default", **spec: Any) -> Plain:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "shop", "port": {"number": 80}}}}
    rules = [{"host": f"{name}.example", "http": {"paths": [path]}}]
    return {
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ingressClassName": "nginx", "rules": rules, **spec},
    }


def published(plain: Plain) -> list[Plain]:
    """Give what the status of an Ingress says."""
    return (plain.get("status", {}).get("loadBalancer", {}) or {}).get("ingress") or []


def ingress_class(controller: str = "k8s.io/ingress-nginx") -> Plain:
    return {"kind": "IngressClass", "metadata": {"name": "nginx"}, "spec": {"controller": controller}}


def service(name: str, namespace: str = "default", **spec: Any) -> Plain:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def endpoint_slice(service_name: str, *addresses: str, port: int = 8080, namespace: str = "default") -> Plain:
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "ports": [{"port": port}],
        "endpoints": [{"addresses": [address]} for address in addresses] or None,
    }


def endpoints(service_name: str, *addresses: str, port: int = 8080, namespace: str = "default") -> Plain:
    subset = {"addresses": [{"ip": address} for address in addresses], "ports": [{"port": port}]}
    return {"kind": "Endpoints", "metadata": {"name": service_name, "namespace": namespace}, "subsets": [subset]}


def namespace(name: str, **labels: str) -> Plain:
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(
    name: str, node: str, *, ready: bool = True, ending: bool = False, app: str = "sevengate", version: str = "1"
) -> Plain:
    labels = {"app": app, "pod-template-hash": version}
    told = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if ending else {}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "gate", "labels": labels, **told},
        "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def node(name: str, internal: str = "", external: str = "") -> Plain:
    kinds = {"InternalIP": internal, "ExternalIP": external}
    addresses = [{"type": kind, "address": address} for kind, address in kinds.items() if address]
    return {"kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}}


def config_map(name: str, namespace: str = "gate", **data: str) -> Plain:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def secret(name: str, namespace: str = "default", kind: str = "kubernetes.io/tls") -> Plain:
    return {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": kind, "data": {}}
