"""A Service's port and what stands behind it -> a Backend.

Takes a BackendRef and the Service, EndpointSlices and Endpoints of a Snapshot, and gives the Backend with its
endpoints, and what is to be said on the Service: that nobody is ready, or that a name must not be used. Whether the
Service and the port exist at all is the concern of those who name them (ingress.py). This is the road of endpoint
changes, which come every second and must not make anybody read an Ingress. Field meanings: Kubernetes API reference,
EndpointSlice v1.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from sevengate.compiler.claims import BackendRef
from sevengate.compiler.validation import is_dns_name, shown
from sevengate.diagnostics import Report, Where
from sevengate.kube.objects import Endpoint as SliceEndpoint
from sevengate.kube.objects import EndpointPort, Endpoints, EndpointSlice, Service, ServicePort, ServiceType
from sevengate.kube.snapshot import Snapshot
from sevengate.routing.table import Backend, Endpoint

_TCP: Final = "TCP"
_FQDN: Final = "FQDN"
_HEADLESS: Final = "None"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# What nearly all addresses are; ipaddress takes ten times as long to say so.
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")

# How an Ingress may name a Service's port, best first. Kubernetes knows the first two; the third is ingress-nginx's.
_WAYS_TO_NAME_A_PORT: Final[tuple[Callable[[ServicePort], str], ...]] = (
    lambda port: str(port.port),
    lambda port: port.name,
    lambda port: str(port.target_port or port.port),
)


def find_port(service: Service, text: str) -> ServicePort | None:
    """Give the Service's TCP port of this number, else of this name, else whose target is written so."""
    ports = [port for port in service.ports if port.protocol == _TCP]
    return next((port for written in _WAYS_TO_NAME_A_PORT for port in ports if written(port) == text), None)


def external_port(service: Service, text: str) -> int:
    """Give the port of an ExternalName Service, or 0; it need not declare any, then the number itself counts."""
    port = find_port(service, text)
    if port is not None:
        return target_number(port) or port.port
    return int(text) if text.isascii() and text.isdigit() else 0


def has_port(service: Service, text: str) -> bool:
    """Say whether the Service can be asked under a port that is written so."""
    if service.type is ServiceType.EXTERNAL_NAME:
        return external_port(service, text) != 0
    return find_port(service, text) is not None


def has_cluster_ip(service: Service) -> bool:
    """Say whether the Service has an address of its own."""
    return service.type is not ServiceType.EXTERNAL_NAME and service.cluster_ip not in ("", _HEADLESS)


