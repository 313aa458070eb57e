"""Get, list, create, update, patch: what a Call does to what is stored.

Takes a Call and the object or patch that came with it; gives what is stored then, or raises ApiError. Each write takes
the same walk: read it against its type, prepare it, fill in defaults, check it, note who owns what, allocate, ask the
admission webhooks, store it. The steps are pure and stand in modules of their own; deleting is in `removal`, watching
in `watch`, and what is sent over HTTP in `server`.
"""

import base64
import binascii
import secrets
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import msgspec

from sevengate.lab.apiserver import defaults, preparation, rules, scale, validation
from sevengate.lab.apiserver.admission import Admission
from sevengate.lab.apiserver.allocation import Allocation
from sevengate.lab.apiserver.answers import (
    OUTDATED,
    FieldError,
    Object,
    already_exists,
    bad_request,
    conflict,
    expired,
    forbidden,
    invalid,
    not_found,
    timed_out,
)
from sevengate.lab.apiserver.apply import APPLY, UPDATE, ApplyConflict, Owner, Writing, apply, track_update
from sevengate.lab.apiserver.calls import Call
from sevengate.lab.apiserver.clock import Clock, written
from sevengate.lab.apiserver.removal import Deletion, Removal
from sevengate.lab.apiserver.storage import CompactedError, Key, Shelf, Stored

#: Gives the new object for the present one, as a patch or an apply would.
Change = Callable[[Object], Object]

_NAMESPACES: Final[Shelf] = ("", "namespaces")
_NAME_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_ATTEMPTS: Final = 5


class Listing(msgspec.Struct, frozen=True):
    """A page of a list: its objects, the revision it shows, and how to go on."""

    items: list[Stored]
    revision: int
    token: str = ""
    remaining: int = 0


