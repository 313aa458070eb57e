"""What controllers ask about pods: whether they count, serve, have served long enough, and which of them goes first.

Pure, but for the clock. Source: Kubernetes, "Pod Lifecycle" and "ReplicaSet" (scaling down).
"""

from datetime import datetime
from typing import Final

from sevengate.lab.conditions import condition, is_true
from sevengate.lab.controllers.controller import is_going, moment, now
from sevengate.lab.mirror import Object

_OVER: Final = frozenset({"Succeeded", "Failed"})
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def phase(pod: Object) -> str:
    """Give a pod's phase."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_over(pod: Object) -> bool:
    """Say whether a pod's containers have ended for good."""
    return phase(pod) in _OVER


def is_active(pod: Object) -> bool:
    """Say whether a pod counts as a replica."""
    return not is_over(pod) and not is_going(pod)


def is_ready(pod: Object) -> bool:
    """Say whether a pod is ready to serve."""
    return is_true(pod, "Ready")


def seconds_to_available(pod: Object, min_ready: int) -> float | None:
    """Say in how many seconds a pod will have been ready for long enough: 0 for now, None while it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    if not min_ready:
        return 0.0
    return max(0.0, min_ready - (now() - moment(ready["lastTransitionTime"])).total_seconds())


def is_available(pod: Object, min_ready: int) -> bool:
    """Say whether a pod has been ready for long enough."""
    return seconds_to_available(pod, min_ready) == 0.0


def next_available(pods: list[Object], min_ready: int) -> float | None:
    """Say in how many seconds the next pod will have been ready for long enough; None if none is on its way."""
    waits = [wait for pod in pods if (wait := seconds_to_available(pod, min_ready))]
    return min(waits) + 0.01 if waits else None


def restarts(pod: Object) -> int:
    """Count the restarts of a pod's containers."""
    return max((one["restartCount"] for one in (pod.get("status") or {}).get("containerStatuses") or ()), default=0)


def deletion_order(pods: list[Object]) -> list[Object]:
    """Give pods in the order in which they are deleted when there are too many.

    First those that have come least far, then those that share a node with others, then the youngest.
    """
    crowd: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName", "")
        crowd[node] = crowd.get(node, 0) + 1

    def rank(pod: Object) -> tuple[object, ...]:
        ready = condition(pod, "Ready")
        since = moment(ready["lastTransitionTime"]) if ready and ready["status"] == "True" else None
        return (
            bool(pod["spec"].get("nodeName")),
            _PHASES.get(phase(pod), 1),
            since is not None,
            _cost(pod),
            -crowd[pod["spec"].get("nodeName", "")],
            _youngest(since),
            -restarts(pod),
            _youngest(moment(pod["metadata"]["creationTimestamp"])),
            pod["metadata"]["name"],
        )

    return sorted(pods, key=rank)


def _youngest(since: datetime | None) -> float:
    return -since.timestamp() if since else 0.0


def _cost(pod: Object) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0")
    return int(text) if text.lstrip("-").isdecimal() else 0
