"""Which node may run a pod, and if none, why not, in the words that people search for.

Takes a pod and the nodes with the pods that are on them; gives reasons. Pure. The scheduler asks for every node,
DaemonSets for each of theirs. Source: Kubernetes, "Assigning Pods to Nodes", "Taints and Tolerations".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from sevengate.lab.controllers.selection import matches
from sevengate.lab.mirror import Object

#: What is wrong with a node that no pod's departure would mend.
_FOR_GOOD: Final = (
    "node(s) were unschedulable",
    "node(s) had untolerated taint",
    "node(s) didn't match Pod's node affinity/selector",
    "node(s) didn't match the requested node name",
)
UNSCHEDULABLE: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Room:
    """A node and the pods that are on it, or on their way to it.

    There may be thousands: only those that take ports, and the `picky` ones that will not be near others, are looked at
    for every pod.
    """

    def __init__(self, node: Object, pods: Callable[[], Sequence[Object]], count: int) -> None:
        self.node = node
        self.count = count
        self.with_ports: list[Object] = []
        self.picky: list[Object] = []
        self._pods = pods

    @property
    def pods(self) -> Sequence[Object]:
        """All pods."""
        return self._pods()


def why_not(pod: Object, room: Room, rooms: Sequence[Room]) -> str:
    """Say what keeps a pod from a node, "" for nothing; `rooms` are all there are, for what pods wish of each other."""
    return why_never(pod, room.node) or next(_crowded(pod, room, rooms), "")


def why_never(pod: Object, node: Object) -> str:
    """Say what keeps a pod from a node whoever else is there, "" for nothing."""
    if _spec(node).get("unschedulable") and not _tolerates(pod, UNSCHEDULABLE):
        return "node(s) were unschedulable"
    if (wanted := pod["spec"].get("nodeName")) and wanted != node["metadata"]["name"]:
        return "node(s) didn't match the requested node name"
    if taint := untolerated(pod, node):
        return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return "" if is_wanted(pod, node) else "node(s) didn't match Pod's node affinity/selector"


def _crowded(pod: Object, room: Room, rooms: Sequence[Room]) -> Iterator[str]:
    wanted = host_ports(pod)
    if wanted and wanted & {port for one in room.with_ports for port in host_ports(one)}:
        yield "node(s) didn't have free ports for the requested pod ports"
    if room.count >= int((room.node.get("status") or {}).get("allocatable", {}).get("pods", 110)):
        yield "Too many pods"
    yield from _company(pod, room, rooms)


def is_for_good(reason: str) -> bool:
    """Say whether no pod's departure would mend a reason."""
    return reason.startswith(_FOR_GOOD)


def untolerated(pod: Object, node: Object, effects: Iterable[str] = ("NoSchedule", "NoExecute")) -> Object | None:
    """Give the first taint of a node that a pod does not tolerate, or None."""
    taints = _spec(node).get("taints") or ()
    # That of a node which is not to be scheduled on says what `unschedulable` said already.
    return next(
        (one for one in taints if one["effect"] in set(effects) and one["key"] != UNSCHEDULABLE["key"]
         and not _tolerates(pod, one)),
        None,
    )  # fmt: skip


def toleration(pod: Object, taint: Object) -> Object | None:
    """Give the toleration of a pod for a taint, or None."""
    return next((one for one in pod["spec"].get("tolerations") or () if _covers(one, taint)), None)


def _tolerates(pod: Object, taint: Object) -> bool:
    return toleration(pod, taint) is not None


def _covers(one: Object, taint: Object) -> bool:
    if one.get("effect") and one["effect"] != taint["effect"]:
        return False
    is_any: bool = one.get("operator", "Equal") == "Exists"
    if not one.get("key"):
        return is_any
    is_same: bool = one["key"] == taint["key"]
    return is_same and (is_any or one.get("value", "") == taint.get("value", ""))


