from datetime import UTC, datetime, timedelta

import pytest

from sevengate.cluster.resources import ENDPOINT_SLICES, LEASES, NODES, PODS, SERVICES
from sevengate.lab.controllers import node_life
from sevengate.lab.mirror import Object
from sevengate.lab.resources import DEPLOYMENTS
from tests.lab.controllers.clusters import Cluster, in_cluster, pod, workload
from tests.waiting import until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_life, "PATIENCE", 0.3)


def moment(seconds_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def beat(one: Cluster, name: str, seconds_ago: float = 0, lasts: int = 40) -> None:
    """Write the Lease of a node."""
    about: Object = {"metadata": {"name": name, "namespace": "kube-node-lease"}}
    spec = {"holderIdentity": name, "leaseDurationSeconds": lasts, "renewTime": moment(seconds_ago)}
    if await one.work.writer.uid_of(LEASES, name, "kube-node-lease"):
        await one.work.writer.merge(LEASES, about, {"spec": spec})
    else:
        await one.work.writer.create(LEASES, {**about, "spec": spec})


def taints(one: Cluster, name: str) -> list[str]:
    return sorted(f"{each['key']}:{each['effect']}" for each in one.all(NODES)[name]["spec"].get("taints") or ())


UNREACHABLE = ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]


@in_cluster
async def test_a_node_that_gives_no_sign_is_lost_and_its_pods_are_made_elsewhere(one: Cluster) -> None:
    await one.nodes("node01", "node02")
    for name in ("node01", "node02"):
        await beat(one, name)
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
    await one.create(
        SERVICES, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    )
    await until(lambda: one.status(DEPLOYMENTS, "web").get("availableReplicas") == 2)
    await beat(one, "node01", seconds_ago=100)
    await until(lambda: one.condition(NODES, "node01", "Ready") == "Unknown NodeStatusUnknown")
    await until(lambda: taints(one, "node01") == UNREACHABLE)

    def homes() -> list[str]:
        return [each["spec"].get("nodeName", "") for each in one.all(PODS).values()]

    await until(lambda: homes() == ["node02", "node02"] and one.status(DEPLOYMENTS, "web")["availableReplicas"] == 2)
    slices = one.all(ENDPOINT_SLICES)
    nodes = {end["nodeName"] for each in slices.values() for end in each["endpoints"] if end.get("nodeName")}
    assert nodes == {"node02"}
    await until(lambda: one.said("TaintManagerEviction"))


@in_cluster(kubelets=False)
async def test_the_pods_of_a_lost_node_are_not_ready(one: Cluster) -> None:
    await one.nodes("node01")
    await beat(one, "node01")
    await one.create(PODS, pod("stays", nodeName="node01", tolerations=[{"operator": "Exists"}]))
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await one.merge(PODS, "stays", {"status": ready}, "status")
    await beat(one, "node01", seconds_ago=100)
    await until(lambda: one.condition(PODS, "stays", "Ready") == "False NodeNotReady")


@in_cluster
async def test_a_node_that_comes_back_loses_the_taint_and_keeps_its_others(one: Cluster) -> None:
    own = {"key": "dedicated", "value": "gate", "effect": "NoSchedule"}
    await one.nodes("node01", taints=[own])
    await beat(one, "node01", lasts=1)
    await until(lambda: taints(one, "node01") == ["dedicated:NoSchedule", *UNREACHABLE])
    await beat(one, "node01")
    ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    await one.merge(NODES, "node01", {"status": {"conditions": ready}}, "status")
    await until(lambda: taints(one, "node01") == ["dedicated:NoSchedule"])


def test_a_kubelet_that_was_asleep_may_still_renew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_life, "PATIENCE", 3.0)

    @in_cluster
    async def scenario(one: Cluster) -> None:
        await one.nodes("node01", "node02")
        for name in ("node01", "node02"):
            await beat(one, name, seconds_ago=100)
        await beat(one, "node01")
        await until(lambda: taints(one, "node02") == UNREACHABLE)
        assert taints(one, "node01") == []

    scenario()
