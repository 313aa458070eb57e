"""The life of nodes: one whose kubelet gives no sign is not ready, is marked so that its pods leave, and comes back.

Takes Nodes and their Leases; writes conditions and taints, and says of the pods of a lost node that they are not
ready, so that Services send nobody there. Pods are deleted because of taints in `evictions`. Source: Kubernetes,
"Nodes" (node controller), "Leases" (node heartbeats).
"""

from collections.abc import Iterable
from time import monotonic
from typing import Final

from sevengate.cluster.resources import LEASES, NODES, PODS, Selection
from sevengate.lab.conditions import condition, with_condition
from sevengate.lab.controllers.controller import Part, is_going, now_written, seconds_since
from sevengate.lab.controllers.pods import is_ready
from sevengate.lab.mirror import Change, Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.workplace import Workplace

_LEASES_IN: Final = "kube-node-lease"
#: A machine that wakes up finds every Lease old: seconds for kubelets to renew theirs, which they do every ten.
PATIENCE = 12.0
#: For how long a Lease is good that does not say so, in seconds.
_USUAL: Final = 40
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_NOT_READY: Final = "node.kubernetes.io/not-ready"
_OURS: Final = frozenset({_UNREACHABLE, _NOT_READY})
_TYPES: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


class NodeLife:
    """Watches over nodes."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._nodes = work.mirrors.of(NODES)
        self._leases = work.mirrors.of(Selection(LEASES, namespace=_LEASES_IN))
        self._pods = work.mirrors.of(PODS).index(lambda pod: [pod["spec"].get("nodeName", "")])
        self._doubted: dict[str, float] = {}
        self._recorder = Recorder(work.client, "node-controller")
        self._reconciler = Reconciler("node", self._look)
        self._nodes.subscribe(lambda change: self._reconciler.ask(change.key))
        self._leases.subscribe(self._lease_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    def _lease_changed(self, change: Change) -> None:
        self._reconciler.ask(change.key.partition("/")[2])

    async def _look(self, name: str) -> float | None:
        node = self._nodes.objects.get(name)
        lease = self._leases.objects.get(f"{_LEASES_IN}/{name}")
        if node is None or is_going(node) or lease is None:
            return None
        spec = lease["spec"]
        left = spec.get("leaseDurationSeconds", _USUAL) - seconds_since(spec["renewTime"])
        ready = condition(node, "Ready")
        if left > 0:
            self._doubted.pop(name, None)
        elif ready is not None and ready["status"] != "Unknown":
            patience = self._doubted.setdefault(name, monotonic() + PATIENCE) - monotonic()
            if patience > 0:
                return patience
            node = await self._lose(node)
        await self._mark(node)
        return left + 0.1 if left > 0 else None

    async def _lose(self, node: Object) -> Object:
        conditions = (node.get("status") or {}).get("conditions") or []
        for type_ in _TYPES:
            lost = {
                "type": type_,
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
            }
            conditions = with_condition(conditions, lost, now_written())
        name = node["metadata"]["name"]
        self._recorder.tell(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return await self._writer.merge_status(NODES, node, {"conditions": conditions})

    async def _mark(self, node: Object) -> None:
        """Give a node the taints that its readiness calls for, and its pods the condition."""
        ready = condition(node, "Ready")
        if ready is None:
            return
        key = {"True": None, "Unknown": _UNREACHABLE}.get(ready["status"], _NOT_READY)
        held = (node.get("spec") or {}).get("taints") or []
        kept = [one for one in held if one["key"] not in _OURS or one["key"] == key]
        missing = {"NoSchedule", "NoExecute"} - {one["effect"] for one in kept if one["key"] == key} if key else set()
        added = [{"key": key, "effect": effect, "timeAdded": now_written()} for effect in sorted(missing)]
        wanted = [*kept, *added]
        if wanted != held:
            change = {"metadata": {"resourceVersion": node["metadata"]["resourceVersion"]}, "spec": {"taints": wanted}}
            await self._writer.merge(NODES, node, change)
        if key:
            await self._take_from_service(self._pods.find(node["metadata"]["name"]))

    async def _take_from_service(self, pods: Iterable[Object]) -> None:
        for pod in filter(is_ready, tuple(pods)):
            unready = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}
            conditions = with_condition(pod["status"]["conditions"], unready, now_written())
            await self._writer.merge_status(PODS, pod, {"conditions": conditions})
            self._recorder.tell(pod, "NodeNotReady", "Node is not ready", "Warning")
