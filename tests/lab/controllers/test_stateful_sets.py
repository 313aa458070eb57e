from typing import Any

from sevengate.cluster.resources import PODS, SERVICES
from sevengate.lab.mirror import Object
from sevengate.lab.resources import STATEFUL_SETS
from tests.lab.controllers.clusters import SICK, Cluster, in_cluster, workload
from tests.waiting import until


def stateful_set(replicas: int, **spec: Any) -> Object:
    return workload("StatefulSet", "db", replicas, serviceName="db", **spec)


def images(one: Cluster) -> dict[str, str]:
    """The image of each pod that is ready."""
    found = {name: pod for name, pod in one.all(PODS).items() if pod["status"]["phase"] == "Running"}
    return {name: pod["spec"]["containers"][0]["image"] for name, pod in sorted(found.items())}


def image(name: str) -> Object:
    return {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}


def ready(one: Cluster) -> int:
    return int(one.status(STATEFUL_SETS, "db").get("readyReplicas", -1))


def uid_of(one: Cluster, name: str) -> str:
    pod = one.get(PODS, name)
    return str(pod["metadata"]["uid"]) if pod else ""


@in_cluster
async def test_pods_are_made_in_order_under_names_that_stay(one: Cluster) -> None:
    await one.nodes("node01")
    orders: list[list[str]] = []
    one.pods.subscribe(lambda _: orders.append(sorted(one.all(PODS))))
    await one.create(SERVICES, {"metadata": {"name": "db"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}})
    await one.create(STATEFUL_SETS, stateful_set(3))
    await until(lambda: ready(one) == 3)
    assert {len(names) for names in orders} >= {1, 2, 3}
    assert sorted(one.all(PODS)) == ["db-0", "db-1", "db-2"]
    assert one.all(PODS)["db-1"]["spec"]["hostname"] == "db-1"
    assert one.all(PODS)["db-1"]["spec"]["subdomain"] == "db"
    before = one.all(PODS)["db-1"]["metadata"]["uid"]
    await one.work.writer.delete(PODS, one.all(PODS)["db-1"])
    await until(lambda: ready(one) == 3 and uid_of(one, "db-1") not in {"", before})


@in_cluster
async def test_one_that_is_not_ready_holds_back_those_after_it(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(STATEFUL_SETS, stateful_set(3, labels={SICK: "yes"}))
    await until(lambda: one.status(STATEFUL_SETS, "db").get("replicas") == 1 and images(one))
    assert sorted(one.all(PODS)) == ["db-0"]
    await one.work.writer.delete(STATEFUL_SETS, one.all(STATEFUL_SETS)["db"])
    await until(lambda: not one.all(PODS))
    await one.create(STATEFUL_SETS, stateful_set(3, labels={SICK: "yes"}, podManagementPolicy="Parallel"))
    await until(lambda: sorted(one.all(PODS)) == ["db-0", "db-1", "db-2"])


@in_cluster
async def test_scaling_down_takes_the_last_ones(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(STATEFUL_SETS, stateful_set(3))
    await until(lambda: ready(one) == 3)
    await one.merge(STATEFUL_SETS, "db", {"spec": {"replicas": 1}})
    await until(lambda: sorted(one.all(PODS)) == ["db-0"] and ready(one) == 1)


@in_cluster
async def test_a_new_template_goes_from_the_last_to_the_first_and_stops_at_the_partition(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(STATEFUL_SETS, stateful_set(3))
    await until(lambda: ready(one) == 3)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    await one.merge(STATEFUL_SETS, "db", {"spec": {**image("nginx:1.26"), "updateStrategy": rolling}})
    await until(lambda: images(one) == {"db-0": "nginx:1.25", "db-1": "nginx:1.26", "db-2": "nginx:1.26"})
    uid = one.all(PODS)["db-0"]["metadata"]["uid"]
    await one.work.writer.delete(PODS, one.all(PODS)["db-0"])
    await until(lambda: uid_of(one, "db-0") != uid and images(one).get("db-0") == "nginx:1.25")
    await one.merge(STATEFUL_SETS, "db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    await until(lambda: images(one) == {f"db-{number}": "nginx:1.26" for number in range(3)} and ready(one) == 3)
    await until(lambda: _is_done(one.status(STATEFUL_SETS, "db")))


def _is_done(status: Object) -> bool:
    return bool(status["currentRevision"] == status["updateRevision"] and status["updatedReplicas"] == 3)


@in_cluster
async def test_a_claim_becomes_an_empty_dir_and_that_is_said(one: Cluster) -> None:
    await one.nodes("node01")
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {}}}
    await one.create(STATEFUL_SETS, stateful_set(1, volumeClaimTemplates=[claim]))
    await until(lambda: ready(one) == 1)
    assert {"name": "data", "emptyDir": {}} in one.all(PODS)["db-0"]["spec"]["volumes"]
    await until(lambda: one.said("NoPersistentVolumes"))
