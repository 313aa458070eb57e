"""Gives Services their cluster IPs and node ports, in the call that creates or changes them.

Takes a Service, complete with defaults, and on an update the one before; fills in what the server allocates, keeps
what was allocated before, and refuses what is taken or out of range, with Kubernetes' own wording. What is taken is
read from Storage, so nothing has to be given back: a Service that is gone holds nothing. Addresses of load balancers
come from a controller, as in any cloud. Source: Kubernetes, "Service" and "Service ClusterIP allocation".
"""

import itertools
import secrets
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import FieldError, Object, invalid
from sevengate.lab.apiserver.storage import Change, CompactedError, Event, Key, Shelf, Storage

_SERVICES: Final[Shelf] = ("", "services")
NODE_PORTS: Final = range(30_000, 32_768)
#: The beginning of each range is left to those who ask for a certain address or port.
_STATIC_ADDRESSES: Final = 256
_STATIC_PORTS: Final = 86


class Allocation:
    """What is taken by the Services of a Storage, and by which."""

    def __init__(self, storage: Storage, network: str) -> None:
        self._storage = storage
        self._network = IPv4Network(network)
        self._addresses: dict[str, Key] = {}
        self._ports: dict[int, Key] = {}
        self._revision = -1
        self._last_address = int(self._network.network_address) + _STATIC_ADDRESSES

    def assign(self, service: Object, old: Object | None) -> None:
        """Fill in what is to be allocated; raise ApiError 422 for what cannot be had."""
        if (service["apiVersion"], service["kind"]) != ("v1", "Service"):
            return
        self._catch_up()
        spec = service["spec"]
        if old is not None:
            _keep(spec, old["spec"])
        if spec["type"] != "LoadBalancer":
            service["status"] = {"loadBalancer": {}}
        self.check(service)
        self._assign_address(spec)
        self._assign_ports(spec)

    def check(self, service: Object) -> None:
        """Raise ApiError 422 for what a Service must not have, because it is taken or out of range."""
        if (service["apiVersion"], service["kind"]) != ("v1", "Service"):
            return
        self._catch_up()
        metadata = service["metadata"]
        owner = metadata.get("namespace", ""), metadata["name"]
        errors = [*self._address_errors(service["spec"], owner), *self._port_errors(service["spec"], owner)]
        if errors:
            raise invalid("Service", "", metadata["name"], errors)

    def _assign_address(self, spec: Object) -> None:
        if spec["type"] == "ExternalName":
            return
        if not spec.get("clusterIP"):
            spec["clusterIP"] = (spec.get("clusterIPs") or [self._free_address()])[0]
        spec["clusterIPs"] = [spec["clusterIP"]]
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _assign_ports(self, spec: Object) -> None:
        if not _has_node_ports(spec):
            return
        given: dict[int, int] = {}
        for port in spec.get("ports") or ():
            # The TCP and the UDP side of one port, as DNS has them, share a node port.
            given.setdefault(port["port"], port.get("nodePort") or 0)
            if not port.get("nodePort"):
                port["nodePort"] = given[port["port"]] = given[port["port"]] or self._free_port(spec)
        if _checks_health(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._free_port(spec)

    def _free_address(self) -> str:
        """Give the next address that is free; one that was free a moment ago is not given twice."""
        first, last = int(self._network.network_address) + 1, int(self._network.broadcast_address) - 1
        for _ in range(first, last):
            self._last_address = self._last_address + 1 if self._last_address < last else first
            address = str(IPv4Address(self._last_address))
            if address not in self._addresses:
                return address
        message = "Internal error: failed to allocate a serviceIP: range is full"
        raise invalid("Service", "", "", [FieldError("spec.clusterIPs", "FieldValueInvalid", message)])

    def _free_port(self, spec: Object) -> int:
        own = {port.get("nodePort") for port in spec.get("ports") or ()}
        dynamic, static = NODE_PORTS[_STATIC_PORTS:], NODE_PORTS[:_STATIC_PORTS]
        start = secrets.randbelow(len(dynamic))
        for port in itertools.chain(dynamic[start:], dynamic[:start], static):
            if port not in self._ports and port not in own:
                return port
        message = "Internal error: failed to allocate a nodePort: range is full"
        raise invalid("Service", "", "", [FieldError("spec.ports", "FieldValueInvalid", message)])

    def _address_errors(self, spec: Object, owner: Key) -> Iterator[FieldError]:
        address = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        if not address or address == "None" or spec["type"] == "ExternalName":
            return
        why = ""
        if not _is_within(address, self._network):
            why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self._network}"
        elif self._addresses.get(address, owner) != owner:
            why = "provided IP is already allocated"
        if why:
            yield _invalid("spec.clusterIPs", [address], f"failed to allocate IP {address}: {why}")

    def _port_errors(self, spec: Object, owner: Key) -> Iterator[FieldError]:
        seen: set[tuple[int, str]] = set()
        for index, port in enumerate(spec.get("ports") or ()):
            number, field = port.get("nodePort"), f"spec.ports[{index}].nodePort"
            if not number:
                continue
            if not _has_node_ports(spec) and spec["type"] != "LoadBalancer":
                message = f"Forbidden: may not be used when `type` is '{spec['type']}'"
                yield FieldError(field, "FieldValueForbidden", message)
            elif number not in NODE_PORTS:
                ends = f"{NODE_PORTS[0]}-{NODE_PORTS[-1]}"
                why = f"provided port is not in the valid range. The range of valid ports is {ends}"
                yield _invalid(field, number, why)
            elif (number, port["protocol"]) in seen or self._ports.get(number, owner) != owner:
                yield _invalid(field, number, "provided port is already allocated")
            seen.add((number, port["protocol"]))

    def _catch_up(self) -> None:
        """Take note of what has been stored and removed since the last look."""
        try:
            events = self._storage.events_since(_SERVICES, self._revision)
        except CompactedError:
            events = []
            self._addresses, self._ports = {}, {}
            for stored in self._storage.items(_SERVICES):
                metadata = stored.object["metadata"]
                self._note(stored.object, (metadata["namespace"], metadata["name"]))
        for event in events:
            self._follow(event)
        self._revision = self._storage.revision

    def _follow(self, event: Event) -> None:
        if event.previous is not None:
            for table, number in self._held(event.previous.object):
                table.pop(number, None)
        if event.change is not Change.DELETED:
            self._note(event.stored.object, event.key)

    def _note(self, service: Object, key: Key) -> None:
        for table, number in self._held(service):
            table[number] = key

    def _held(self, service: Object) -> Iterator[tuple[dict[Any, Key], Any]]:
        spec = service["spec"]
        if spec.get("clusterIP") not in {None, "", "None"}:
            yield self._addresses, spec["clusterIP"]
        ports = [port.get("nodePort") for port in spec.get("ports") or ()]
        for port in filter(None, (*ports, spec.get("healthCheckNodePort"))):
            yield self._ports, port


