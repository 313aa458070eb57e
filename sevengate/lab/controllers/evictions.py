"""Pods that must leave: those that do not tolerate a taint of their node, and those that nobody runs any more.

Takes pods and nodes; deletes pods. A toleration may be for some seconds only, and then the pod goes after them. A pod
whose node is gone, and one that was deleted before it had a node, has no kubelet that could let it go. Source:
Kubernetes, "Taints and Tolerations" (taint based evictions), "Pod Lifecycle" (garbage collection of Pods).
"""

from collections.abc import Iterator

from sevengate.cluster.resources import NODES, PODS
from sevengate.lab.controllers.controller import Part, is_going, now_written, seconds_since
from sevengate.lab.controllers.fit import toleration
from sevengate.lab.controllers.pods import is_over
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.workplace import Workplace


class Evictions:
    """Sends pods away."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._nodes = work.mirrors.of(NODES)
        self._pods = work.mirrors.of(PODS)
        self._by_node = self._pods.index(lambda pod: [pod["spec"].get("nodeName", "")])
        self._seen: dict[tuple[str, str], str] = {}
        self._recorder = Recorder(work.client, "taint-eviction-controller")
        self._reconciler = Reconciler("eviction", self._look)
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    def _pod_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is None:
            return
        is_placed = before is None or before["spec"].get("nodeName") != after["spec"].get("nodeName")
        if is_placed or is_going(after) != is_going(before or after):
            self._reconciler.ask(change.key)

    def _node_changed(self, change: Change) -> None:
        if change.after is None or _taints(change.before) != _taints(change.after):
            keys = {one["key"] for one in _taints(change.after)}
            for place in [one for one in self._seen if one[0] == change.key and one[1] not in keys]:
                del self._seen[place]
            for pod in self._by_node.find(change.key):
                self._reconciler.ask(key_of(pod))

    async def _look(self, key: str) -> float | None:
        pod = self._pods.objects.get(key)
        if pod is None:
            return None
        name = pod["spec"].get("nodeName")
        node = self._nodes.objects.get(name) if name else None
        if node is None:
            # A pod may be bound before its node is heard of, but not be deleted.
            if is_going(pod) or (name and await self._is_gone(name)):
                await self._writer.delete(PODS, pod, grace=0)
            return None
        if is_going(pod) or is_over(pod):
            return None
        left = min(self._stays(pod, node), default=None)
        if left is None or left > 0:
            return left
        message = f"Marking for deletion Pod {key}"
        self._recorder.tell(pod, "TaintManagerEviction", message)
        await self._writer.delete(PODS, pod)
        return None

    def _stays(self, pod: Object, node: Object) -> Iterator[float]:
        """Give for each taint that sends pods away how many seconds this one may stay, if not for good."""
        for taint in _taints(node):
            if taint["effect"] != "NoExecute":
                continue
            tolerated = toleration(pod, taint)
            if tolerated is None:
                yield 0.0
            elif "tolerationSeconds" in tolerated:
                # kubectl does not say when it added a taint.
                seen = self._seen.setdefault((node["metadata"]["name"], taint["key"]), now_written())
                yield tolerated["tolerationSeconds"] - seconds_since(taint.get("timeAdded") or seen)

    async def _is_gone(self, node: str) -> bool:
        return not await self._writer.uid_of(NODES, node)


def _taints(node: Object | None) -> list[Object]:
    return ((node or {}).get("spec") or {}).get("taints") or []
