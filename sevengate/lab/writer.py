"""How a lab's components write: through the API, and what comes of it is told to the mirrors at once.

Takes a Resource and an object, or the part of one to change; gives the object as the API server has it then. Refusals
are raised as cluster/errors.py names them, and the reconciler decides what becomes of them.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from sevengate.cluster.client import Client
from sevengate.cluster.errors import NotFoundError
from sevengate.cluster.resources import Resource
from sevengate.lab.mirror import Mirrors, Object, key_of


class Writer:
    """Writes objects, and lets the Mirrors know."""

    def __init__(self, client: Client, mirrors: Mirrors) -> None:
        self._client = client
        self._mirrors = mirrors

    async def create(self, resource: Resource, thing: Object) -> Object:
        """Add an object; its metadata say in which namespace."""
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **thing}
        path = resource.path(thing["metadata"].get("namespace", ""))
        return self._learnt(resource, await self._client.create(path, whole))

    async def replace(self, resource: Resource, thing: Object, subresource: str = "") -> Object:
        """Put an object in place of the one it was read from; ConflictError if that has changed since."""
        path = _path(resource, thing, subresource)
        return self._learnt(resource, await self._client.replace(path, thing))

    async def merge(
        self, resource: Resource, thing: Object, change: Mapping[str, Any], subresource: str = ""
    ) -> Object:
        """Change the fields of an object that `change` names, whatever else has changed since it was read."""
        path = _path(resource, thing, subresource)
        return self._learnt(resource, await self._client.merge(path, change))

    async def merge_status(self, resource: Resource, thing: Object, status: Mapping[str, Any]) -> Object:
        """Change those fields of an object's status that differ; does nothing if none does."""
        held = thing.get("status") or {}
        change = {name: value for name, value in status.items() if held.get(name) != value}
        if not change:
            return thing
        return await self.merge(resource, thing, {"status": change}, "status")

    async def post(self, resource: Resource, thing: Object, subresource: str, body: Object) -> Object:
        """Send a message to a subresource of an object, such as a pod's binding."""
        answer: Object = msgspec.json.decode(await self._client.create(_path(resource, thing, subresource), body))
        return answer

    async def uid_of(self, resource: Resource, name: str, namespace: str = "") -> str:
        """Ask the API server itself for the uid of an object, where a Mirror may not know yet; "" if there is none."""
        try:
            answer = await self._client.get(resource.path(namespace, name))
        except NotFoundError:
            return ""
        thing: Object = msgspec.json.decode(answer)
        return str(thing["metadata"]["uid"])

    async def delete(
        self, resource: Resource, thing: Object, grace: int | None = None, policy: str = "Background"
    ) -> None:
        """Delete an object, unless another one has taken its name; that it is gone already is fine."""
        options: Object = {"propagationPolicy": policy, "preconditions": {"uid": thing["metadata"]["uid"]}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        await self._delete(resource, thing, options)

    async def delete_unchanged(self, resource: Resource, thing: Object) -> None:
        """Delete an object as it was read; ConflictError if it has changed since, and may be wanted now."""
        seen = {name: thing["metadata"][name] for name in ("uid", "resourceVersion")}
        await self._delete(resource, thing, {"propagationPolicy": "Background", "preconditions": seen})

    async def _delete(self, resource: Resource, thing: Object, options: Object) -> None:
        try:
            answer = await self._client.delete(_path(resource, thing), options)
        except NotFoundError:
            answer = b""
        if answer and msgspec.json.decode(answer, type=_Kind).kind != "Status":
            self._mirrors.learn(resource, answer)
        else:
            self._mirrors.learn_gone(resource, key_of(thing))

    def _learnt(self, resource: Resource, answer: bytes) -> Object:
        thing: Object = msgspec.json.decode(answer)
        # What comes of writing a Scale is a Scale.
        if thing["kind"] == resource.kind:
            self._mirrors.learn(resource, answer)
        return thing


class _Kind(msgspec.Struct):
    kind: str = ""


def _path(resource: Resource, thing: Object, subresource: str = "") -> str:
    metadata = thing["metadata"]
    return resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
