"""A Service's endpoints, made of the pods that it selects.

Takes the Service and pods; gives Groups of endpoints that share their ports, and from those what EndpointSlices and
the old Endpoints objects hold. Pure. Source: Kubernetes, "EndpointSlices", and the API reference of both.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from sevengate.lab.controllers.controller import is_going
from sevengate.lab.controllers.pods import is_over, is_ready
from sevengate.lab.mirror import Object

HEADLESS: Final = "service.kubernetes.io/headless"
_TOLERATES_UNREADY: Final = "service.alpha.kubernetes.io/tolerate-unready-endpoints"


class Group(NamedTuple):
    """Endpoints, by their identity, that are reached at the same ports."""

    ports: Sequence[Object]
    endpoints: dict[str, Object]
    address_type: str = "IPv4"


def identity_of(endpoint: Object) -> str:
    """Give what an endpoint goes by: the uid of its pod, or its address."""
    return str((endpoint.get("targetRef") or {}).get("uid") or endpoint["addresses"][0])


def groups_of(service: Object, pods: Iterable[Object], moved: Callable[[int], int] = int) -> list[Group]:
    """Give the endpoints of a Service; a named port may be another number in each pod, and then makes another Group.

    `moved` gives the port at which a pod really listens where its manifest says another.
    """
    found: dict[str, Group] = {}
    for pod in sorted(pods, key=lambda one: str(one["metadata"]["name"])):
        if not (pod.get("status") or {}).get("podIP") or is_over(pod):
            continue
        ports = _ports(service, pod, moved)
        group = found.setdefault(repr(ports), Group(ports, {}))
        group.endpoints[pod["metadata"]["uid"]] = _endpoint(service, pod)
    return list(found.values())


def _ports(service: Object, pod: Object, moved: Callable[[int], int]) -> list[Object]:
    ports = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is not None:
            named = {"name": port.get("name", ""), "port": moved(number), "protocol": port.get("protocol", "TCP")}
            ports.append(named | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}))
    return ports


def _number(port: Object, pod: Object) -> int | None:
    """Give the number of a Service's port in a pod; None if the pod has no port of that name."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    containers = [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]
    for container in containers:
        for one in container.get("ports") or ():
            if one.get("name") == target and one.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(one["containerPort"])
    return None


def _endpoint(service: Object, pod: Object) -> Object:
    metadata, spec = pod["metadata"], pod["spec"]
    ready, going = is_ready(pod), is_going(pod)
    endpoint: Object = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": publishes_unready(service) or (ready and not going),
            "serving": ready,
            "terminating": going,
        },
        "targetRef": {
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = spec["hostname"]
    return endpoint


def publishes_unready(service: Object) -> bool:
    """Say whether a Service's endpoints count as ready from the first moment to the last."""
    annotations = service["metadata"].get("annotations") or {}
    return bool(service["spec"].get("publishNotReadyAddresses")) or annotations.get(_TOLERATES_UNREADY) == "true"


def is_headless(service: Object) -> bool:
    """Say whether a Service has no address of its own."""
    return bool(service["spec"].get("clusterIP") == "None")


def subsets_of(service: Object, groups: Iterable[Group]) -> list[Object]:
    """Give the subsets of the Endpoints object of a Service, which has no word for pods that are going."""
    subsets = []
    for group in groups:
        lists: dict[str, list[Object]] = {"addresses": [], "notReadyAddresses": []}
        for endpoint in group.endpoints.values():
            is_listed = not endpoint["conditions"]["terminating"] or publishes_unready(service)
            if is_listed:
                lists["addresses" if endpoint["conditions"]["ready"] else "notReadyAddresses"].append(
                    _address(endpoint)
                )
        filled = {name: listed for name, listed in lists.items() if listed}
        if filled:
            subsets.append({**filled, "ports": [_named(port) for port in group.ports]})
    return subsets


def _address(endpoint: Object) -> Object:
    optional: dict[str, Any] = {name: endpoint[name] for name in ("hostname", "nodeName") if name in endpoint}
    return {"ip": endpoint["addresses"][0], "targetRef": endpoint["targetRef"], **optional}


def _named(port: Object) -> Object:
    return port if port["name"] else {name: value for name, value in port.items() if name != "name"}