def is_wanted(pod: Object, node: Object) -> bool:
    """Say whether a pod's nodeSelector and required affinity let it run on a node."""
    labels = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    if not selector.items() <= labels.items():
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_meets(term, node) for term in required.get("nodeSelectorTerms") or ())


def _meets(term: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    fields = {"metadata.name": node["metadata"]["name"]}
    expressions, by_field = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not (expressions or by_field):
        return False
    return all(_holds(one, labels) for one in expressions) and all(_holds(one, fields) for one in by_field)


def _holds(rule: Object, values: dict[str, str]) -> bool:
    key: str = rule["key"]
    wanted: Sequence[str] = rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return values.get(key) in wanted
        case "NotIn":
            return key not in values or values[key] not in wanted
        case "Exists":
            return key in values
        case "DoesNotExist":
            return key not in values
        case "Gt" | "Lt":
            return key in values and _compares(values[key], rule["operator"], wanted[0])
        case _:
            return False


def _compares(value: str, operator: str, limit: str) -> bool:
    try:
        return int(value) > int(limit) if operator == "Gt" else int(value) < int(limit)
    except ValueError:
        return False


def host_ports(pod: Object) -> set[tuple[str, int]]:
    """Give the ports of its node that a pod takes."""
    return {
        (port.get("protocol", "TCP"), port["hostPort"])
        for container in pod["spec"].get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def _company(pod: Object, room: Room, rooms: Sequence[Room]) -> Iterator[str]:
    """Say what pods on nodes like this one, and those that must be there, have against it."""
    for term in pod_terms(pod, "podAntiAffinity"):
        if any(_is_meant(term, pod, other) for near in _near(term, room, rooms) for other in near.pods):
            yield "node(s) didn't match pod anti-affinity rules"
    for near in rooms:
        for other in near.picky:
            for term in pod_terms(other, "podAntiAffinity"):
                if near in _near(term, room, rooms) and _is_meant(term, other, pod):
                    yield "node(s) didn't satisfy existing pods anti-affinity rules"
    for term in pod_terms(pod, "podAffinity"):
        # The first of a group that wants to be together has nobody to join.
        is_first = _is_meant(term, pod, pod) and not any(
            _is_meant(term, pod, other) for near in rooms for other in near.pods
        )
        near_by = (other for near in _near(term, room, rooms) for other in near.pods)
        if not is_first and not any(_is_meant(term, pod, other) for other in near_by):
            yield "node(s) didn't match pod affinity rules"


def pod_terms(pod: Object, kind: str) -> Sequence[Object]:
    """Give what a pod demands of others near it, by `podAffinity` or `podAntiAffinity`."""
    affinity = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()


def _near(term: Object, room: Room, rooms: Sequence[Room]) -> Sequence[Room]:
    """Give the nodes of the same zone, rack or name, as the topology key of a term says."""
    key = term["topologyKey"]
    place = (room.node["metadata"].get("labels") or {}).get(key)
    return [
        other for other in rooms if place is not None and (other.node["metadata"].get("labels") or {}).get(key) == place
    ]


def _is_meant(term: Object, asking: Object, other: Object) -> bool:
    namespaces = term.get("namespaces") or [asking["metadata"]["namespace"]]
    return other["metadata"]["namespace"] in namespaces and matches(term.get("labelSelector") or {}, other)


def summary(reasons: Sequence[str]) -> str:
    """Say of all nodes why none of them takes a pod, as the scheduler says it."""
    if not reasons:
        return "no nodes available to schedule pods"
    total = f"0/{len(reasons)} nodes are available"
    final = sum(map(is_for_good, reasons))
    tail = {
        "Preemption is not helpful for scheduling": final,
        "No preemption victims found for incoming pod": len(reasons) - final,
    }
    preemption = _listed({words: count for words, count in tail.items() if count})
    counted = {reason: reasons.count(reason) for reason in reasons}
    return f"{total}: {_listed(counted)}. preemption: {total}: {preemption}."


def _spec(node: Object) -> Object:
    """Give the spec of a node; one that was made by hand may have none."""
    return node.get("spec") or {}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