class Verbs:
    """Carries out Calls on a Storage."""

    def __init__(self, removal: Removal, admission: Admission, allocation: Allocation, clock: Clock) -> None:
        self._storage = removal.storage
        self._removal = removal
        self._admission = admission
        self._allocation = allocation
        self._clock = clock

    def get(self, call: Call) -> Stored:
        """Give an object; raise ApiError 404 if it is not there."""
        stored = self._storage.get(call.resource.shelf, call.key)
        if stored is None:
            raise not_found(call.resource.qualified, call.name)
        return stored

    def page(self, call: Call) -> Listing:
        """Give the objects that a Call selects, or a page of them, at one revision (Kubernetes, "API Concepts")."""
        revision, after = self._start(call)
        try:
            everything = self._storage.items_at(call.resource.shelf, revision, call.namespace)
        except CompactedError:
            raise expired("The provided continue parameter is too old to display a consistent list result.") from None
        selector = call.selector()
        rest = everything[bisect_right(everything, after, key=_key) :] if after else everything
        found = [one for one in rest if selector.matches(one.object)] if selector else rest
        limit = call.number("limit")
        if not limit or len(found) <= limit:
            return Listing(found, revision)
        first = found[:limit]
        return Listing(first, revision, _token(revision, _key(first[-1])), 0 if selector else len(found) - limit)

    def _start(self, call: Call) -> tuple[int, Key | None]:
        if token := call.query.get("continue"):
            return _read_token(token)
        wanted = call.number("resourceVersion")
        if wanted > self._storage.revision:
            raise timed_out(f"Too large resource version: {wanted}, current: {self._storage.revision}")
        is_exact = call.query.get("resourceVersionMatch") == "Exact"
        return (wanted if is_exact else self._storage.revision), None

    async def create(self, call: Call, body: Object) -> Stored:
        """Create an object; raise ApiError 409 if it exists."""
        return await self._create(call, body, None)

    async def _create(self, call: Call, body: Object, managed: list[Object] | None) -> Stored:
        resource = call.resource
        now = written(self._clock())
        thing = preparation.created(self._read(call, body), resource, str(uuid4()), now)
        self._complete(call, thing)
        thing = preparation.with_first_status(thing)
        self._require_namespace(call)
        key = (call.namespace, thing["metadata"]["name"])
        self._require_absent(call, key)
        self._check(call, thing, None)
        if managed is None:
            managed = track_update({}, thing, resource.schema, self._writing(call, UPDATE))
        thing["metadata"]["managedFields"] = managed
        self._allocation.assign(thing, None)
        await self._admission.ask(call, "CREATE", thing, None)
        self._require_absent(call, key)
        return self._store(call, key, thing, is_new=True)

    def _require_absent(self, call: Call, key: Key) -> None:
        if self._storage.get(call.resource.shelf, key):
            raise already_exists(call.resource.qualified, key[1])

    async def update(self, call: Call, body: Object) -> Stored:
        """Replace an object; raise ApiError 409 if it was made from an outdated one."""

        def replace(old: Object) -> Object:
            if call.subresource == "scale":
                return scale.scaled(old, body, call.resource)
            return self._read(call, body)

        return await self._change(call, replace, attempts=1)

    async def patch(self, call: Call, change: Change) -> Stored:
        """Change an object as a patch does; a write in between starts it anew."""
        return await self._change(call, lambda old: self._read(call, change(old), old), attempts=_ATTEMPTS)

    async def patch_scale(self, call: Call, change: Change) -> Stored:
        """Change how many replicas there are, by a patch of the Scale."""

        def scaled(old: Object) -> Object:
            return scale.scaled(old, change(scale.scale_of(old, call.resource)), call.resource)

        return await self._change(call, scaled, attempts=_ATTEMPTS)

    async def apply(self, call: Call, applied: Object) -> tuple[Stored, bool]:
        """Apply a configuration on the server's side; gives the object, and whether it is new."""
        if not call.query.get("fieldManager"):
            error = FieldError("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
            raise invalid("PatchOptions", "meta.k8s.io", "", [error])
        call.is_apply = True
        wanted = self._read(call, applied)
        if wanted["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        wanted = preparation.appliable(wanted, call.resource, call.subresource)
        writing = self._writing(call, APPLY)

        def merged(old: Object) -> Object:
            try:
                return apply(old, wanted, call.resource.schema, writing)
            except ApplyConflict as found:
                raise found.answer() from None

        if self._storage.get(call.resource.shelf, call.key) is None and not call.subresource:
            bare = {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": {"name": call.name}}
            new = merged(bare)
            return await self._create(call, new, new["metadata"].pop("managedFields")), True
        return await self._change(call, merged, attempts=_ATTEMPTS), False

    async def _change(self, call: Call, change: Change, attempts: int) -> Stored:
        for _ in range(attempts):
            stored = self.get(call)
            old = call.resource.shown(stored.object)
            new = self._changed(call, call.resource.shown(stored.copy()), change)
            if preparation.is_same(old, new):
                return stored
            await self._admission.ask(call, "UPDATE", new, old)
            if self._storage.get(call.resource.shelf, call.key) is stored:
                return self._store(call, call.key, new, is_new=False)
        raise conflict(call.resource.qualified, call.name, OUTDATED)

    def _changed(self, call: Call, old: Object, change: Change) -> Object:
        wished = change(old)
        self._check_identity(call, wished, old)
        new = preparation.changed(old, wished, call.resource, call.subresource)
        self._complete(call, new, old)
        self._check(call, new, old)
        if not call.is_apply:
            writing = self._writing(call, UPDATE)
            new["metadata"]["managedFields"] = track_update(old, new, call.resource.schema, writing)
        # What is allocated is nobody's, so this comes after who owns what.
        self._allocation.assign(new, old)
        return new

    def _writing(self, call: Call, operation: str) -> Writing:
        owner = Owner(call.manager, operation, call.resource.api_version, call.subresource)
        return Writing(owner, written(self._clock()), force=call.flag("force"))

    def _check_identity(self, call: Call, wished: Object, old: Object) -> None:
        """Refuse a write that was made from an outdated object, or from one that was replaced."""
        metadata, before = wished["metadata"], old["metadata"]
        if metadata.get("uid", before["uid"]) != before["uid"]:
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {before['uid']}"
            raise conflict(call.resource.qualified, call.name, why)
        if (metadata.get("resourceVersion") or before["resourceVersion"]) != before["resourceVersion"]:
            raise conflict(call.resource.qualified, call.name, OUTDATED)
        metadata["resourceVersion"] = before["resourceVersion"]

    def _read(self, call: Call, body: Any, old: Object | None = None) -> Object:
        """Read an object of the Call's type and name; raise ApiError for what does not fit.

        What a patch has left as it was in `old` was read when it was stored.
        """
        resource = call.resource
        if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
            raise bad_request("the body of the request is not an object")
        kind, version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version)
        if (kind, version) != (resource.kind, resource.api_version):
            wanted = f"{resource.kind} of {resource.api_version}"
            raise bad_request(f"the object provided is a {kind} of {version}, and not a {wanted}")
        thing, unknown = validation.prune(body, resource.schema, old)
        self._report_unknown(call, unknown)
        metadata = dict(thing.get("metadata") or {})
        if call.namespace and metadata.setdefault("namespace", call.namespace) != call.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if call.name and metadata.setdefault("name", call.name) != call.name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({call.name})"
            )
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_NAME_LETTERS) for _ in range(5))
        if not metadata.get("name"):
            error = FieldError(
                "metadata.name", "FieldValueRequired", "Required value: name or generateName is required"
            )
            raise invalid(resource.kind, resource.group, "", [error])
        return {**thing, "apiVersion": version, "kind": kind, "metadata": metadata}

    def _report_unknown(self, call: Call, unknown: list[str]) -> None:
        texts = [f'unknown field "{path}"' for path in unknown]
        if texts and call.field_validation == "Strict":
            resource = call.resource
            what = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
            raise bad_request(f"{what}: strict decoding error: {', '.join(texts)}")
        if call.field_validation == "Warn":
            call.warnings.extend(texts)

    def _complete(self, call: Call, thing: Object, old: Object | None = None) -> None:
        """Fill in defaults, unless the object is too broken for that: then its schema says why."""
        resource = call.resource
        errors = validation.check(thing, resource.schema, trusted=old)
        if resource.is_custom and not any(error.cause == "FieldValueTypeInvalid" for error in errors):
            thing.update(validation.fill_defaults(thing, resource.schema))
            errors = validation.check(thing, resource.schema)
        if errors:
            raise invalid(resource.kind, resource.group, thing["metadata"]["name"], errors)
        if resource.conversion is None:
            defaults.fill(thing)
            return
        # Defaults and rules are known for the version that is stored.
        stored = resource.stored(thing)
        defaults.fill(stored)
        thing.update(resource.shown(stored))

    def _check(self, call: Call, thing: Object, old: Object | None) -> None:
        resource = call.resource
        if errors := rules.broken(resource.stored(thing), old and resource.stored(old)):
            raise invalid(resource.kind, resource.group, thing["metadata"]["name"], errors)

    def _require_namespace(self, call: Call) -> None:
        if not call.resource.namespaced:
            return
        namespace = self._storage.get(_NAMESPACES, ("", call.namespace))
        if namespace is None:
            raise not_found("namespaces", call.namespace)
        if "deletionTimestamp" in namespace.object["metadata"]:
            why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
            raise forbidden(call.resource.qualified, call.name, why)

    def _store(self, call: Call, key: Key, thing: Object, *, is_new: bool) -> Stored:
        self._allocation.check(thing)  # webhooks were asked meanwhile, and others are faster
        plain = call.resource.stored(thing)
        if call.is_dry_run:
            return Stored(plain, self._storage.revision)
        stored = self._storage.put(call.resource.shelf, key, plain)
        if is_new:
            self._removal.after_create(call.resource.shelf, key)
        else:
            self._removal.after_update(call.resource.shelf, key)
        return stored

    async def delete(self, call: Call, deletion: Deletion) -> Stored:
        """Delete an object, or have it wait for what holds it back; gives its last state."""
        stored = self.get(call)
        deletion.check(stored, call.resource.qualified)
        await self._admission.ask(call, "DELETE", None, call.resource.shown(stored.object))
        deletion.check(self.get(call), call.resource.qualified)  # much may have happened while webhooks were asked
        if call.is_dry_run:
            return stored
        return self._removal.delete(call.resource.shelf, call.key, deletion)


def _key(stored: Stored) -> Key:
    metadata = stored.object["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _token(revision: int, last: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([revision, *last])).decode()


def _read_token(token: str) -> tuple[int, Key]:
    try:
        revision, namespace, name = msgspec.json.decode(base64.urlsafe_b64decode(token), type=tuple[int, str, str])
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise bad_request("continue key is not valid") from None
    return revision, (namespace, name)
