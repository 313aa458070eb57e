"""What has become of a Job: how many pods run, ended well or failed, and whether that is the end of it.

Takes a Job and its pods; gives numbers, and the condition that ends it, if one does. Pure, but for the clock. Source:
Kubernetes, "Jobs" (handling pod and container failures, job termination).
"""

from collections.abc import Sequence
from typing import Final

from sevengate.lab.conditions import stated, with_condition
from sevengate.lab.controllers.controller import now_written, seconds_since
from sevengate.lab.controllers.pods import is_active, is_ready, phase, restarts
from sevengate.lab.mirror import Object

INDEX: Final = "batch.kubernetes.io/job-completion-index"
#: Seconds between a failure and the next try: the first time, and at most. A cluster takes ten times as long.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 36.0


class Tally:
    """The pods of a Job by what became of them; what was counted before stays counted when a pod is deleted."""

    def __init__(self, job: Object, pods: Sequence[Object]) -> None:
        self._job = job
        status = job.get("status") or {}
        self.active = [pod for pod in pods if is_active(pod)]
        self.failed_pods = [pod for pod in pods if phase(pod) == "Failed"]
        self.done = [pod for pod in pods if phase(pod) == "Succeeded"]
        self.succeeded: int = max(
            len(self._indexes_done()) if self._is_indexed else len(self.done), status.get("succeeded", 0)
        )
        self.failed: int = max(len(self.failed_pods), status.get("failed", 0))
        self.ready = sum(map(is_ready, self.active))
        self.restarts = sum(map(restarts, self.active)) if _restarts_in_place(job) else 0

    @property
    def _is_indexed(self) -> bool:
        return bool(self._job["spec"].get("completionMode") == "Indexed")

    def _indexes_done(self) -> set[str]:
        return {index_of(pod) for pod in self.done}

    def wanted_active(self) -> int:
        """Say how many pods are to run now."""
        spec = self._job["spec"]
        parallelism: int = spec.get("parallelism", 1)
        if spec.get("completions") is None:
            # Pods that share a queue end together: when one has ended well, no more are begun.
            return len(self.active) if self.succeeded else parallelism
        completions: int = spec["completions"]
        return min(parallelism, completions - self.succeeded)

    def seconds_to_deadline(self) -> float | None:
        """Say in how many seconds the Job will have taken too long; None if it may take for ever."""
        deadline, began = (
            self._job["spec"].get("activeDeadlineSeconds"),
            (self._job.get("status") or {}).get("startTime"),
        )
        if deadline is None:
            return None
        return float(deadline) - (seconds_since(began) if began else 0.0)


def verdict(job: Object, tally: Tally) -> Object | None:
    """Give the condition that ends a Job; None while it goes on."""
    completions = job["spec"].get("completions")
    is_complete = tally.succeeded >= completions if completions is not None else tally.succeeded and not tally.active
    if is_complete:
        reason, message = "CompletionsReached", "Reached expected number of succeeded pods"
        return stated("Complete", holds=True, reason=reason, message=message)
    if tally.failed + tally.restarts > job["spec"].get("backoffLimit", 6):
        message = "Job has reached the specified backoff limit"
        return stated("Failed", holds=True, reason="BackoffLimitExceeded", message=message)
    left = tally.seconds_to_deadline()
    if left is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return stated("Failed", holds=True, reason="DeadlineExceeded", message=message)
    return None


def seconds_to_retry(tally: Tally) -> float:
    """Say for how many seconds to wait before another pod is made in place of one that failed."""
    if not tally.failed_pods:
        return 0.0
    newest = max(_ended(pod) for pod in tally.failed_pods)
    pause: float = min(_FIRST_PAUSE * 2.0 ** min(tally.failed - 1, 16), _LONGEST_PAUSE)
    return pause - seconds_since(newest)


def missing_indexes(job: Object, tally: Tally, count: int) -> list[int]:
    """Give the lowest numbers of a Job's parts that nobody works at, and that are not done."""
    taken = {index_of(pod) for pod in (*tally.active, *tally.done)}
    return [index for index in range(job["spec"]["completions"]) if str(index) not in taken][:count]


def status_of(job: Object, tally: Tally, ended: Object | None) -> Object:
    """Give the status of a Job."""
    held = job.get("status") or {}
    status: Object = {
        "active": len(tally.active) or None,
        "ready": tally.ready,
        "succeeded": tally.succeeded or None,
        "failed": tally.failed or None,
        "terminating": 0,
        "startTime": held.get("startTime") or (None if job["spec"].get("suspend") else now_written()),
    }
    conditions = list(held.get("conditions") or ())
    if job["spec"].get("suspend") and not ended:
        suspended = stated("Suspended", holds=True, reason="JobSuspended", message="Job suspended")
        conditions = with_condition(conditions, suspended, now_written())
    elif any(one["type"] == "Suspended" for one in conditions):
        resumed = stated("Suspended", holds=False, reason="JobResumed", message="Job resumed")
        conditions = with_condition(conditions, resumed, now_written())
    if ended:
        # The first says that it is decided, the second that all pods have ended.
        met = "SuccessCriteriaMet" if ended["type"] == "Complete" else "FailureTarget"
        for one in ({**ended, "type": met}, ended):
            conditions = with_condition(conditions, one, now_written())
        if ended["type"] == "Complete":
            status["completionTime"] = now_written()
    return {**status, "conditions": conditions or None}


def index_of(pod: Object) -> str:
    """Give the number of the part that a pod works at; "" for none."""
    return str((pod["metadata"].get("annotations") or {}).get(INDEX, ""))


def _restarts_in_place(job: Object) -> bool:
    return bool(job["spec"]["template"]["spec"].get("restartPolicy") == "OnFailure")


def _ended(pod: Object) -> str:
    """Say when a pod ended, as well as it is known."""
    states = [one.get("state") or {} for one in pod["status"].get("containerStatuses") or ()]
    ends = [state["terminated"]["finishedAt"] for state in states if (state.get("terminated") or {}).get("finishedAt")]
    return str(max(ends, default=pod["metadata"]["creationTimestamp"]))
