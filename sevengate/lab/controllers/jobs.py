"""Jobs: pods that end, until as many have ended well as are wished.

Takes Jobs and their pods; creates pods, counts what became of them, and says when a Job is complete or has failed.
Counting and wording is done in `job_status`. Source: Kubernetes, "Jobs", "Automatic Cleanup for Finished Jobs".
"""

from typing import Final

from sevengate.cluster.resources import PODS
from sevengate.lab.conditions import is_true
from sevengate.lab.controllers.controller import Part, is_going, seconds_since
from sevengate.lab.controllers.dependents import Dependents
from sevengate.lab.controllers.job_status import INDEX, Tally, missing_indexes, seconds_to_retry, status_of, verdict
from sevengate.lab.controllers.pods import deletion_order, is_active
from sevengate.lab.controllers.replicas import PodMaker, pod_of
from sevengate.lab.mirror import Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.resources import JOBS
from sevengate.lab.workplace import Workplace

_INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"


class Jobs:
    """Runs Jobs."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._jobs = work.mirrors.of(JOBS)
        self._pods = Dependents(work, JOBS, PODS)
        self._recorder = Recorder(work.client, "job-controller")
        self._maker = PodMaker(work.writer, self._recorder)
        self._reconciler = Reconciler("job", self._look)
        self._jobs.subscribe(lambda change: self._reconciler.ask(change.key))
        self._pods.follow(self._reconciler.ask)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    async def _look(self, key: str) -> float | None:
        job = self._jobs.objects.get(key)
        if job is None or is_going(job):
            return None
        if is_true(job, "Complete") or is_true(job, "Failed"):
            return await self._clear_away(job)
        pods = await self._pods.claim(job)
        tally = Tally(job, pods)
        ended = verdict(job, tally)
        later = None
        if ended or job["spec"].get("suspend"):
            await self._maker.delete(job, (pod for pod in pods if is_active(pod)))
        else:
            later = await self._staff(job, tally)
        tally = Tally(job, self._pods.of(job))
        if ended and tally.active:
            return later  # the verdict is told when all pods have ended
        await self._report(job, tally, ended)
        return later

    async def _report(self, job: Object, tally: Tally, ended: Object | None) -> None:
        await self._writer.merge_status(JOBS, job, status_of(job, tally, ended))
        if ended and ended["type"] == "Complete":
            self._recorder.tell(job, "Completed", "Job completed")
        elif ended:
            self._recorder.tell(job, ended["reason"], ended["message"], "Warning")

    async def _staff(self, job: Object, tally: Tally) -> float | None:
        """Have as many pods run as may; gives the seconds after which to look again."""
        wanted = tally.wanted_active()
        if len(tally.active) > wanted:
            await self._maker.delete(job, deletion_order(tally.active)[: len(tally.active) - wanted])
        elif len(tally.active) < wanted:
            pause = seconds_to_retry(tally)
            if pause > 0:
                return pause
            await self._maker.create(job, self._made(job, tally, wanted - len(tally.active)))
        return tally.seconds_to_deadline()

    def _made(self, job: Object, tally: Tally, count: int) -> list[Object]:
        template = job["spec"]["template"]
        if job["spec"].get("completionMode") != "Indexed":
            return [pod_of(job, template) for _ in range(count)]
        return [_indexed(pod_of(job, template), index) for index in missing_indexes(job, tally, count)]

    async def _clear_away(self, job: Object) -> float | None:
        lasts = job["spec"].get("ttlSecondsAfterFinished")
        if lasts is None:
            return None
        ends = [one for one in job["status"]["conditions"] if one["type"] in {"Complete", "Failed"}]
        left = float(lasts) - seconds_since(ends[0]["lastTransitionTime"])
        if left > 0:
            return left
        await self._writer.delete(JOBS, job)
        return None


def _indexed(pod: Object, index: int) -> Object:
    """Give a pod its number, by which its program finds its part of the work."""
    metadata = pod["metadata"]
    name = metadata["generateName"].removesuffix("-")
    marked = {
        **metadata,
        "generateName": f"{name}-{index}-",
        "labels": {**metadata["labels"], INDEX: str(index)},
        "annotations": {**metadata["annotations"], INDEX: str(index)},
    }
    variable = {"name": _INDEX_VARIABLE, "value": str(index)}
    containers = [{**one, "env": [*(one.get("env") or ()), variable]} for one in pod["spec"]["containers"]]
    return {"metadata": marked, "spec": {**pod["spec"], "containers": containers}}
