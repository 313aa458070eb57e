from sevengate.cluster.resources import PODS
from sevengate.lab.mirror import Object
from sevengate.lab.resources import DEPLOYMENTS, REPLICA_SETS
from tests.lab.controllers.clusters import SICK, Cluster, in_cluster, workload
from tests.waiting import until


def image(name: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


def images(one: Cluster) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in one.all(PODS).values())


def finished(one: Cluster, name: str = "web") -> bool:
    status = one.status(DEPLOYMENTS, name)
    deployment = one.get(DEPLOYMENTS, name)
    return bool(
        deployment
        and status.get("observedGeneration") == deployment["metadata"]["generation"]
        and one.condition(DEPLOYMENTS, name, "Progressing") == "True NewReplicaSetAvailable"
        and status.get("replicas") == status.get("updatedReplicas") == deployment["spec"]["replicas"]
    )


async def settled(one: Cluster, wanted: list[str]) -> None:
    """Wait for the end of a roll-out and for pods of certain images."""
    await until(lambda: finished(one) and images(one) == wanted)


@in_cluster
async def test_a_deployment_becomes_pods_that_are_ready(one: Cluster) -> None:
    await one.nodes("node01", "node02")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 3))
    await until(lambda: finished(one))
    status = one.status(DEPLOYMENTS, "web")
    assert [status[name] for name in ("replicas", "readyReplicas", "availableReplicas")] == [3, 3, 3]
    assert status["unavailableReplicas"] == 0
    assert one.condition(DEPLOYMENTS, "web", "Available") == "True MinimumReplicasAvailable"
    [replica_set] = one.all(REPLICA_SETS).values()
    hash_ = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{hash_}"
    assert all(pod["metadata"]["labels"]["pod-template-hash"] == hash_ for pod in one.all(PODS).values())
    await until(lambda: one.said("ScalingReplicaSet") == [f"Scaled up replica set web-{hash_} from 0 to 3"])
    await until(lambda: len(one.said("SuccessfulCreate")) == 3)


@in_cluster
async def test_a_new_template_rolls_out_and_never_leaves_too_few_or_makes_too_many(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 4))
    await until(lambda: finished(one))
    counts: list[tuple[int, int]] = []

    def count(_: object) -> None:
        pods = [pod for pod in one.pods.objects.values() if "deletionTimestamp" not in pod["metadata"]]
        ready = [pod for pod in pods if pod["status"]["phase"] == "Running"]
        counts.append((len(pods), len(ready)))

    one.pods.subscribe(count)
    await one.merge(DEPLOYMENTS, "web", image("nginx:1.26"))
    await settled(one, ["nginx:1.26"] * 4)
    later = counts[len(one.pods.objects) :]
    assert max(total for total, _ in later) <= 5
    assert min(ready for _, ready in later) >= 3
    assert sorted(each["spec"]["replicas"] for each in one.all(REPLICA_SETS).values()) == [0, 4]


@in_cluster
async def test_pods_that_never_get_ready_stop_the_roll_out_and_are_reported(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 4, progressDeadlineSeconds=1))
    await until(lambda: finished(one))
    sick = {"metadata": {"labels": {SICK: "yes"}}, "spec": {"containers": [{"name": "web", "image": "nginx:9"}]}}
    await one.merge(DEPLOYMENTS, "web", {"spec": {"template": sick}})
    await until(lambda: one.condition(DEPLOYMENTS, "web", "Progressing") == "False ProgressDeadlineExceeded")
    # The deadline says how long nothing got on, not that all was tried: a busy machine may still be at it.
    await until(lambda: images(one) == ["nginx:1.25"] * 3 + ["nginx:9"] * 2)
    assert one.condition(DEPLOYMENTS, "web", "Available") == "True MinimumReplicasAvailable"
    healthy = {"metadata": {"labels": {SICK: None}}, **image("nginx:1.27")["spec"]["template"]}
    await one.merge(DEPLOYMENTS, "web", {"spec": {"template": healthy}})
    await settled(one, ["nginx:1.27"] * 4)


