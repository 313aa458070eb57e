"""The shapes of Kubernetes objects as they stand in JSON and YAML, before they become the nouns of objects.py.

A shape is nested as the API reference nests it (metadata, spec, status), takes null wherever an API server or a hand
may write it, and holds only the fields that are read. msgspec fills it from bytes or from plain data and checks types,
the range of ports and that no text holds control characters; what two fields must be together is checked where a shape
becomes a noun (ingresses.py, flatten.py).
"""

from typing import Annotated

import msgspec

from sevengate.kube.objects import PathType, ServiceType

# Control characters have no place in names, hosts, paths and addresses; in values of annotations and data they may be.
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
PortOrNone = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Shape(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What all shapes share: immutable, and camelCase outside."""


class Identity(Shape, frozen=True):
    """ObjectMeta without labels and annotations.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
    """

    name: str | None = None
    namespace: str | None = None
    uid: Text | None = None
    resource_version: Text | None = None
    generation: int | None = None
    creation_timestamp: Text | None = None
    deletion_timestamp: Text | None = None


class Metadata(Identity, frozen=True):
    """ObjectMeta."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Object(Shape, frozen=True):
    """Any object at all; enough for those of which only the metadata are read."""

    metadata: Metadata | None = None


# --- where Ingresses and Services are reached


class LoadBalancerIngress(Shape, frozen=True):
    """A point at which a load balancer takes traffic in."""

    ip: Text | None = None
    hostname: Text | None = None


class LoadBalancerStatus(Shape, frozen=True):
    """All such points."""

    ingress: tuple[LoadBalancerIngress, ...] | None = None


class Status(Shape, frozen=True):
    """What became of an Ingress or a Service."""

    load_balancer: LoadBalancerStatus | None = None


# --- Ingress, of all versions


class ServicePortRef(Shape, frozen=True):
    """A port of a Service by number or by name."""

    number: Port | None = None
    name: Text | None = None


class ServiceRef(Shape, frozen=True):
    """A Service and one of its ports."""

    name: Text | None = None
    port: ServicePortRef | None = None


class ResourceRef(Shape, frozen=True):
    """A reference to some other object."""

    kind: Text | None = None
    name: Text | None = None
    api_group: Text | None = None


class IngressBackend(Shape, frozen=True):
    """A backend as networking.k8s.io/v1 writes it, and as the versions before did (serviceName, servicePort)."""

    service: ServiceRef | None = None
    resource: ResourceRef | None = None
    service_name: Text | None = None
    service_port: Port | Text | None = None


class IngressPath(Shape, frozen=True):
    """One path of a rule."""

    path: Text | None = None
    path_type: PathType | None = None
    backend: IngressBackend | None = None


class IngressHTTP(Shape, frozen=True):
    """HTTPIngressRuleValue."""

    paths: tuple[IngressPath, ...] | None = None


class IngressRule(Shape, frozen=True):
    """A host and its paths."""

    host: Text | None = None
    http: IngressHTTP | None = None


class IngressTLS(Shape, frozen=True):
    """Hosts and the Secret with their certificate."""

    hosts: tuple[Text, ...] | None = None
    secret_name: Text | None = None


class IngressSpec(Shape, frozen=True):
    """The default backend is `defaultBackend` in networking.k8s.io/v1 and `backend` in the versions before."""

    ingress_class_name: Text | None = None
    default_backend: IngressBackend | None = None
    backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] | None = None
    tls: tuple[IngressTLS, ...] | None = None


class Ingress(Object, frozen=True):
    """networking.k8s.io/v1, networking.k8s.io/v1beta1 or extensions/v1beta1 Ingress."""

    spec: IngressSpec | None = None
    status: Status | None = None


class IngressClassSpec(Shape, frozen=True):
    """Whose class it is."""

    controller: Text | None = None


class IngressClass(Object, frozen=True):
    """networking.k8s.io/v1 IngressClass."""

    spec: IngressClassSpec | None = None


# --- Services and their endpoints


class ServicePort(Shape, frozen=True):
    """One port of a Service."""

    port: Port
    name: Text | None = None
    protocol: Text | None = None
    target_port: PortOrNone | Text | None = None
    node_port: PortOrNone | None = None
    app_protocol: Text | None = None


class ServiceSpec(Shape, frozen=True):
    """What a Service is."""

    type: ServiceType | None = None
    cluster_ip: Text | None = msgspec.field(name="clusterIP", default=None)
    external_name: Text | None = None
    external_ips: tuple[Text, ...] | None = msgspec.field(name="externalIPs", default=None)
    ports: tuple[ServicePort, ...] | None = None


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec | None = None
    status: Status | None = None


class SliceLabels(Shape, frozen=True):
    """The one label of an EndpointSlice that is read."""

    service: Text | None = msgspec.field(name="kubernetes.io/service-name", default=None)


class SliceMetadata(Identity, frozen=True):
    """ObjectMeta with one label and no annotation: those of 50,000 slices hold times and hashes that nobody reads."""

    labels: SliceLabels | None = None


class EndpointConditions(Shape, frozen=True):
    """What is known of an endpoint's readiness."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Shape, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[Text, ...] | None = None
    conditions: EndpointConditions | None = None
    zone: Text | None = None
    node_name: Text | None = None


class EndpointPort(Shape, frozen=True):
    """A port of a slice or of a subset."""

    port: PortOrNone | None = None
    name: Text | None = None
    protocol: Text | None = None


class EndpointSlice(Shape, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice."""

    metadata: SliceMetadata | None = None
    address_type: Text | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class EndpointAddress(Shape, frozen=True):
    """One address of a subset."""

    ip: Text


class EndpointSubset(Shape, frozen=True):
    """Addresses and ports that belong together."""

    addresses: tuple[EndpointAddress, ...] | None = None
    not_ready_addresses: tuple[EndpointAddress, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class Endpoints(Object, frozen=True):
    """v1 Endpoints."""

    subsets: tuple[EndpointSubset, ...] | None = None


# --- the rest


class Secret(Object, frozen=True):
    """v1 Secret: `data` in base64, `stringData` as it is."""

    type: Text | None = None
    data: dict[str, str] | None = None
    string_data: dict[str, str] | None = None


class ConfigMap(Object, frozen=True):
    """v1 ConfigMap."""

    data: dict[str, str] | None = None


class NodeAddress(Shape, frozen=True):
    """One address of a node and what kind of address it is."""

    type: Text
    address: Text


class NodeStatus(Shape, frozen=True):
    """Where a node is reached."""

    addresses: tuple[NodeAddress, ...] | None = None


class Node(Object, frozen=True):
    """v1 Node."""

    status: NodeStatus | None = None


class PodCondition(Shape, frozen=True):
    """One thing that is known about a pod; `status` is "True", "False" or "Unknown"."""

    type: Text
    status: Text


class PodSpec(Shape, frozen=True):
    """Where a pod runs."""

    node_name: Text | None = None


class PodStatus(Shape, frozen=True):
    """What became of a pod."""

    pod_ip: Text | None = msgspec.field(name="podIP", default=None)
    conditions: tuple[PodCondition, ...] | None = None


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec | None = None
    status: PodStatus | None = None
