"""What every write does to an object, whatever its type: identity, generation, status kept apart from spec.

Takes plain data as a client sent it, and on an update the object before; gives the object as it would be stored. Pure:
the time and a new uid are given. Source: Kubernetes' API conventions ("Metadata", "Spec and Status"). Which fields a
type fills in is in `defaults`, who owns them in `apply`, whether the object is valid in `rules` and `validation`.
"""

from typing import Any, Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.crds import established
from sevengate.lab.apiserver.defaults import first_status
from sevengate.lab.apiserver.patches.json_patch import same
from sevengate.lab.apiserver.resources import Resource

#: What only the server writes.
_SERVERS_OWN: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
#: Types whose generation does not count changes.
_WITHOUT_GENERATION: Final = frozenset(
    {"ConfigMap", "Endpoints", "Event", "Lease", "Namespace", "Node", "Secret", "Service", "ServiceAccount",
     "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
)  # fmt: skip


def created(thing: Object, resource: Resource, uid: str, now: str) -> Object:
    """Give an object as it is created; its status is what the server says, not what the client sent."""
    metadata = {
        name: value for name, value in thing["metadata"].items() if name not in (*_SERVERS_OWN, "resourceVersion")
    }
    metadata |= {"uid": uid, "creationTimestamp": now}
    if resource.kind not in _WITHOUT_GENERATION:
        metadata["generation"] = 1
    fresh = {**thing, "metadata": metadata}
    if "status" in resource.subresources:
        fresh.pop("status", None)
    return fresh


def with_first_status(thing: Object) -> Object:
    """Give a new object, complete with defaults, with the status with which its type begins."""
    status = established(thing) if thing["kind"] == "CustomResourceDefinition" else first_status(thing)
    return {**thing, "status": status} if status and "status" not in thing else thing


def changed(old: Object, new: Object, resource: Resource, subresource: str) -> Object:
    """Give the object after an update: each of spec and status is written through its own door only."""
    metadata = {**new["metadata"], **{name: old["metadata"][name] for name in _SERVERS_OWN if name in old["metadata"]}}
    metadata = {name: value for name, value in metadata.items() if name not in _SERVERS_OWN or name in old["metadata"]}
    if subresource == "status":
        kept = {**old["metadata"], "managedFields": metadata.get("managedFields", [])}
        return _with_status({**old, "metadata": kept}, new.get("status"))
    after = {**new, "metadata": metadata}
    if "status" in resource.subresources and not subresource:
        after = _with_status(after, old.get("status"))
    if "generation" in metadata and not same(_wish(old), _wish(after)):
        metadata["generation"] += 1
    return after


def appliable(applied: Object, resource: Resource, subresource: str) -> Object:
    """Give the part of an applied configuration that its door lets through, so that nobody owns what was not taken."""
    if subresource == "status":
        return {name: value for name, value in applied.items() if name in {"apiVersion", "kind", "metadata", "status"}}
    return _with_status(applied, None) if "status" in resource.subresources else applied


def _with_status(thing: Object, status: Any) -> Object:
    rest = {name: value for name, value in thing.items() if name != "status"}
    return rest if status is None else {**rest, "status": status}


def _wish(thing: Object) -> Object:
    return {name: value for name, value in thing.items() if name not in {"metadata", "status"}}


def is_same(old: Object, new: Object) -> bool:
    """Say whether an update changes nothing: who would own what since when does not count."""
    return same(_comparable(old), _comparable(new))


def _comparable(thing: Object) -> Object:
    metadata = {name: value for name, value in thing["metadata"].items() if name != "resourceVersion"}
    metadata["managedFields"] = [
        {name: value for name, value in entry.items() if name != "time"}
        for entry in metadata.get("managedFields") or ()
    ]
    return {**thing, "metadata": metadata}