def _keep(spec: Object, old: Object) -> None:
    """Keep what was allocated where the new Service still wants one, and drop it where its type has none."""
    if spec["type"] == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(name, None)
    elif not spec.get("clusterIP") and old.get("clusterIP"):
        spec |= {"clusterIP": old["clusterIP"], "clusterIPs": old["clusterIPs"]}
    if _has_node_ports(spec):
        _keep_ports(spec, old)
    elif _has_node_ports(old):
        _drop_ports(spec, old)
    if _checks_health(spec) and old.get("healthCheckNodePort"):
        spec.setdefault("healthCheckNodePort", old["healthCheckNodePort"])
    elif not _checks_health(spec):
        spec.pop("healthCheckNodePort", None)
    if spec["type"] not in {"NodePort", "LoadBalancer"} and not spec.get("externalIPs"):
        spec.pop("externalTrafficPolicy", None)
    if spec["type"] != "LoadBalancer":
        spec.pop("allocateLoadBalancerNodePorts", None)


def _keep_ports(spec: Object, old: Object) -> None:
    held = {(port["protocol"], port["port"]): port.get("nodePort") for port in old.get("ports") or ()}
    asked = {port.get("nodePort") for port in spec.get("ports") or ()}
    for port in spec.get("ports") or ():
        before = held.get((port["protocol"], port["port"]))
        if not port.get("nodePort") and before and before not in asked:
            port["nodePort"] = before


def _drop_ports(spec: Object, old: Object) -> None:
    held = {port.get("nodePort") for port in old.get("ports") or ()}
    for port in spec.get("ports") or ():
        if port.get("nodePort") in held:
            port.pop("nodePort", None)


def _has_node_ports(spec: Object) -> bool:
    is_balanced = spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    return bool(spec["type"] == "NodePort" or is_balanced)


def _checks_health(spec: Object) -> bool:
    return bool(spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")


def _is_within(address: str, network: IPv4Network) -> bool:
    try:
        return IPv4Address(address) in network
    except ValueError:
        return False


def _invalid(field: str, value: Any, why: str) -> FieldError:
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {msgspec.json.encode(value).decode()}: {why}")
