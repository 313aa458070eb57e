"""How objects go: finalizers, grace, what they own, and the content of namespaces.

Takes the object to delete and the DeleteOptions; changes Storage. An object goes when nothing holds it back any more:
no finalizer, no grace that a kubelet has to end, and, in the foreground, nothing it owns. What it owns goes with it in
the background, after it in the foreground, or stays as an orphan. A Namespace goes when it is empty. In a real cluster
controllers do some of this; here it happens at once, so no client can see the steps between, unless what is owned is
left to a client as well (`collects_garbage`). Source: Kubernetes, "Garbage Collection", "Finalizers", "Termination of
Pods".
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal

import msgspec

from sevengate.lab.apiserver.answers import Object, bad_request, conflict
from sevengate.lab.apiserver.clock import Clock, written
from sevengate.lab.apiserver.resources import Resource, Resources
from sevengate.lab.apiserver.storage import Key, Place, Shelf, Storage, Stored

_FOREGROUND: Final = "foregroundDeletion"
_ORPHAN: Final = "orphan"
_NAMESPACES: Final[Shelf] = ("", "namespaces")
_PODS: Final[Shelf] = ("", "pods")
_DEFINITIONS: Final[Shelf] = ("apiextensions.k8s.io", "customresourcedefinitions")
_DEFAULT_GRACE: Final = 30


class Deletion(msgspec.Struct, frozen=True):
    """How to delete: what becomes of what is owned (Background, Foreground, Orphan), and the grace in seconds."""

    policy: str = "Background"
    grace: int | None = None
    uid: str = ""
    resource_version: str = ""

    def check(self, stored: Stored, qualified: str) -> None:
        """Raise ApiError 409 if it was meant for another object, or another state of it."""
        metadata = stored.object["metadata"]
        for name, wanted in (("uid", self.uid), ("resourceVersion", self.resource_version)):
            if wanted and wanted != metadata[name]:
                why = f"the {name} in the precondition ({wanted}) does not match the one in record ({metadata[name]})"
                raise conflict(qualified, metadata["name"], why)


class Removal:
    """Deletes objects from a Storage."""

    def __init__(self, storage: Storage, resources: Resources, clock: Clock, *, collects_garbage: bool = True) -> None:
        self.storage = storage
        self._resources = resources
        self._clock = clock
        self._collects = collects_garbage

    def delete(self, shelf: Shelf, key: Key, deletion: Deletion) -> Stored:
        """Delete an object, or have it wait for what holds it back; gives its last state."""
        stored = self.storage.get(shelf, key)
        if stored is None:
            raise KeyError(key)
        if deletion.policy == "Orphan" and self._collects:
            self._orphan(stored)
        grace = _grace(shelf, stored.object, deletion)
        held = list(stored.object["metadata"].get("finalizers") or ())
        if deletion.policy == "Foreground" and self.storage.owned_by(stored.object["metadata"]["uid"]):
            held = [*(one for one in held if one != _FOREGROUND), _FOREGROUND]
        elif deletion.policy == "Orphan" and not self._collects:
            held.append(_ORPHAN)
        is_namespace = shelf == _NAMESPACES
        if not (held or grace or is_namespace):
            return self._remove(shelf, key)
        marked = self._mark(shelf, key, held, grace)
        if is_namespace:
            self._empty(key[1])
        elif _FOREGROUND in held and self._collects:
            self._delete_owned(marked, deletion)
        return self.storage.get(shelf, key) or marked

    def after_update(self, shelf: Shelf, key: Key) -> None:
        """Remove an object that waited for its finalizers only, and has none any more."""
        stored = self.storage.get(shelf, key)
        if stored is not None and _is_ready_to_go(stored.object) and shelf != _NAMESPACES:
            self._remove(shelf, key)

    def after_create(self, shelf: Shelf, key: Key) -> None:
        """Remove an object at once whose owners are all gone."""
        stored = self.storage.get(shelf, key)
        references = stored.object["metadata"].get("ownerReferences") or () if stored else ()
        if (
            self._collects
            and references
            and not any(self.storage.with_uid(reference["uid"]) for reference in references)
        ):
            self.delete(shelf, key, Deletion())

    def _mark(self, shelf: Shelf, key: Key, finalizers: list[str], grace: int) -> Stored:
        stored = self.storage.get(shelf, key)
        if stored is None:
            raise KeyError(key)
        thing = stored.copy()
        metadata = thing["metadata"]
        if finalizers:
            metadata["finalizers"] = finalizers
        ends = written(self._clock() + timedelta(seconds=grace))
        if ends < metadata.get("deletionTimestamp", "9"):
            metadata |= {"deletionTimestamp": ends, "deletionGracePeriodSeconds": grace}
            if "generation" in metadata:
                metadata["generation"] += 1
        if shelf == _NAMESPACES:
            thing["status"] = {**thing.get("status", {}), "phase": "Terminating"}
        return self.storage.put(shelf, key, thing)

    def _remove(self, shelf: Shelf, key: Key) -> Stored:
        if shelf == _DEFINITIONS:
            self._remove_custom(key[1])
        removed = self.storage.remove(shelf, key)
        if self._collects:
            self._delete_owned(removed, Deletion())
            self._release_owners(removed.object)
        if key[0]:
            self._finish_namespace(key[0])
        return removed

    def _delete_owned(self, owner: Stored, deletion: Deletion) -> None:
        """Delete what an object owns; what others own as well only loses this owner."""
        uid = owner.object["metadata"]["uid"]
        for shelf, key in self.storage.owned_by(uid):
            stored = self.storage.get(shelf, key)
            if stored is None or "deletionTimestamp" in stored.object["metadata"]:
                continue
            references = stored.object["metadata"]["ownerReferences"]
            if any(one["uid"] != uid and self.storage.with_uid(one["uid"]) for one in references):
                self._disown((shelf, key), uid)
            else:
                self.delete(shelf, key, Deletion(policy=deletion.policy))

    def _orphan(self, owner: Stored) -> None:
        uid = owner.object["metadata"]["uid"]
        for place in self.storage.owned_by(uid):
            self._disown(place, uid)

    def _disown(self, place: Place, uid: str) -> None:
        stored = self.storage.get(*place)
        if stored is not None:
            thing = stored.copy()
            left = [one for one in thing["metadata"]["ownerReferences"] if one["uid"] != uid]
            thing["metadata"]["ownerReferences"] = left
            self.storage.put(*place, thing)

    def _release_owners(self, removed: Object) -> None:
        """Let owners go that waited in the foreground for this object only."""
        for reference in removed["metadata"].get("ownerReferences") or ():
            place = self.storage.with_uid(reference["uid"])
            owner = self.storage.get(*place) if place else None
            if place is None or owner is None or self.storage.owned_by(reference["uid"]):
                continue
            thing = owner.copy()
            finalizers = thing["metadata"].get("finalizers") or []
            if _FOREGROUND in finalizers:
                thing["metadata"]["finalizers"] = [one for one in finalizers if one != _FOREGROUND]
                self.storage.put(*place, thing)
                self.after_update(*place)

    def _empty(self, namespace: str) -> None:
        for shelf in self._namespaced_shelves():
            for stored in self.storage.items(shelf, namespace):
                key = (namespace, stored.object["metadata"]["name"])
                if self.storage.get(shelf, key):
                    self.delete(shelf, key, Deletion())
        self._finish_namespace(namespace)

    def _finish_namespace(self, namespace: str) -> None:
        """Remove a Namespace that is to go and is empty now."""
        stored = self.storage.get(_NAMESPACES, ("", namespace))
        if stored is None or "deletionTimestamp" not in stored.object["metadata"]:
            return
        if not any(self.storage.items(shelf, namespace) for shelf in self._namespaced_shelves()):
            self.storage.remove(_NAMESPACES, ("", namespace))

    def _namespaced_shelves(self) -> list[Shelf]:
        served: dict[Shelf, Resource] = {
            resource.shelf: resource for resource in self._resources if resource.namespaced
        }
        return [shelf for shelf in self.storage.shelves() if shelf in served]

    def _remove_custom(self, definition: str) -> None:
        plural, _, group = definition.partition(".")
        for stored in self.storage.items((group, plural)):
            metadata = stored.object["metadata"]
            self.delete((group, plural), (metadata.get("namespace", ""), metadata["name"]), Deletion())


def _grace(shelf: Shelf, thing: Object, deletion: Deletion) -> int:
    """Give the seconds that a kubelet has to end a pod; only pods that one has taken get any."""
    if shelf != _PODS or not thing["spec"].get("nodeName"):
        return 0
    if (thing.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    wished = thing["spec"].get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
    return int(wished if deletion.grace is None else deletion.grace)


def _is_ready_to_go(thing: Object) -> bool:
    metadata = thing["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
    )


class _Preconditions(msgspec.Struct, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class _DeleteOptions(msgspec.Struct, rename="camel"):
    """The fields of DeleteOptions that mean something here."""

    grace_period_seconds: Annotated[int, msgspec.Meta(ge=0)] | None = None
    propagation_policy: Literal["Background", "Foreground", "Orphan"] | None = None
    orphan_dependents: bool | None = None
    preconditions: _Preconditions | None = None


_OF_QUERY: Final = ("gracePeriodSeconds", "propagationPolicy")


def read_deletion(options: Object, query: Mapping[str, str]) -> Deletion:
    """Read DeleteOptions, from the body or, as some clients have it, from the query; raise ApiError 400."""
    asked = {name: query[name] for name in _OF_QUERY if query.get(name)}
    try:
        read = msgspec.convert({**asked, **options}, _DeleteOptions, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"DeleteOptions: {error}") from None
    before = read.preconditions or _Preconditions()
    return Deletion(
        policy=read.propagation_policy or ("Orphan" if read.orphan_dependents else "Background"),
        grace=read.grace_period_seconds,
        uid=before.uid or "",
        resource_version=before.resource_version or "",
    )
