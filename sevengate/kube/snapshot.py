"""A Snapshot is the whole of Kubernetes' wishes at one moment; Changes say what differs from the one before.

Objects are immutable, so a new Snapshot shares with the old one all that stayed. Whoever makes a Snapshot from events
knows what changed and says so: nothing downstream ever has to search 10,000 objects for the one that is new.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from sevengate.diagnostics import ObjectRef
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


#: What a watch tells: an object as it is now, or that one is gone.
Event = AnyObject | Deleted


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
    """All objects that are known, by key. Endpoint slices are grouped by the key of their Service.

    `slice_services` says to which Service each slice belongs, as a deleted slice is named by its own key alone.
    """

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
    slice_services: Mapping[str, str] = {}

    def after(self, events: Iterable[Event]) -> tuple["Snapshot", Changes]:
        """Give the Snapshot after `events` (objects that are there now, and Deleted), and what they changed.

        An event whose object equals the one held changes nothing, and the one held stays.
        """
        edit = _Edit(self)
        for event in events:
            edit.take(event)
        return edit.done()

    def find(self, ref: ObjectRef) -> AnyObject | None:
        """Give the object of this name; None if there is none, and for slices, which are kept by their Service."""
        key = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        found: AnyObject | None = getattr(self, _FIELDS[ref.kind]).get(key) if ref.kind in _FIELDS else None
        return found


#: The field of Snapshot for each kind that is kept by its own key.
_FIELDS: Final = {
    Ingress.KIND: "ingresses",
    IngressClass.KIND: "ingress_classes",
    Service.KIND: "services",
    Endpoints.KIND: "endpoints",
    Secret.KIND: "secrets",
    ConfigMap.KIND: "config_maps",
    Namespace.KIND: "namespaces",
    Node.KIND: "nodes",
    Pod.KIND: "pods",
}


class _Edit:
    """A Snapshot in the making: a mapping is copied before the first write to it, the others stay shared."""

    def __init__(self, base: Snapshot) -> None:
        self._base = base
        self._copies: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, set[str]] = {}

    def done(self) -> tuple[Snapshot, Changes]:
        if not self._copies:
            return self._base, Changes()
        changes = {field: frozenset(keys) for field, keys in self._changed.items()}
        return msgspec.structs.replace(self._base, **self._copies), Changes(**changes)

    def take(self, event: Event) -> None:
        if isinstance(event, EndpointSlice):
            self._put_slice(event)
        elif isinstance(event, Deleted):
            self._delete(event)
        elif self._held(_FIELDS[event.KIND]).get(event.key) != event:
            self._write(_FIELDS[event.KIND])[event.key] = event
            self._mark(_FIELDS[event.KIND], event.key)

    def _delete(self, event: Deleted) -> None:
        if event.kind == EndpointSlice.KIND:
            self._remove_slice(event.key)
        elif event.key in self._held(_FIELDS[event.kind]):
            del self._write(_FIELDS[event.kind])[event.key]
            self._mark(_FIELDS[event.kind], event.key)

    def _put_slice(self, endpoint_slice: EndpointSlice) -> None:
        key, service = endpoint_slice.key, endpoint_slice.service_key
        before = self._held("slice_services").get(key)
        if before is not None and (before != service or not endpoint_slice.service):
            self._remove_slice(key)
        if not endpoint_slice.service:
            return
        group = self._held("endpoint_slices").get(service, ())
        if endpoint_slice in group:
            return
        others = [other for other in group if other.key != key]
        self._write("endpoint_slices")[service] = tuple(sorted([*others, endpoint_slice], key=_name))
        if before != service:
            self._write("slice_services")[key] = service
        self._mark("endpoints", service)

    def _remove_slice(self, key: str) -> None:
        service = self._held("slice_services").get(key)
        if service is None:
            return
        groups = self._write("endpoint_slices")
        groups[service] = tuple(other for other in groups[service] if other.key != key)
        if not groups[service]:
            del groups[service]
        del self._write("slice_services")[key]
        self._mark("endpoints", service)

    def _held(self, field: str) -> Mapping[str, Any]:
        held: Mapping[str, Any] = self._copies[field] if field in self._copies else getattr(self._base, field)
        return held

    def _write(self, field: str) -> dict[str, Any]:
        if field not in self._copies:
            self._copies[field] = dict(getattr(self._base, field))
        return self._copies[field]

    def _mark(self, field: str, key: str) -> None:
        self._changed.setdefault(field, set()).add(key)


def _name(endpoint_slice: EndpointSlice) -> str:
    return endpoint_slice.metadata.name
