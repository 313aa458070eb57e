"""The shapes of all kinds but Ingress become nouns: spec and status are flattened, and null becomes empty.

Each function takes a shape, the metadata that are already read, and a list for faults that do not make the object fall
(which of these kinds has none), so that all of them fit the table in decode.py.
"""

import base64
import binascii

from sevengate.kube import shapes
from sevengate.kube.fault import Fault
from sevengate.kube.objects import (
    ConfigMap,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Metadata,
    Namespace,
    Node,
    Pod,
    Secret,
    SecretData,
    Service,
    ServicePort,
    ServiceType,
)

_UNKNOWN = EndpointConditions()


def service(shape: shapes.Service, metadata: Metadata, _faults: list[Fault]) -> Service:
    """Make a Service."""
    spec = shape.spec or shapes.ServiceSpec()
    return Service(
        metadata=metadata,
        type=spec.type or ServiceType.CLUSTER_IP,
        cluster_ip=spec.cluster_ip or "",
        external_name=spec.external_name or "",
        external_ips=spec.external_ips or (),
        ports=tuple(_service_port(port) for port in spec.ports or ()),
        load_balancer_ips=load_balancer_addresses(shape.status),
    )


def _service_port(port: shapes.ServicePort) -> ServicePort:
    return ServicePort(
        port=port.port,
        name=port.name or "",
        protocol=port.protocol or "TCP",
        target_port=port.target_port or 0,
        node_port=port.node_port or 0,
        app_protocol=port.app_protocol or "",
    )


def load_balancer_addresses(status: shapes.Status | None) -> tuple[str, ...]:
    """Give the addresses and host names that a status.loadBalancer names."""
    balancer = status.load_balancer if status else None
    points = (balancer and balancer.ingress) or ()
    return tuple(point.ip or point.hostname or "" for point in points if point.ip or point.hostname)


def endpoint_slice(shape: shapes.EndpointSlice, metadata: Metadata, _faults: list[Fault]) -> EndpointSlice:
    """Make an EndpointSlice; its Service is the one that its label kubernetes.io/service-name names."""
    labels = shape.metadata.labels if shape.metadata else None
    return EndpointSlice(
        metadata=metadata,
        service=(labels and labels.service) or "",
        address_type=shape.address_type or "IPv4",
        endpoints=tuple(_endpoint(endpoint) for endpoint in shape.endpoints or ()),
        ports=_endpoint_ports(shape.ports),
    )


def _endpoint(endpoint: shapes.Endpoint) -> Endpoint:
    conditions = endpoint.conditions
    return Endpoint(
        addresses=endpoint.addresses or (),
        conditions=EndpointConditions(conditions.ready, conditions.serving, conditions.terminating)
        if conditions
        else _UNKNOWN,
        zone=endpoint.zone or "",
        node_name=endpoint.node_name or "",
    )


def _endpoint_ports(ports: tuple[shapes.EndpointPort, ...] | None) -> tuple[EndpointPort, ...]:
    return tuple(EndpointPort(port.port or 0, port.name or "", port.protocol or "TCP") for port in ports or ())


def endpoints(shape: shapes.Endpoints, metadata: Metadata, _faults: list[Fault]) -> Endpoints:
    """Make Endpoints."""
    return Endpoints(metadata=metadata, subsets=tuple(_subset(subset) for subset in shape.subsets or ()))


def _subset(subset: shapes.EndpointSubset) -> EndpointSubset:
    return EndpointSubset(
        addresses=tuple(address.ip for address in subset.addresses or ()),
        not_ready_addresses=tuple(address.ip for address in subset.not_ready_addresses or ()),
        ports=_endpoint_ports(subset.ports),
    )


def secret(shape: shapes.Secret, metadata: Metadata, _faults: list[Fault]) -> Secret:
    """Make a Secret; what stands in stringData wins over data, as the API server has it."""
    data = SecretData({key: _decoded(key, text) for key, text in (shape.data or {}).items()})
    # A JSON text may spell half a character; it cannot be UTF-8, so what it meant is lost either way.
    data.update({key: text.encode(errors="replace") for key, text in (shape.string_data or {}).items()})
    return Secret(metadata=metadata, type=shape.type or "Opaque", data=data)


def _decoded(key: str, text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        hint = "plain text belongs in stringData"
        raise Fault("object/invalid-value", f"data[{key}]", "The value is not base64", hint) from None


def config_map(shape: shapes.ConfigMap, metadata: Metadata, _faults: list[Fault]) -> ConfigMap:
    """Make a ConfigMap."""
    return ConfigMap(metadata=metadata, data=shape.data or {})


def namespace(_shape: shapes.Object, metadata: Metadata, _faults: list[Fault]) -> Namespace:
    """Make a Namespace."""
    return Namespace(metadata=metadata)


def node(shape: shapes.Node, metadata: Metadata, _faults: list[Fault]) -> Node:
    """Make a Node."""
    addresses = (shape.status and shape.status.addresses) or ()
    return Node(
        metadata=metadata,
        external_ips=tuple(address.address for address in addresses if address.type == "ExternalIP"),
        internal_ips=tuple(address.address for address in addresses if address.type == "InternalIP"),
    )


def pod(shape: shapes.Pod, metadata: Metadata, _faults: list[Fault]) -> Pod:
    """Make a Pod."""
    status = shape.status or shapes.PodStatus()
    return Pod(
        metadata=metadata,
        node_name=(shape.spec and shape.spec.node_name) or "",
        pod_ip=status.pod_ip or "",
        ready=any(item.type == "Ready" and item.status == "True" for item in status.conditions or ()),
    )
