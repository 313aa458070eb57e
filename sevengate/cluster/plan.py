"""Which Selections have to be followed, given the flags and what is known so far.

A pure function of a Scope and the Snapshot: when a namespace gets the label that --watch-namespace-selector wants, or
our own pod tells its labels, the plan changes and source.py starts and stops reflectors until they are what it says.
It asks for as little as will do: one namespace where one is named, Secrets of the type for certificates, and of
ConfigMaps only the one with the settings. A kind without which routes would be wrong is required, the others are not.
Rights that were written for controllers of old name Endpoints and not EndpointSlices; then those will do.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from sevengate.cluster.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    INGRESS_CLASSES,
    INGRESSES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
    Selection,
)
from sevengate.kube.snapshot import Snapshot

#: Labels that differ between the pods of one Deployment or DaemonSet while it is rolled out.
_ROLLOUT_LABELS: Final = frozenset({"pod-template-hash", "controller-revision-hash", "pod-template-generation"})


class Scope(msgspec.Struct, frozen=True):
    """What is to be read. Objects are named `namespace/name`, "" for none; `pod` is the one we run in.

    `namespace` is the only one to watch, or `namespace_selector` picks them by label; without both it is all.
    """

    namespace: str = ""
    namespace_selector: str = ""
    config_map: str = ""
    default_certificate: str = ""
    default_backend: str = ""
    publish_service: str = ""
    pod: str = ""
    nodes: bool = False


def plan(scope: Scope, snapshot: Snapshot, *, denied: frozenset[Resource] = frozenset()) -> frozenset[Selection]:
    """Give what must be followed, where reading the kinds `denied` was refused."""
    selections = frozenset(_selections(scope, snapshot))
    if ENDPOINT_SLICES not in denied:
        return selections
    slices = [one for one in selections if one.resource == ENDPOINT_SLICES]
    return selections.difference(slices).union(*map(_instead, slices))


def _instead(slices: Selection) -> tuple[Selection, Selection]:
    """Give what is followed in place of slices that cannot be read: them still, for rights may come, and Endpoints."""
    name = slices.label_selector.partition("=")[2]
    endpoints = Selection(ENDPOINTS, slices.namespace, f"metadata.name={name}" if name else "")
    return msgspec.structs.replace(slices, required=False), endpoints


def watches(scope: Scope, snapshot: Snapshot, namespace: str) -> bool:
    """Say whether what lives in a namespace is read."""
    return not {"", namespace}.isdisjoint(_namespaces(scope, snapshot))


def _selections(scope: Scope, snapshot: Snapshot) -> Iterator[Selection]:
    yield Selection(INGRESS_CLASSES, required=False)
    if scope.namespace_selector:
        yield Selection(NAMESPACES, label_selector=scope.namespace_selector)
    watched = _namespaces(scope, snapshot)
    for namespace in watched:
        yield Selection(INGRESSES, namespace)
        yield Selection(SERVICES, namespace)
        yield Selection(ENDPOINT_SLICES, namespace)
        yield Selection(SECRETS, namespace, "type=kubernetes.io/tls", required=False)
    yield from _named(scope, watched)
    if scope.pod:
        yield from _pods(scope.pod, snapshot)
    if scope.nodes:
        yield Selection(NODES, required=False)


def _namespaces(scope: Scope, snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(snapshot.namespaces) if scope.namespace_selector else (scope.namespace,)


def _named(scope: Scope, watched: tuple[str, ...]) -> Iterator[Selection]:
    """Give what flags name, as far as it does not lie in what is watched anyway."""
    if scope.config_map:
        # Settings may guard access, so without them nothing is served.
        yield _one(Selection(CONFIG_MAPS), scope.config_map)
    if scope.default_certificate:
        yield _one(Selection(SECRETS, required=False), scope.default_certificate)
    for key in (scope.default_backend, scope.publish_service):
        if key and not {"", key.partition("/")[0]} & set(watched):
            yield _one(Selection(SERVICES), key)
    if scope.default_backend and not {"", scope.default_backend.partition("/")[0]} & set(watched):
        namespace, _, name = scope.default_backend.partition("/")
        yield Selection(ENDPOINT_SLICES, namespace, label_selector=f"kubernetes.io/service-name={name}")


def _pods(pod: str, snapshot: Snapshot) -> Iterator[Selection]:
    """Give our own pod, and once it is known, those that carry its labels: our peers."""
    yield _one(Selection(PODS, required=False), pod)
    own = snapshot.pods.get(pod)
    if own:
        labels = (
            f"{name}={value}" for name, value in sorted(own.metadata.labels.items()) if name not in _ROLLOUT_LABELS
        )
        yield Selection(PODS, own.metadata.namespace, label_selector=",".join(labels), required=False)


def _one(selection: Selection, key: str) -> Selection:
    namespace, _, name = key.partition("/")
    return msgspec.structs.replace(selection, namespace=namespace, field_selector=f"metadata.name={name}")
