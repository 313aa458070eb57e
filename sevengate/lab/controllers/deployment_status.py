"""What a Deployment says of itself, in the words by which `kubectl rollout status` and `kubectl wait` decide.

Takes the Deployment and its ReplicaSets; gives its status. Pure, but for the clock. Source: Kubernetes, "Deployments"
(Deployment status).
"""

from collections.abc import Sequence
from typing import Final

from sevengate.lab.conditions import condition, stated, with_condition, without_condition
from sevengate.lab.controllers.controller import now_written, seconds_since
from sevengate.lab.controllers.rollout import allowed, counted, wished
from sevengate.lab.mirror import Object

#: No deadline is meant by the greatest number.
_NO_DEADLINE: Final = 2**31 - 1
_FINISHED: Final = "NewReplicaSetAvailable"
_LATE: Final = "ProgressDeadlineExceeded"


def status_of(deployment: Object, new: Object | None, sets: Sequence[Object]) -> Object:
    """Give the status of a Deployment; `sets` are all of its ReplicaSets, with the new one."""
    status = _counts(deployment, new, sets)
    conditions = (deployment.get("status") or {}).get("conditions") or []
    conditions = with_condition(conditions, _dated(_availability(deployment, status)), now_written())
    failure = next((found for one in sets if (found := condition(one, "ReplicaFailure"))), None)
    if failure:
        conditions = with_condition(conditions, {**failure, "lastUpdateTime": now_written()}, now_written())
    else:
        conditions = without_condition(conditions, "ReplicaFailure")
    if progress := _progress(deployment, new, status):
        conditions = with_condition(conditions, progress, now_written())
    return {**status, "conditions": _kept_where_same(deployment, conditions)}


def seconds_to_deadline(deployment: Object) -> float | None:
    """Say in how many seconds a roll-out will have taken too long; None if it is over or has no deadline."""
    progress = condition(deployment, "Progressing")
    deadline = deployment["spec"].get("progressDeadlineSeconds", _NO_DEADLINE)
    if progress is None or deadline == _NO_DEADLINE or progress["reason"] in {_FINISHED, _LATE, "DeploymentPaused"}:
        return None
    return max(0.0, float(deadline) - seconds_since(progress["lastUpdateTime"])) + 0.5


def is_complete(deployment: Object, status: Object) -> bool:
    """Say whether all pods are new, and available."""
    fields = ("replicas", "updatedReplicas", "availableReplicas")
    return all(status.get(field, 0) == deployment["spec"]["replicas"] for field in fields)


def _counts(deployment: Object, new: Object | None, sets: Sequence[Object]) -> Object:
    total, available = counted(sets, "replicas"), counted(sets, "availableReplicas")
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total,
        "updatedReplicas": counted([new], "replicas") if new else 0,
        "readyReplicas": counted(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(wished(sets) - available, 0),
    }


def _availability(deployment: Object, status: Object) -> Object:
    _, unavailable = allowed(deployment)
    enough = status["availableReplicas"] >= deployment["spec"]["replicas"] - unavailable
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    words = "has" if enough else "does not have"
    return stated("Available", holds=enough, reason=reason, message=f"Deployment {words} minimum availability.")


def _progress(deployment: Object, new: Object | None, status: Object) -> Object | None:
    """Give the condition Progressing if it is to be another than it is."""
    held = condition(deployment, "Progressing")
    if deployment["spec"].get("paused"):
        return _unknown("DeploymentPaused", "Deployment is paused", held)
    if held is not None and held["reason"] == "DeploymentPaused":
        return _unknown("DeploymentResumed", "Deployment is resumed", held)
    name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if is_complete(deployment, status) and new:
        return _stated("True", _FINISHED, f"{name} has successfully progressed.")
    if held is None or _has_moved(deployment.get("status") or {}, status):
        return _stated("True", "ReplicaSetUpdated", f"{name} is progressing.")
    return _standstill(deployment, held, status, name)


def _standstill(deployment: Object, held: Object, status: Object, name: str) -> Object | None:
    """Give the condition of a roll-out that has not moved since the last look, if it is to be another."""
    if held["reason"] == _FINISHED and status["replicas"] == status["updatedReplicas"]:
        return None  # a pod that fell ill after the roll-out is no roll-out
    deadline = deployment["spec"].get("progressDeadlineSeconds", _NO_DEADLINE)
    if deadline != _NO_DEADLINE and seconds_since(held["lastUpdateTime"]) > deadline:
        return _stated("False", _LATE, f"{name} has timed out progressing.")
    if held["reason"] == _FINISHED:
        return _stated("True", "ReplicaSetUpdated", f"{name} is progressing.")
    return None


def _has_moved(before: Object, status: Object) -> bool:
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    fewer_old = status["replicas"] - status["updatedReplicas"] < old_before
    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return fewer_old or any(status[field] > before.get(field, 0) for field in grown)


def _unknown(reason: str, message: str, held: Object | None) -> Object | None:
    return None if held is not None and held["reason"] == reason else _stated("Unknown", reason, message)


def _stated(status: str, reason: str, message: str) -> Object:
    return _dated({"type": "Progressing", "status": status, "reason": reason, "message": message})


def _dated(one: Object) -> Object:
    return {**one, "lastUpdateTime": now_written()}


def _kept_where_same(deployment: Object, conditions: list[Object]) -> list[Object]:
    """Keep the time of a condition that says what it said before, so that nothing is written for the time's sake."""
    return [_kept(condition(deployment, one["type"]), one) for one in conditions]


def _kept(held: Object | None, one: Object) -> Object:
    words = ("status", "reason", "message")
    if held is None or any(held.get(word) != one.get(word) for word in words):
        return one
    # While pods are on their way the deadline counts from the last of them.
    return one if one["type"] == "Progressing" and one["reason"] == "ReplicaSetUpdated" else held
