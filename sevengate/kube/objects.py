"""The objects of the Kubernetes API that decide where traffic goes, as frozen structs.

Field names and meanings are the API reference's (https://kubernetes.io/docs/reference/kubernetes-api/); a field that
nothing reads is not declared, so the decoder skips it. Lists may come as null from an API server, hence `| None` where
the API says optional: the decode step (decode.py) puts () in its place, so readers never meet None.
Structs hold no cycles, so the collector need not visit them (gc=False): 50,000 EndpointSlices stay cheap.
"""

from enum import StrEnum
from typing import ClassVar, dataclass_transform

import msgspec

from sevengate.diagnostics import ObjectRef


# At run time a Struct inherits `frozen`; a type checker has to be told.
@dataclass_transform(frozen_default=True)
class Noun(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """What all structs of this room share: immutable, camelCase on the wire, defaults left out."""


class Metadata(Noun):
    """ObjectMeta, as far as it is read. Times are RFC 3339 text in UTC, which sorts as it stands."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Object(Noun):
    """Any top-level object: it has metadata, a kind, and so a reference and a key."""

    KIND: ClassVar[str] = ""

    metadata: Metadata

    @property
    def ref(self) -> ObjectRef:
        """The object's name for diagnostics."""
        return ObjectRef(self.KIND, self.metadata.namespace, self.metadata.name)

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` for what lives in no namespace: the key in a Snapshot."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.metadata.namespace else self.metadata.name


# --- Ingress: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/


class PathType(StrEnum):
    """How an Ingress path is compared with a request's."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    IMPLEMENTATION_SPECIFIC = "ImplementationSpecific"


class ServicePortRef(Noun):
    """A port of a Service by number or by name; exactly one is given."""

    number: int = 0
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.number)


class ServiceRef(Noun):
    """A Service in the Ingress's own namespace, and which of its ports."""

    name: str
    port: ServicePortRef = ServicePortRef()


class ResourceRef(Noun):
    """A backend that is some other object; no HTTP proxy can serve it."""

    kind: str = ""
    name: str = ""
    api_group: str = ""


class IngressBackend(Noun):
    """Where a path leads: a Service or a resource, never both; neither where what was written could not be read."""

    service: ServiceRef | None = None
    resource: ResourceRef | None = None


class IngressPath(Noun):
    """One path of a rule."""

    backend: IngressBackend
    path: str = ""
    path_type: PathType = PathType.IMPLEMENTATION_SPECIFIC


class IngressRule(Noun):
    """A host and its paths; host "" is every host. `paths` is None where the rule has no `http` at all.

    A path that cannot be read leaves None in its place, so that the others keep their numbers.
    """

    host: str = ""
    paths: tuple[IngressPath | None, ...] | None = None


class IngressTLS(Noun):
    """A certificate's Secret and the hosts it is for."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class Ingress(Object):
    """networking.k8s.io/v1 Ingress; older versions are converted when decoded. spec's fields stand here directly.

    `published` is its status: the addresses and host names at which it is said to be reached.
    """

    KIND: ClassVar[str] = "Ingress"

    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()
    published: tuple[str, ...] = ()


class IngressClass(Object):
    """networking.k8s.io/v1 IngressClass: `controller` says whose it is."""

    KIND: ClassVar[str] = "IngressClass"

    controller: str = ""


# --- Services and their endpoints


class ServiceType(StrEnum):
    """How a Service is exposed."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_NAME = "ExternalName"


class ServicePort(Noun):
    """One port of a Service. `target_port` is a number, a container port's name, or 0 for "the same as port"."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    node_port: int = 0
    app_protocol: str = ""


class Service(Object):
    """v1 Service. spec's fields stand here directly; `cluster_ip` is "None" for a headless one."""

    KIND: ClassVar[str] = "Service"

    type: ServiceType = ServiceType.CLUSTER_IP
    cluster_ip: str = ""
    external_name: str = ""
    external_ips: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()


class EndpointConditions(Noun):
    """discovery.k8s.io/v1 EndpointConditions; an unknown `ready` counts as ready, as the API reference says."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Noun):
    """Addresses of one backend; the API says that all of one endpoint are fungible and clients use the first."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    zone: str = ""
    node_name: str = ""


class EndpointPort(Noun):
    """A port that all endpoints of a slice share; `port` 0 means that any is allowed."""

    port: int = 0
    name: str = ""
    protocol: str = "TCP"


class EndpointSlice(Object):
    """discovery.k8s.io/v1 EndpointSlice; `service` is its label kubernetes.io/service-name."""

    KIND: ClassVar[str] = "EndpointSlice"

    service: str = ""
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    @property
    def service_key(self) -> str:
        """`namespace/name` of the Service that the slice belongs to."""
        return f"{self.metadata.namespace}/{self.service}"


class EndpointSubset(Noun):
    """v1 Endpoints' groups: each of the addresses has each of the ports."""

    addresses: tuple[str, ...] = ()
    not_ready_addresses: tuple[str, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Object):
    """v1 Endpoints: the old form, used for a Service that has no EndpointSlice. Its name is the Service's."""

    KIND: ClassVar[str] = "Endpoints"

    subsets: tuple[EndpointSubset, ...] = ()


# --- the rest


class SecretData(dict[str, bytes]):
    """A Secret's decoded data, whose text never shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} redacted>"

    __str__ = __repr__


class Secret(Object):
    """v1 Secret with `data` decoded from base64 and `stringData` merged in."""

    KIND: ClassVar[str] = "Secret"

    type: str = "Opaque"
    data: SecretData = SecretData()


class ConfigMap(Object):
    """v1 ConfigMap; `binaryData` is not read."""

    KIND: ClassVar[str] = "ConfigMap"

    data: dict[str, str] = {}


class Namespace(Object):
    """v1 Namespace: only its labels matter, to a namespace selector."""

    KIND: ClassVar[str] = "Namespace"


class Node(Object):
    """v1 Node: the addresses at which it is reached."""

    KIND: ClassVar[str] = "Node"

    external_ips: tuple[str, ...] = ()
    internal_ips: tuple[str, ...] = ()


class Pod(Object):
    """v1 Pod: where it runs and whether it is ready."""

    KIND: ClassVar[str] = "Pod"

    node_name: str = ""
    pod_ip: str = ""
    ready: bool = False

    @property
    def ending(self) -> bool:
        """Whether it was told to end; it may be ready all the same."""
        return bool(self.metadata.deletion_timestamp)


AnyObject = Ingress | IngressClass | Service | EndpointSlice | Endpoints | Secret | ConfigMap | Namespace | Node | Pod