@in_cluster
async def test_recreate_ends_all_old_pods_before_the_first_new_one(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 2, strategy={"type": "Recreate"}))
    await until(lambda: finished(one))
    mixed: list[list[str]] = []
    one.pods.subscribe(lambda _: mixed.append(images(one)))
    await one.merge(DEPLOYMENTS, "web", image("nginx:1.26"))
    await settled(one, ["nginx:1.26"] * 2)
    assert not [seen for seen in mixed if len(set(seen)) > 1]


@in_cluster
async def test_scaling_changes_pods_and_makes_no_revision(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 1))
    for replicas in (5, 2, 0, 1):
        await one.merge(DEPLOYMENTS, "web", {"spec": {"replicas": replicas}}, "scale")
        await settled(one, ["nginx:1.25"] * replicas)
    [replica_set] = one.all(REPLICA_SETS).values()
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


@in_cluster
async def test_scaling_in_the_middle_of_a_roll_out_spreads_over_old_and_new(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 8))
    await until(lambda: finished(one))
    sick = {"metadata": {"labels": {SICK: "yes"}}, "spec": {"containers": [{"name": "web", "image": "nginx:9"}]}}
    await one.merge(DEPLOYMENTS, "web", {"spec": {"template": sick}})
    await until(lambda: images(one) == ["nginx:1.25"] * 6 + ["nginx:9"] * 4)
    await one.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 16}})
    await until(lambda: images(one) == ["nginx:1.25"] * 12 + ["nginx:9"] * 8)


@in_cluster
async def test_old_replica_sets_are_kept_up_to_the_limit(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 1, revisionHistoryLimit=1))
    for number in range(4):
        await one.merge(DEPLOYMENTS, "web", image(f"nginx:{number}"))
        await settled(one, [f"nginx:{number}"])
    await until(lambda: len(one.all(REPLICA_SETS)) == 2)
    revisions = [each["metadata"]["annotations"] for each in one.all(REPLICA_SETS).values()]
    kept = sorted(int(each["deployment.kubernetes.io/revision"]) for each in revisions)
    assert kept[1] - kept[0] == 1


@in_cluster
async def test_an_old_template_comes_back_as_the_newest_revision(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 1))
    await until(lambda: finished(one))
    for name in ("nginx:1.26", "nginx:1.25"):
        await one.merge(DEPLOYMENTS, "web", image(name))
        await settled(one, [name])
    assert len(one.all(REPLICA_SETS)) == 2
    deployment = one.get(DEPLOYMENTS, "web")
    assert deployment
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


@in_cluster
async def test_a_paused_deployment_waits_and_goes_on_when_resumed(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
    await until(lambda: finished(one))
    await one.merge(DEPLOYMENTS, "web", {"spec": {"paused": True}})
    await until(lambda: one.condition(DEPLOYMENTS, "web", "Progressing") == "Unknown DeploymentPaused")
    changed = await one.merge(DEPLOYMENTS, "web", image("nginx:1.26"))
    generation = changed["metadata"]["generation"]
    await until(lambda: one.status(DEPLOYMENTS, "web").get("observedGeneration") == generation)
    assert images(one) == ["nginx:1.25"] * 2
    await one.merge(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    await settled(one, ["nginx:1.26"] * 2)


@in_cluster
async def test_a_deleted_deployment_takes_its_pods_with_it(one: Cluster) -> None:
    await one.nodes("node01")
    made = await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
    await until(lambda: finished(one))
    await one.work.writer.delete(DEPLOYMENTS, made)
    await until(lambda: not one.all(REPLICA_SETS) and not one.all(PODS))


@in_cluster
async def test_orphans_are_taken_in_by_the_one_that_selects_them(one: Cluster) -> None:
    await one.nodes("node01")
    made = await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
    await until(lambda: finished(one))
    names = set(one.all(PODS))
    await one.work.writer.delete(DEPLOYMENTS, made, policy="Orphan")
    await until(lambda: one.get(DEPLOYMENTS, "web") is None)
    assert set(one.all(PODS)) == names
    await one.create(DEPLOYMENTS, workload("Deployment", "web", 2))
    await until(lambda: finished(one))
    assert set(one.all(PODS)) == names
