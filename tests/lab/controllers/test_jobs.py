from typing import Any

from sevengate.cluster.resources import PODS
from sevengate.lab.mirror import Object
from sevengate.lab.resources import JOBS
from tests.lab.controllers.clusters import ENDS, Cluster, in_cluster
from tests.waiting import until


def job(ends: str = "", **spec: Any) -> Object:
    labels = {"job": "sum"} | ({ENDS: ends} if ends else {})
    pod = {"restartPolicy": "Never", "containers": [{"name": "sum", "image": "busybox"}]}
    return {"metadata": {"name": "sum"}, "spec": {"template": {"metadata": {"labels": labels}, "spec": pod}, **spec}}


def active(one: Cluster) -> list[str]:
    return [name for name, pod in one.all(PODS).items() if pod["status"]["phase"] in {"Pending", "Running"}]


@in_cluster
async def test_a_job_runs_until_enough_pods_have_ended_well(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(JOBS, job("Succeeded", completions=5, parallelism=2))
    await until(lambda: one.condition(JOBS, "sum", "Complete") == "True CompletionsReached")
    status = one.status(JOBS, "sum")
    assert status["succeeded"] == 5
    assert "active" not in status
    assert status["completionTime"]
    assert len(one.all(PODS)) == 5
    await until(lambda: one.said("Completed") == ["Job completed"])


@in_cluster
async def test_no_more_pods_run_than_may(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(JOBS, job(completions=5, parallelism=2))
    await until(lambda: one.status(JOBS, "sum").get("active") == 2 and len(active(one)) == 2)
    await one.merge(JOBS, "sum", {"spec": {"parallelism": 3}})
    await until(lambda: one.status(JOBS, "sum").get("active") == 3 and len(active(one)) == 3)
    await one.merge(JOBS, "sum", {"spec": {"suspend": True}})
    await until(lambda: not active(one) and one.condition(JOBS, "sum", "Suspended") == "True JobSuspended")
    await one.merge(JOBS, "sum", {"spec": {"suspend": False}})
    await until(lambda: len(active(one)) == 3 and one.condition(JOBS, "sum", "Suspended") == "False JobResumed")


@in_cluster
async def test_a_job_whose_pods_fail_is_given_up(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(JOBS, job("Failed", backoffLimit=1))
    await until(lambda: one.condition(JOBS, "sum", "Failed") == "True BackoffLimitExceeded")
    assert one.status(JOBS, "sum")["failed"] == 2
    assert len(one.all(PODS)) == 2


@in_cluster
async def test_a_job_that_takes_too_long_is_ended(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(JOBS, job(activeDeadlineSeconds=1))
    await until(lambda: len(active(one)) == 1)
    await until(lambda: one.condition(JOBS, "sum", "Failed") == "True DeadlineExceeded")
    assert active(one) == []


@in_cluster
async def test_each_pod_of_an_indexed_job_has_a_part_of_its_own(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(JOBS, job("Succeeded", completions=3, parallelism=2, completionMode="Indexed"))
    await until(lambda: one.condition(JOBS, "sum", "Complete") == "True CompletionsReached")
    variables = [pod["spec"]["containers"][0]["env"][0]["value"] for pod in one.all(PODS).values()]
    assert sorted(variables) == ["0", "1", "2"]


@in_cluster
async def test_a_finished_job_goes_when_its_time_is_over(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(JOBS, job("Succeeded", ttlSecondsAfterFinished=0))
    await until(lambda: one.said("Completed"))
    await until(lambda: not one.all(JOBS) and not one.all(PODS))
