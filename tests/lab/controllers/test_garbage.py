"""Garbage collection on an API server that leaves it to controllers, as a real one does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sevengate.cluster.resources import ENDPOINT_SLICES, PODS, SERVICES
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.running import serving_api
from sevengate.lab.resources import DEPLOYMENTS, REPLICA_SETS
from tests.lab.controllers.clusters import Cluster, cluster, workload
from tests.waiting import until


def on_a_bare_server(scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving_api(api=Api(collects_garbage=False)) as running, cluster(running) as one:
            await one.nodes("node01")
            await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
            await until(lambda: one.status(DEPLOYMENTS, "web").get("availableReplicas") == 2)
            await scenario(one)

    asyncio.run(run())


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_what_an_object_owns_goes_with_it(policy: str) -> None:
    async def scenario(one: Cluster) -> None:
        await one.work.writer.delete(DEPLOYMENTS, one.all(DEPLOYMENTS)["web"], policy=policy)
        await until(lambda: not one.all(DEPLOYMENTS) and not one.all(REPLICA_SETS) and not one.all(PODS))

    on_a_bare_server(scenario)


def test_orphans_stay_and_belong_to_nobody() -> None:
    async def scenario(one: Cluster) -> None:
        names = set(one.all(PODS))
        await one.work.writer.delete(DEPLOYMENTS, one.all(DEPLOYMENTS)["web"], policy="Orphan")
        await until(lambda: not one.all(DEPLOYMENTS))
        [replica_set] = one.all(REPLICA_SETS).values()
        assert not replica_set["metadata"].get("ownerReferences")
        assert set(one.all(PODS)) == names

    on_a_bare_server(scenario)


def test_what_has_another_owner_left_only_forgets_the_one_that_is_gone() -> None:
    async def scenario(one: Cluster) -> None:
        spec = {"selector": {"app": "none"}, "ports": [{"port": 80}]}
        made = [await one.create(SERVICES, {"metadata": {"name": name}, "spec": spec}) for name in ("a", "b")]
        references = [
            {"apiVersion": "v1", "kind": "Service", "name": each["metadata"]["name"], "uid": each["metadata"]["uid"]}
            for each in made
        ]
        metadata = {"name": "shared", "ownerReferences": references}
        await one.create(ENDPOINT_SLICES, {"metadata": metadata, "addressType": "IPv4", "endpoints": [], "ports": []})

        def owners() -> list[str] | None:
            found = one.get(ENDPOINT_SLICES, "shared")
            return [each["name"] for each in found["metadata"].get("ownerReferences") or ()] if found else None

        await one.work.writer.delete(SERVICES, made[0])
        await until(lambda: owners() == ["b"])
        await one.work.writer.delete(SERVICES, made[1])
        await until(lambda: owners() is None)

    on_a_bare_server(scenario)
