"""A Snapshot is the whole of Kubernetes' wishes at one moment; Changes say what differs from the one before.

Objects are immutable, so a new Snapshot shares with the old one all that stayed. Whoever makes a Snapshot from events
knows what changed and says so: nothing downstream ever has to search 10,000 objects for the one that is new.
"""

from collections.abc import Iterable, Mapping

import msgspec

from sevengate.kube.objects import (
    AnyObject,
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    Namespace,
    Node,
    Pod,
    Secret,
    Service,
)


class Deleted(msgspec.Struct, frozen=True, gc=False):
    """The event that an object is gone: its kind, as in `Ingress`, and its key."""

    kind: str
    key: str


class Changes(msgspec.Struct, frozen=True):
    """Keys of the objects that were added, changed or deleted, by the field of Snapshot that holds them.

    Endpoints are named by their Service's key, whichever of the two forms they came in.
    """

    ingresses: frozenset[str] = frozenset()
    ingress_classes: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    config_maps: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    pods: frozenset[str] = frozenset()

    def __or__(self, other: "Changes") -> "Changes":
        """Join two sets of changes, as when several events are compiled at once."""
        return Changes(*(getattr(self, field) | getattr(other, field) for field in self.__struct_fields__))

    def __bool__(self) -> bool:
        return any(getattr(self, field) for field in self.__struct_fields__)


class Snapshot(msgspec.Struct, frozen=True):
    """All objects that are known, by key. Endpoint slices are grouped by the key of their Service."""

    ingresses: Mapping[str, Ingress] = {}
    ingress_classes: Mapping[str, IngressClass] = {}
    services: Mapping[str, Service] = {}
    endpoint_slices: Mapping[str, tuple[EndpointSlice, ...]] = {}
    endpoints: Mapping[str, Endpoints] = {}
    secrets: Mapping[str, Secret] = {}
    config_maps: Mapping[str, ConfigMap] = {}
    namespaces: Mapping[str, Namespace] = {}
    nodes: Mapping[str, Node] = {}
    pods: Mapping[str, Pod] = {}

    def after(self, events: Iterable[AnyObject | Deleted]) -> tuple["Snapshot", Changes]:
        """Give the Snapshot after `events` (objects that are there now, and Deleted), and what they changed."""
        raise NotImplementedError