class BackendMaker:
    """Makes Backends from the objects of one Snapshot."""

    def __init__(self, snapshot: Snapshot, *, names_allowed: bool) -> None:
        self._snapshot = snapshot
        self._names_allowed = names_allowed

    def make(self, ref: BackendRef, report: Report) -> Backend:
        """Make the Backend that `ref` names; without such a Service or port it has no endpoints."""
        return Backend(ref.name, ref.label, tuple(sorted(set(self._endpoints(ref, report)))))

    def _endpoints(self, ref: BackendRef, report: Report) -> Iterable[Endpoint]:
        service = self._snapshot.services.get(ref.service_key)
        if service is None:
            return ()
        if service.type is ServiceType.EXTERNAL_NAME:
            return self._external(service, ref.port, report)
        port = find_port(service, ref.port)
        if port is None:
            return ()
        if ref.by_cluster_ip and has_cluster_ip(service):
            return (Endpoint(service.cluster_ip, port.port),)
        return self._of_pods(service, port, report)

    def _external(self, service: Service, text: str, report: Report) -> Iterator[Endpoint]:
        number = external_port(service, text)
        name = service.external_name.lower().removesuffix(".")
        where = Where(service.ref, "spec.externalName")
        if number and self._may_be_asked(name, where, report):
            yield Endpoint(name, number)

    def _of_pods(self, service: Service, port: ServicePort, report: Report) -> list[Endpoint]:
        where = Where(service.ref)
        slices = self._snapshot.endpoint_slices.get(service.key, ())
        if slices:
            found = list(self._of_slices(slices, port, where, report))
        else:
            found = list(self._of_subsets(self._snapshot.endpoints.get(service.key), port, where, report))
        if not found and not slices and service.key not in self._snapshot.endpoints:
            # A cluster makes at least an empty slice for every Service with a selector: these are manifests on disk, or
            # somebody has to write the slice by hand.
            report.notice(
                "backend/no-endpoints",
                where,
                f"Service {service.key} has no EndpointSlice; requests get 503",
                hint="in a cluster, a Service that selects pods is given one; in a folder it has to be written",
            )
        elif not found:
            report.warning(
                "backend/no-endpoints",
                where,
                f"Service {service.key} has no ready endpoint for port {port.port}; requests get 503",
            )
        return found

    def _of_slices(
        self, slices: tuple[EndpointSlice, ...], port: ServicePort, where: Where, report: Report
    ) -> Iterator[Endpoint]:
        chosen = is_ready if any(is_ready(one) for of in slices for one in of.endpoints) else is_draining
        for endpoint_slice in slices:
            number = _port_number(endpoint_slice.ports, port)
            if not number:
                continue
            for one in endpoint_slice.endpoints:
                if chosen(one):
                    for address in one.addresses:
                        if usable := self._address(address, endpoint_slice, where, report):
                            yield Endpoint(usable, number)

    def _of_subsets(
        self, endpoints: Endpoints | None, port: ServicePort, where: Where, report: Report
    ) -> Iterator[Endpoint]:
        for subset in endpoints.subsets if endpoints else ():
            number = _port_number(subset.ports, port)
            for address in subset.addresses if number else ():
                if usable := _ip_text(address):
                    yield Endpoint(usable, number)
                else:
                    report.error("object/invalid-value", where, f"Endpoints: {shown(address)} is not an IP address")

    def _address(self, address: str, of: EndpointSlice, where: Where, report: Report) -> str:
        if of.address_type == _FQDN:
            name = address.lower().removesuffix(".")
            return name if self._may_be_asked(name, where, report) else ""
        usable = _ip_text(address)
        if not usable:
            message = f"EndpointSlice {of.key}: {shown(address)} is not an IP address"
            report.error("object/invalid-value", where, message)
        return usable

    def _may_be_asked(self, name: str, where: Where, report: Report) -> bool:
        fault = name_fault(name) if self._names_allowed else "is a name, and --disable-svc-external-name is set"
        if fault:
            report.error("backend/external-name", where, f"{shown(name)} {fault}, so it is not used")
        return not fault


def name_fault(name: str) -> str | None:
    """Say why requests must not be sent to this name or address, if so.

    The proxy's own loopback addresses, and the link-local ones, where clouds keep credentials, are nobody's backend.
    """
    address = _parse_ip(name)
    if address is not None:
        return None if _is_public_enough(address) else "is an address of the proxy itself, or of no single host"
    if name == "localhost" or name.endswith((".localhost", "localhost.localdomain")):
        return "is the proxy itself"
    return None if is_dns_name(name) else "is not a DNS name"


def is_ready(endpoint: SliceEndpoint) -> bool:
    """Say whether an endpoint takes new requests; not knowing counts as ready."""
    return endpoint.conditions.ready is not False


def is_draining(endpoint: SliceEndpoint) -> bool:
    """Say whether an endpoint is on its way out and still answers: better than nobody (KEP-1669)."""
    return endpoint.conditions.serving is True and endpoint.conditions.terminating is True


def target_number(port: ServicePort) -> int:
    """Give the target's port number, or 0 if the target is a container port's name."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    return 0


def _port_number(ports: tuple[EndpointPort, ...], wanted: ServicePort) -> int:
    """Give the number that endpoints have the Service's port under, or 0 if they do not have it."""
    tcp = [port for port in ports if port.protocol == _TCP]
    named = next((port for port in tcp if port.name == wanted.name), None)
    if named is None and not wanted.name:
        # A Service with one port need not name it, and then any port of hand-written endpoints is meant.
        named = next(iter(tcp), None)
    if named is not None:
        return named.port or target_number(wanted)
    return 0 if ports else target_number(wanted)


def _ip_text(text: str) -> str:
    if _IPV4.fullmatch(text):
        return text
    address = _parse_ip(text)
    return str(address) if address is not None else ""


def _parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A zone names an interface of one machine, which means nothing here.
    return None if isinstance(address, IPv6Address) and address.scope_id else address


def _is_public_enough(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast)
