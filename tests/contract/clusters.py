"""The cluster that the contract is checked on: that of SEVENGATE_TEST_KUBECONFIG, or else the lab's own API server.

A scenario gets a Place: a namespace of its own, in which its owner may do everything, and which is removed afterwards.
What only the lab can do (cut watches, forget changes) is had through `Place.lab`, which skips the test elsewhere.
"""

import asyncio
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sevengate.cluster.access import Access
from sevengate.cluster.client import Client
from sevengate.cluster.credentials import Credential, Credentials, bearer, constant
from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.cluster.resources import NAMESPACES, Resource
from sevengate.lab.apiserver.running import RunningApi, serving_api
from sevengate.lab.home import write_private

VARIABLE = "SEVENGATE_TEST_KUBECONFIG"
#: Seconds for one scenario, on a cluster that may be far away.
LIMIT = 60.0

ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")

Plain = dict[str, Any]


class Place:
    """A namespace on a cluster, and who owns it."""

    def __init__(self, access: Access, owner: Client, kubeconfig: Path, lab: RunningApi | None) -> None:
        self.access = access
        self.owner = owner
        self.kubeconfig = kubeconfig
        self.namespace = f"sevengate-contract-{uuid.uuid4().hex[:10]}"
        self._lab = lab

    @property
    def lab(self) -> RunningApi:
        """The lab, to make something go wrong in it."""
        return self.require_lab()

    def require_lab(self) -> RunningApi:
        """Skip the test on any other cluster."""
        return self._lab or pytest.skip(f"only the lab can do this, and {VARIABLE} names another cluster")

    def path(self, resource: Resource, name: str = "") -> str:
        return resource.path(self.namespace if resource.namespaced else "", name)

    async def create(self, resource: Resource, plain: Plain) -> None:
        metadata = {**plain["metadata"], **({"namespace": self.namespace} if resource.namespaced else {})}
        whole = {**plain, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        await self.owner.create(self.path(resource), whole)

    async def read(self, resource: Resource, name: str = "") -> Plain:
        answer: Plain = msgspec.json.decode(await self.owner.get(self.path(resource, name)))
        return answer

    async def merge(self, resource: Resource, name: str, change: Plain) -> None:
        await self.owner.merge(self.path(resource, name), change)

    async def delete(self, resource: Resource, name: str) -> None:
        await self.owner.delete(self.path(resource, name), {})

    async def account(self, name: str) -> Access:
        """Make a ServiceAccount, who may do nothing yet, and give the Access of its token."""
        await self.create(ACCOUNTS, {"metadata": {"name": name}})
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        answer = msgspec.json.decode(await self.owner.create(f"{self.path(ACCOUNTS, name)}/token", review))
        credentials = Credentials(constant(Credential(bearer(answer["status"]["token"]))))
        return msgspec.structs.replace(self.access, credentials=credentials, headers={})


@asynccontextmanager
async def _place(kubeconfig: Path, lab: RunningApi | None) -> AsyncIterator[Place]:
    access = load_kubeconfig([kubeconfig])
    async with Client(access) as owner:
        place = Place(access, owner, kubeconfig, lab)
        await place.create(NAMESPACES, {"metadata": {"name": place.namespace}})
        try:
            yield place
        finally:
            await place.delete(NAMESPACES, place.namespace)


@asynccontextmanager
async def _anywhere() -> AsyncIterator[Place]:
    if named := os.environ.get(VARIABLE):
        async with _place(Path(named), None) as place:
            yield place
        return
    with tempfile.TemporaryDirectory(prefix="sevengate-contract-") as folder:
        async with serving_api() as lab:
            kubeconfig = Path(folder, "kubeconfig")
            write_private(kubeconfig, lab.kubeconfig())
            async with _place(kubeconfig, lab) as place:
                yield place


def play(scenario: Callable[[Place], Awaitable[None]]) -> None:
    """Run a scenario in a new place."""

    async def run() -> None:
        async with asyncio.timeout(LIMIT), _anywhere() as place:
            await scenario(place)

    asyncio.run(run())


def contract(scenario: Callable[[Place], Awaitable[None]]) -> Callable[[], None]:
    """Make a scenario a test."""

    def test() -> None:
        play(scenario)

    return test
