import asyncio
from pathlib import Path

import pytest

from sevengate.cluster.errors import TooManyRequestsError
from sevengate.cluster.resources import PODS
from sevengate.lab.mirror import Object
from sevengate.lab.resources import DEPLOYMENTS, DISRUPTION_BUDGETS
from tests.lab.controllers.clusters import Cluster, in_cluster, workload
from tests.lab.kubectl import Kubectl, in_order
from tests.waiting import until


def budget(**spec: object) -> Object:
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def numbers(one: Cluster) -> list[int]:
    status = one.status(DISRUPTION_BUDGETS, "web")
    return [status.get(name, -1) for name in ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 3}, [4, 4, 3, 1]),
        ({"minAvailable": "50%"}, [4, 4, 2, 2]),
        ({"maxUnavailable": 1}, [4, 4, 3, 1]),
        ({"maxUnavailable": 0}, [4, 4, 4, 0]),
    ],
)
def test_a_budget_counts_what_may_be_taken(spec: Object, expected: list[int]) -> None:
    @in_cluster
    async def scenario(one: Cluster) -> None:
        await one.nodes("node01")
        await one.create(DEPLOYMENTS, workload("Deployment", "web", 4))
        await one.create(DISRUPTION_BUDGETS, budget(**spec))
        await until(lambda: numbers(one) == expected)

    scenario()


@in_cluster
async def test_an_eviction_beyond_the_budget_is_refused(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
    await one.create(DISRUPTION_BUDGETS, budget(minAvailable=2))
    await until(lambda: numbers(one) == [2, 2, 2, 0])
    victim = next(iter(one.all(PODS).values()))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": victim["metadata"]["name"]}}
    with pytest.raises(TooManyRequestsError, match="violate the pod's disruption budget"):
        await one.work.writer.post(PODS, victim, "eviction", eviction)
    await one.merge(DISRUPTION_BUDGETS, "web", {"spec": {"minAvailable": 1}})
    await until(lambda: numbers(one) == [2, 2, 1, 1])
    await one.work.writer.post(PODS, victim, "eviction", eviction)
    await until(lambda: victim["metadata"]["name"] not in one.all(PODS) and numbers(one) == [2, 2, 1, 1])


def test_kubectl_drains_a_node(tmp_path: Path) -> None:
    @in_cluster
    async def scenario(one: Cluster) -> None:
        await one.nodes("node01", "node02")
        await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
        await one.create(DISRUPTION_BUDGETS, budget(maxUnavailable=1))
        await until(lambda: numbers(one) == [2, 2, 1, 1])
        kubectl = await asyncio.to_thread(Kubectl, one.running.kubeconfig(), tmp_path, "shop")
        said = await asyncio.to_thread(kubectl.must, "drain node01 --timeout=30s")
        in_order(said, ["node/node01 cordoned", "evicting pod", "node/node01 drained"])
        await until(lambda: [each["spec"].get("nodeName") for each in one.all(PODS).values()] == ["node02"] * 2)

    scenario()
