from typing import Any

from sevengate.cluster.resources import NODES, PODS
from sevengate.lab.mirror import Object
from tests.lab.controllers.clusters import Cluster, in_cluster, pod
from tests.waiting import until


def node_of(one: Cluster, name: str) -> str:
    return str((one.get(PODS, name) or {"spec": {}})["spec"].get("nodeName", ""))


async def refused(one: Cluster, name: str) -> str:
    """Give why a pod cannot be scheduled, as its condition says."""

    def why() -> str:
        conditions = one.status(PODS, name).get("conditions") or ()
        found = [each["message"] for each in conditions if each.get("reason") == "Unschedulable"]
        return str(found[0]) if found else ""

    await until(why)
    return why()


@in_cluster
async def test_pods_are_spread_over_the_nodes(one: Cluster) -> None:
    await one.nodes("node01", "node02", "node03")
    for number in range(9):
        await one.create(PODS, pod(f"p{number}"))
    await until(lambda: all(node_of(one, f"p{number}") for number in range(9)))
    nodes = [node_of(one, f"p{number}") for number in range(9)]
    assert {name: nodes.count(name) for name in nodes} == {"node01": 3, "node02": 3, "node03": 3}
    await until(lambda: len(one.said("Scheduled")) == 9)
    assert f"Successfully assigned default/p0 to {node_of(one, 'p0')}" in one.said("Scheduled")


@in_cluster
async def test_a_pod_that_no_node_takes_says_why_and_is_scheduled_once_one_does(one: Cluster) -> None:
    taint = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    await one.nodes("master01", taints=taint)
    await one.nodes("node01", "node02")
    await one.create(PODS, pod("web", nodeSelector={"ingress": "true"}))
    why = await refused(one, "web")
    assert why == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
        "2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    await until(lambda: one.said("FailedScheduling") == [why])
    assert one.condition(PODS, "web", "PodScheduled") == "False Unschedulable"
    await one.merge(NODES, "node02", {"metadata": {"labels": {"ingress": "true"}}})
    await until(lambda: node_of(one, "web") == "node02")
    assert one.condition(PODS, "web", "PodScheduled").startswith("True")


@in_cluster
async def test_without_nodes_there_is_nowhere_to_go(one: Cluster) -> None:
    await one.create(PODS, pod("web"))
    assert await refused(one, "web") == "no nodes available to schedule pods"
    await one.nodes("node01")
    await until(lambda: node_of(one, "web") == "node01")


@in_cluster
async def test_a_port_of_a_node_is_given_once(one: Cluster) -> None:
    await one.nodes("node01", "node02")
    taking: dict[str, Any] = {
        "hostNetwork": True,
        "containers": [{"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]}],
    }
    for name in ("a", "b"):
        await one.create(PODS, pod(name, **taking))
    await until(lambda: {node_of(one, "a"), node_of(one, "b")} == {"node01", "node02"})
    await one.create(PODS, pod("c", **taking))
    assert await refused(one, "c") == (
        "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports. "
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )
    gone = one.all(PODS)["a"]
    await one.work.writer.delete(PODS, gone)
    await until(lambda: node_of(one, "c") == gone["spec"]["nodeName"])


@in_cluster
async def test_pods_that_want_to_be_apart_are_and_those_that_want_to_be_together_are(one: Cluster) -> None:
    await one.nodes("node01", "node02")

    def near(kind: str, app: str) -> Object:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}}
        return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}

    for name in ("a1", "a2"):
        await one.create(PODS, pod(name, {"app": "a"}, affinity=near("podAntiAffinity", "a")))
    await until(lambda: {node_of(one, "a1"), node_of(one, "a2")} == {"node01", "node02"})
    await one.create(PODS, pod("a3", {"app": "a"}, affinity=near("podAntiAffinity", "a")))
    assert "2 node(s) didn't match pod anti-affinity rules" in await refused(one, "a3")
    await one.create(PODS, pod("plain", {"app": "a"}))
    assert "didn't satisfy existing pods anti-affinity rules" in await refused(one, "plain")
    await one.create(PODS, pod("b1", {"app": "b"}, affinity=near("podAffinity", "b")))
    await until(lambda: node_of(one, "b1"))
    for name in ("b2", "b3"):
        await one.create(PODS, pod(name, {"app": "b"}, affinity=near("podAffinity", "b")))
    await until(lambda: node_of(one, "b2") == node_of(one, "b3") == node_of(one, "b1"))


@in_cluster
async def test_a_cordoned_node_gets_no_pods(one: Cluster) -> None:
    await one.nodes("node01")
    await one.merge(NODES, "node01", {"spec": {"unschedulable": True}})
    await one.create(PODS, pod("web"))
    assert (await refused(one, "web")).startswith("0/1 nodes are available: 1 node(s) were unschedulable.")
    await one.merge(NODES, "node01", {"spec": {"unschedulable": None}})
    await until(lambda: node_of(one, "web") == "node01")


@in_cluster
async def test_pods_of_another_scheduler_are_left_alone(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(PODS, pod("theirs", schedulerName="another"))
    await one.create(PODS, pod("ours"))
    await until(lambda: node_of(one, "ours"))
    assert not node_of(one, "theirs")
