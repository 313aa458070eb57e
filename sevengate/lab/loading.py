"""Loads many manifests into a cluster at once, faster than kubectl, which goes one by one.

Takes Manifests, plain objects with the place where each is written; creates them through a Client, or merges them into
those that are there, and gives the Refusals. Namespaces and definitions of types go first, because others lie in them
or are of them; the rest goes together. Where a kind lies is asked of the server. Reading files is left to the caller.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, ConflictError, NotFoundError
from sevengate.cluster.resources import Resource
from sevengate.diagnostics import Origin
from sevengate.kube.manifest import Document
from sevengate.lab.mirror import Object

#: Requests that are under way at the same time.
_AT_ONCE: Final = 32
_FIRST: Final = ("Namespace", "CustomResourceDefinition", "IngressClass")


class Manifest(msgspec.Struct, frozen=True):
    """An object and where it is written."""

    thing: Object
    document: Document
    inside: str = ""

    @property
    def origin(self) -> Origin:
        """The file and line at which it begins."""
        return Origin(self.document.file, self.document.lines().of(self.inside))


class Refusal(msgspec.Struct, frozen=True):
    """Why an object is not in the cluster now."""

    origin: Origin
    message: str


class _Served(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool


class _ResourceList(msgspec.Struct):
    resources: list[_Served]


class Loader:
    """Loads into one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._resources: dict[tuple[str, str], Resource] = {}
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def load(self, manifests: Sequence[Manifest]) -> tuple[Refusal, ...]:
        """Load everything that can be; give what was refused."""
        refused: list[Refusal] = []
        for kind in (*_FIRST, ""):
            wanted = [one for one in manifests if (one.thing.get("kind") == kind if kind else not _is_first(one))]
            await self._learn_resources(wanted)
            refused += [one for one in await asyncio.gather(*map(self._load, wanted)) if one]
        return tuple(refused)

    async def _learn_resources(self, manifests: Iterable[Manifest]) -> None:
        """Ask once for each version which kinds are served."""
        known = {version for version, _ in self._resources}
        for version in {str(one.thing.get("apiVersion", "")) for one in manifests} - known - {""}:
            try:
                body = await self._client.get(f"/apis/{version}" if "/" in version else f"/api/{version}")
            except NotFoundError:
                continue
            for served in msgspec.json.decode(body, type=_ResourceList).resources:
                if "/" not in served.name:
                    self._resources[version, served.kind] = Resource(
                        version, served.kind, served.name, served.namespaced
                    )

    async def _load(self, manifest: Manifest) -> Refusal | None:
        thing = manifest.thing
        resource = self._resources.get((str(thing.get("apiVersion", "")), str(thing.get("kind", ""))))
        if not {"apiVersion", "kind"} <= thing.keys():
            return Refusal(manifest.origin, "this is no Kubernetes object: apiVersion or kind is missing")
        if resource is None:
            message = f"the cluster serves no {thing.get('kind')} of {thing.get('apiVersion')}"
            return Refusal(manifest.origin, message)
        metadata = thing.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            return Refusal(manifest.origin, "metadata.name is missing")
        namespace = str(metadata.get("namespace") or self._client.namespace) if resource.namespaced else ""
        try:
            async with self._limit:
                await self._put(resource, namespace, thing)
        except ClusterError as error:
            return Refusal(manifest.origin, f"{resource.kind} {metadata['name']}: {error}")
        return None

    async def _put(self, resource: Resource, namespace: str, thing: dict[str, Any]) -> None:
        try:
            await self._client.create(resource.path(namespace), thing)
        except ConflictError:
            await self._client.merge(resource.path(namespace, thing["metadata"]["name"]), thing)


def _is_first(manifest: Manifest) -> bool:
    return manifest.thing.get("kind") in _FIRST
