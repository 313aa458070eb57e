"""The scale subresource: how many replicas of something there are and ought to be, whatever its type.

Takes an object and the paths of its type; gives an autoscaling/v1 Scale, and a changed Scale back as the object with
that many replicas. Pure. Source: Kubernetes' API reference of Scale.
"""

from typing import Any

from sevengate.lab.apiserver.answers import Object, bad_request
from sevengate.lab.apiserver.columns import NONE, selector_text
from sevengate.lab.apiserver.resources import Resource


def scale_of(thing: Object, resource: Resource) -> Object:
    """Give the Scale of an object."""
    wanted, found, selector = resource.scale_paths
    metadata = thing["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    text = _at(thing, selector) if selector else selector_text(thing.get("spec", {}).get("selector"))
    status = {"replicas": _at(thing, found) or 0} | ({"selector": text} if text and text != NONE else {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": _at(thing, wanted) or 0},
        "status": status,
    }


def scaled(thing: Object, scale: Object, resource: Resource) -> Object:
    """Give a copy of the object with as many replicas as a Scale asks for; raise ApiError 400 if it asks for none."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise bad_request(f"spec.replicas: Invalid value: {replicas!r}: must be a whole number, and not negative")
    changed = _with(thing, resource.scale_paths[0].split("."), replicas)
    # A Scale that was read earlier must not overwrite what was written since.
    revision = (scale.get("metadata") or {}).get("resourceVersion") or thing["metadata"]["resourceVersion"]
    return {**changed, "metadata": {**thing["metadata"], "resourceVersion": revision}}


def _with(thing: Object, path: list[str], value: Any) -> Object:
    first, rest = path[0], path[1:]
    return {**thing, first: _with(thing.get(first) or {}, rest, value) if rest else value}


def _at(thing: Any, path: str) -> Any:
    for name in path.split("."):
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing
