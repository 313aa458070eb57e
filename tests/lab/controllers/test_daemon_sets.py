from sevengate.cluster.resources import NODES, PODS
from sevengate.lab.mirror import Object
from sevengate.lab.resources import CONTROLLER_REVISIONS, DAEMON_SETS
from tests.lab.controllers.clusters import SICK, Cluster, in_cluster, workload
from tests.waiting import until

MASTER = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]


def homes(one: Cluster) -> list[str]:
    """The nodes of all pods that are ready."""
    pods = one.all(PODS).values()
    return sorted(pod["spec"].get("nodeName", "") for pod in pods if pod["status"]["phase"] == "Running")


def images(one: Cluster) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in one.all(PODS).values())


def image(name: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


def numbers(one: Cluster) -> list[int]:
    status = one.status(DAEMON_SETS, "gate")
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    return [status.get(name, -1) for name in names]


@in_cluster
async def test_every_node_that_takes_one_gets_a_pod(one: Cluster) -> None:
    await one.nodes("master01", taints=MASTER)
    await one.nodes("node01", "node02")
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate"))
    await until(lambda: homes(one) == ["node01", "node02"])
    await until(lambda: numbers(one) == [2, 2, 2, 2])
    await one.nodes("node03")
    await until(lambda: homes(one) == ["node01", "node02", "node03"])
    await one.merge(NODES, "node01", {"spec": {"unschedulable": True}})
    await until(lambda: numbers(one) == [3, 3, 3, 3])
    assert homes(one) == ["node01", "node02", "node03"]


@in_cluster
async def test_pods_follow_the_labels_of_nodes(one: Cluster) -> None:
    await one.nodes("node01", "node02")
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate", pod={"nodeSelector": {"ingress": "true"}}))
    await until(lambda: numbers(one) == [0, 0, 0, 0])
    await one.merge(NODES, "node02", {"metadata": {"labels": {"ingress": "true"}}})
    await until(lambda: homes(one) == ["node02"])
    await one.merge(NODES, "node01", {"metadata": {"labels": {"ingress": "true"}}})
    await one.merge(NODES, "node02", {"metadata": {"labels": {"ingress": None}}})
    await until(lambda: homes(one) == ["node01"] and len(one.all(PODS)) == 1)


@in_cluster
async def test_taints_keep_daemons_away_and_tolerations_bring_them(one: Cluster) -> None:
    await one.nodes("master01", taints=MASTER)
    tolerations = [{"operator": "Exists"}]
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate", pod={"tolerations": tolerations}))
    await until(lambda: homes(one) == ["master01"])


@in_cluster
async def test_a_new_template_replaces_one_pod_after_the_other(one: Cluster) -> None:
    await one.nodes("node01", "node02", "node03")
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate"))
    await until(lambda: numbers(one) == [3, 3, 3, 3])
    fewest: list[int] = []
    one.pods.subscribe(lambda _: fewest.append(len(homes(one))))
    first = len(fewest)
    await one.merge(DAEMON_SETS, "gate", image("nginx:1.26"))
    await until(lambda: images(one) == ["nginx:1.26"] * 3 and numbers(one) == [3, 3, 3, 3])
    assert min(fewest[first:]) == 2
    revisions = sorted(each["revision"] for each in one.all(CONTROLLER_REVISIONS).values())
    assert revisions == [1, 2]
    await one.merge(DAEMON_SETS, "gate", image("nginx:1.25"))
    await until(lambda: images(one) == ["nginx:1.25"] * 3 and numbers(one) == [3, 3, 3, 3])
    assert sorted(each["revision"] for each in one.all(CONTROLLER_REVISIONS).values()) == [2, 3]


@in_cluster
async def test_a_sick_template_stops_at_the_first_node(one: Cluster) -> None:
    await one.nodes("node01", "node02", "node03")
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate"))
    await until(lambda: numbers(one) == [3, 3, 3, 3])
    sick = {"metadata": {"labels": {SICK: "yes"}}, "spec": {"containers": [{"name": "web", "image": "nginx:9"}]}}
    await one.merge(DAEMON_SETS, "gate", {"spec": {"template": sick}})
    await until(lambda: numbers(one) == [3, 3, 2, 1])
    assert images(one) == ["nginx:1.25", "nginx:1.25", "nginx:9"]


@in_cluster
async def test_with_surge_the_new_pod_serves_before_the_old_one_goes(one: Cluster) -> None:
    await one.nodes("node01", "node02")
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate", updateStrategy=surge))
    await until(lambda: numbers(one) == [2, 2, 2, 2])
    empty: list[set[str]] = []
    one.pods.subscribe(lambda _: empty.append({"node01", "node02"} - set(homes(one))))
    first = len(empty)
    await one.merge(DAEMON_SETS, "gate", image("nginx:1.26"))
    await until(lambda: images(one) == ["nginx:1.26"] * 2 and numbers(one) == [2, 2, 2, 2])
    assert not [nodes for nodes in empty[first:] if nodes]


@in_cluster
async def test_on_delete_waits_for_somebody_to_delete(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate", updateStrategy={"type": "OnDelete"}))
    await until(lambda: numbers(one) == [1, 1, 1, 1])
    await one.merge(DAEMON_SETS, "gate", image("nginx:1.26"))
    await until(lambda: numbers(one) == [1, 1, 1, 0])
    assert images(one) == ["nginx:1.25"]
    [pod] = one.all(PODS).values()
    await one.work.writer.delete(PODS, pod)
    await until(lambda: images(one) == ["nginx:1.26"] and numbers(one) == [1, 1, 1, 1])


@in_cluster
async def test_a_pod_that_failed_is_replaced(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DAEMON_SETS, workload("DaemonSet", "gate"))
    await until(lambda: homes(one) == ["node01"])
    [name] = one.all(PODS)
    await one.merge(PODS, name, {"status": {"phase": "Failed"}}, "status")
    await until(lambda: homes(one) == ["node01"] and name not in one.all(PODS))
    await until(
        lambda: (
            one.said("FailedDaemonPod")
            == [f"Found failed daemon pod default/{name} on node node01, will try to kill it"]
        )
    )
