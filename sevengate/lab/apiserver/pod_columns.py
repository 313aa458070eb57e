"""What `kubectl get pods` prints of a pod: how many containers are ready, in one word what it is doing, and restarts.

Takes a pod and the time; gives the cells behind its name. Pure. The word is that of the first container that something
is wrong with; as long as the pod is being initialized, that of the init container whose turn it is.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.durations import age

_NONE: Final = "<none>"
_OVER: Final = frozenset({"Succeeded", "Failed"})


class _Pod(msgspec.Struct, frozen=True):
    """A pod's parts: statuses of init containers in their order, those that go on beside the others, and the others."""

    spec: Object
    status: Object
    init: list[Object]
    sidecars: list[Object]
    main: list[Object]


def pod_cells(pod: Object, now: datetime) -> list[Any]:
    """Give the cells of a pod's row."""
    one = _read(pod)
    waiting = _initializing(one)
    counted = one.init if waiting else [*one.main, *one.sidecars]
    gates = one.spec.get("readinessGates") or ()
    met = {held["type"] for held in one.status.get("conditions") or () if held["status"] == "True"}
    return [
        _ready(one),
        _word(pod, one, waiting),
        _restarts(counted, now),
        age(pod["metadata"].get("creationTimestamp"), now),
        one.status.get("podIP") or _NONE,
        one.spec.get("nodeName") or _NONE,
        one.status.get("nominatedNodeName") or _NONE,
        f"{sum(gate['conditionType'] in met for gate in gates)}/{len(gates)}" if gates else _NONE,
    ]


def _read(pod: Object) -> _Pod:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    beside = {one["name"] for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    init = list(status.get("initContainerStatuses") or ())
    sidecars = [one for one in init if one["name"] in beside]
    return _Pod(spec, status, init, sidecars, list(status.get("containerStatuses") or ()))


def _ready(pod: _Pod) -> str:
    sidecars = sum(one.get("restartPolicy") == "Always" for one in pod.spec.get("initContainers") or ())
    ready = sum(bool(one.get("ready")) for one in (*pod.main, *pod.sidecars))
    return f"{ready}/{len(pod.spec.get('containers') or ()) + sidecars}"


def _initializing(pod: _Pod) -> str:
    """Say at which init container a pod is, "" when it is past them."""
    for number, status in enumerate(pod.init):
        state = status.get("state") or {}
        ended = state.get("terminated")
        if (ended and ended.get("exitCode") == 0) or (status in pod.sidecars and status.get("started")):
            continue
        if ended:
            return f"Init:{_end(ended)}"
        reason = (state.get("waiting") or {}).get("reason") or "PodInitializing"
        total = len(pod.spec.get("initContainers") or ())
        return f"Init:{number}/{total}" if reason == "PodInitializing" else f"Init:{reason}"
    return ""


def _word(thing: Object, pod: _Pod, initializing: str) -> str:
    phase = pod.status.get("phase") or "Unknown"
    if "deletionTimestamp" in thing["metadata"] and phase not in _OVER:
        return "Terminating"
    word = initializing or next(filter(None, map(_wrong, pod.main)), "")
    if word == "Completed" and any(one.get("ready") for one in pod.main):
        conditions = pod.status.get("conditions") or ()
        return "Running" if any((one["type"], one["status"]) == ("Ready", "True") for one in conditions) else "NotReady"
    return str(word or pod.status.get("reason") or phase)


def _wrong(status: Object) -> str:
    """Say in one word why a container does not run, "" if it does."""
    state = status.get("state") or {}
    if ended := state.get("terminated"):
        return _end(ended)
    return str((state.get("waiting") or {}).get("reason") or "")


def _end(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _restarts(statuses: Iterable[Object], now: datetime) -> str:
    counted = list(statuses)
    total = sum(one.get("restartCount", 0) for one in counted)
    ends = [((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for one in counted]
    last = max(filter(None, ends), default="")
    return f"{total} ({age(last, now)} ago)" if total and last else str(total)
