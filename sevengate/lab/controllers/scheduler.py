"""The scheduler: gives each pod that has none a node, or says why it cannot.

Takes pods and nodes as Mirrors have them; writes bindings. Which node may run a pod is decided in `fit`; among those
the one with the fewest pods gets it. Decisions are made one after the other, with what was decided but not yet heard
of kept in mind, and carried out side by side. Source: Kubernetes, "Kubernetes Scheduler".
"""

from typing import Final

from sevengate.cluster.resources import NODES, PODS
from sevengate.lab.conditions import condition, stated, with_condition
from sevengate.lab.controllers.controller import Part, is_going, now_written
from sevengate.lab.controllers.fit import Room, host_ports, pod_terms, summary, why_not
from sevengate.lab.controllers.pods import is_over
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.workplace import Workplace

NAME: Final = "default-scheduler"


class Scheduler:
    """Binds pods to nodes."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._nodes = work.mirrors.of(NODES)
        self._pods = work.mirrors.of(PODS)
        self._placed = self._pods.index(_places)
        self._decided: dict[str, tuple[str, Object]] = {}
        self._homeless: dict[str, None] = {}
        self._recorder = Recorder(work.client, NAME)
        self._reconciler = Reconciler("scheduler", self._look, workers=32)
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    def _pod_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if before and (after is None or after["spec"].get("nodeName")):
            self._decided.pop(before["metadata"]["uid"], None)
            self._homeless.pop(change.key, None)
        if after is not None and _is_waiting(after):
            if before is None or before["metadata"]["uid"] != after["metadata"]["uid"]:
                self._reconciler.ask(change.key)
        elif before and (after is None or is_over(after)):
            self._ask_homeless()  # there is room again

    def _node_changed(self, change: Change) -> None:
        if _shape(change.before) != _shape(change.after):
            self._ask_homeless()

    def _ask_homeless(self) -> None:
        for key in self._homeless:
            self._reconciler.ask(key)

    async def _look(self, key: str) -> None:
        pod = self._pods.objects.get(key)
        if pod is None or not _is_waiting(pod) or pod["metadata"]["uid"] in self._decided:
            return
        rooms = self._rooms()
        reasons = [why_not(pod, room, rooms) for room in rooms]
        fitting = [room for room, reason in zip(rooms, reasons, strict=True) if not reason]
        if not fitting:
            self._homeless[key] = None
            await self._refuse(pod, summary(reasons))
            return
        node = min(fitting, key=lambda room: (room.count, room.node["metadata"]["name"])).node
        await self._bind(pod, node["metadata"]["name"])

    def _rooms(self) -> list[Room]:
        return [self._room(name, node) for name, node in sorted(self._nodes.objects.items())]

    def _room(self, name: str, node: Object) -> Room:
        coming = [pod for chosen, pod in self._decided.values() if chosen == name]

        def everybody() -> list[Object]:
            return [*self._placed.find(name), *coming]

        room = Room(node, everybody, self._placed.count(name) + len(coming))
        room.with_ports = [*self._placed.find(f"{name}/ports"), *filter(host_ports, coming)]
        room.picky = [*self._placed.find(f"{name}/picky"), *filter(_is_picky, coming)]
        return room

    async def _bind(self, pod: Object, node: str) -> None:
        metadata = pod["metadata"]
        self._decided[metadata["uid"]] = node, pod
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {name: metadata[name] for name in ("name", "namespace", "uid")},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._writer.post(PODS, pod, "binding", binding)
        except BaseException:
            self._decided.pop(metadata["uid"], None)
            raise
        self._recorder.tell(pod, "Scheduled", f"Successfully assigned {key_of(pod)} to {node}")

    async def _refuse(self, pod: Object, why: str) -> None:
        held = condition(pod, "PodScheduled")
        if held and held.get("message") == why:
            return
        self._recorder.tell(pod, "FailedScheduling", why, "Warning")
        unscheduled = stated("PodScheduled", holds=False, reason="Unschedulable", message=why)
        conditions = with_condition((pod.get("status") or {}).get("conditions") or (), unscheduled, now_written())
        await self._writer.merge_status(PODS, pod, {"conditions": conditions})


def _is_waiting(pod: Object) -> bool:
    spec = pod["spec"]
    is_ours = spec.get("schedulerName", NAME) == NAME and not spec.get("schedulingGates")
    return is_ours and not spec.get("nodeName") and not is_going(pod) and not is_over(pod)


def _places(pod: Object) -> list[str]:
    """Give the terms under which a pod is found on its node."""
    node = pod["spec"].get("nodeName")
    if not node or is_over(pod):
        return []
    marks = {f"{node}/ports": bool(host_ports(pod)), f"{node}/picky": _is_picky(pod)}
    return [node, *(term for term, holds in marks.items() if holds)]


def _is_picky(pod: Object) -> bool:
    return bool(pod_terms(pod, "podAntiAffinity"))


def _shape(node: Object | None) -> object:
    """Give what of a node decides about pods; heartbeats are not of it."""
    if node is None:
        return None
    spec, allocatable = node.get("spec") or {}, (node.get("status") or {}).get("allocatable")
    return node["metadata"].get("labels"), spec.get("taints"), spec.get("unschedulable"), allocatable
