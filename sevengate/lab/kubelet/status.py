"""What a pod's status says, from what its containers are doing.

Takes the pod and the states of its containers; gives status as plain data. Pure. Conditions keep the moment of their
last change as long as they do not change. Source: Kubernetes, "Pod Lifecycle".
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from sevengate.lab.mirror import Object


class Exit(msgspec.Struct, frozen=True):
    """How a run of a container ended."""

    code: int
    started: str
    finished: str
    reason: str = ""
    message: str = ""
    id: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it did what it should."""
        return self.code == 0

    def shown(self) -> Object:
        """Give the field `terminated`."""
        return {
            "exitCode": self.code,
            "reason": self.reason or ("Completed" if self.is_good else "Error"),
            **({"message": self.message} if self.message else {}),
            "startedAt": self.started,
            "finishedAt": self.finished,
            "containerID": self.id,
        }


class State(msgspec.Struct):
    """What a container is doing: it waits for a reason, runs since a moment, or has ended."""

    name: str
    image: str
    reason: str = "ContainerCreating"
    message: str = ""
    running_since: str = ""
    exit: Exit | None = None
    last: Exit | None = None
    restarts: int = 0
    is_ready: bool = False
    is_started: bool = False
    id: str = ""
    is_sidecar: bool = False

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return bool(self.running_since)

    def shown(self) -> Object:
        """Give the container's status."""
        if self.running_since:
            now: Object = {"running": {"startedAt": self.running_since}}
        elif self.exit:
            now = {"terminated": self.exit.shown()}
        else:
            now = {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"lab://{self.image}" if self.id else "",
            **({"containerID": self.id} if self.id else {}),
            "ready": self.is_ready,
            "started": self.is_started,
            "restartCount": self.restarts,
            "state": now,
            "lastState": {"terminated": self.last.shown()} if self.last else {},
        }


class Addresses(msgspec.Struct, frozen=True):
    """Where a pod is."""

    pod: str
    node: str


def pod_status(pod: Object, init: Sequence[State], main: Sequence[State], where: Addresses) -> Object:
    """Give a pod's status."""
    phase = _phase(pod, init, main)
    now = _now()
    status: dict[str, Any] = {
        "phase": phase,
        "hostIP": where.node,
        "hostIPs": [{"ip": where.node}],
        "podIP": where.pod,
        "podIPs": [{"ip": where.pod}],
        "startTime": (pod.get("status") or {}).get("startTime") or now,
        "conditions": _conditions(pod, init, main, phase),
        "containerStatuses": [state.shown() for state in main],
        "qosClass": _quality(pod),
    }
    if init:
        status["initContainerStatuses"] = [state.shown() for state in init]
    return status


def _phase(pod: Object, init: Sequence[State], main: Sequence[State]) -> str:
    policy = pod["spec"].get("restartPolicy", "Always")
    if policy == "Never" and any(state.exit and not state.exit.is_good for state in init if not state.is_sidecar):
        return "Failed"
    if any(state.is_running for state in main):
        return "Running"
    exits = [state.exit for state in main]
    if policy != "Always" and all(exits):
        good = all(one.is_good for one in exits if one)
        return "Succeeded" if good else "Failed" if policy == "Never" else "Running"
    if any(state.last or state.exit for state in main):
        return "Running"
    return "Pending"


def _conditions(pod: Object, init: Sequence[State], main: Sequence[State], phase: str) -> list[Object]:
    is_over = phase in {"Succeeded", "Failed"}
    lacking = [state.name for state in init if not _is_initialized(state)]
    unready = [state.name for state in (*main, *(one for one in init if one.is_sidecar)) if not state.is_ready]
    gates = _gates(pod)
    containers = ("PodCompleted", "") if is_over else ("ContainersNotReady", _named("unready status", unready))
    are_ready = not unready and not is_over
    facts = {
        "PodReadyToStartContainers": (True, "", ""),
        "Initialized": (
            not lacking,
            "PodCompleted" if is_over and not lacking else "ContainersNotInitialized" if lacking else "",
            _named("incomplete status", lacking),
        ),
        "ContainersReady": (are_ready, *(("", "") if are_ready else containers)),
        "Ready": (
            are_ready and not gates,
            *(
                ("", "")
                if are_ready and not gates
                else containers
                if not are_ready
                else ("ReadinessGatesNotReady", gates)
            ),
        ),
        "PodScheduled": (True, "", ""),
    }
    held = {one["type"]: one for one in (pod.get("status") or {}).get("conditions") or ()}
    others = [one for kind, one in held.items() if kind not in facts]
    return [*(_condition(kind, fact, held.get(kind)) for kind, fact in facts.items()), *others]


def _is_initialized(state: State) -> bool:
    return state.is_started if state.is_sidecar else bool(state.exit and state.exit.is_good)


def _gates(pod: Object) -> str:
    """Say which readiness gates are not fulfilled."""
    held = {one["type"]: one["status"] for one in (pod.get("status") or {}).get("conditions") or ()}
    wanted = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    return ", ".join(
        f'corresponding condition of pod readiness gate "{one}" does not exist.'
        for one in wanted
        if held.get(one) != "True"
    )


def _named(what: str, names: Iterable[str]) -> str:
    listed = " ".join(names)
    return f"containers with {what}: [{listed}]" if listed else ""


def _condition(kind: str, fact: tuple[bool, str, str], held: Object | None) -> Object:
    is_true, reason, message = fact
    status = "True" if is_true else "False"
    since = (
        held["lastTransitionTime"] if held and held["status"] == status and held.get("lastTransitionTime") else _now()
    )
    condition: Object = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _quality(pod: Object) -> str:
    resources = [container.get("resources") or {} for container in pod["spec"]["containers"]]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    wanted = ("cpu", "memory")
    limits = [one.get("limits") or {} for one in resources]
    requests = [(one.get("requests") or one.get("limits") or {}) for one in resources]
    are_equal = all(
        limit.get(name) and limit[name] == request.get(name, limit[name])
        for limit, request in zip(limits, requests, strict=True)
        for name in wanted
    )
    return "Guaranteed" if are_equal else "Burstable"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
