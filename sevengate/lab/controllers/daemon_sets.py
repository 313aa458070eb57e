"""DaemonSets: one pod on every node that takes it, whatever becomes of nodes and their labels.

Takes DaemonSets, nodes and pods; creates and deletes pods, which the scheduler then brings to the node that they name.
Which node takes one is decided in `fit`, which pods are to go in a roll-out in `daemons`. Source: Kubernetes,
"DaemonSet", "Perform a Rolling Update on a DaemonSet".
"""

from typing import Final

from sevengate.cluster.resources import NODES, PODS
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.controllers.daemons import Post, daemon_of, home_of, posts_of, replacements
from sevengate.lab.controllers.dependents import Dependents
from sevengate.lab.controllers.pods import is_available, is_over, is_ready, next_available, phase
from sevengate.lab.controllers.replicas import PodMaker
from sevengate.lab.controllers.revisions import Revisions, hash_of
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.resources import DAEMON_SETS
from sevengate.lab.workplace import Workplace

#: Seconds before a pod that failed is replaced, so that one that always fails does not keep the cluster busy.
_AFTER_FAILURE: Final = 1.0


class DaemonSets:
    """Keeps the pods of DaemonSets."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._sets = work.mirrors.of(DAEMON_SETS)
        self._nodes = work.mirrors.of(NODES)
        self._pods = Dependents(work, DAEMON_SETS, PODS)
        self._revisions = Revisions(work, DAEMON_SETS)
        self._recorder = Recorder(work.client, "daemonset-controller")
        self._maker = PodMaker(work.writer, self._recorder)
        self._reconciler = Reconciler("daemonset", self._look)
        self._sets.subscribe(lambda change: self._reconciler.ask(change.key))
        self._pods.follow(self._reconciler.ask)
        self._revisions.dependents.follow(self._reconciler.ask)
        self._nodes.subscribe(self._node_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    def _node_changed(self, change: Change) -> None:
        shapes = [
            one and (one["metadata"].get("labels"), one.get("spec"), is_going(one))
            for one in (change.before, change.after)
        ]
        if shapes[0] != shapes[1]:
            for key in self._sets.objects:
                self._reconciler.ask(key)

    async def _look(self, key: str) -> float | None:
        daemon_set = self._sets.objects.get(key)
        if daemon_set is None:
            return None
        pods = await self._pods.claim(daemon_set)
        if is_going(daemon_set):
            return None
        present = await self._revisions.present(daemon_set)
        posts = posts_of(daemon_set, self._nodes.objects.values(), pods)
        failed = await self._staff(daemon_set, posts, present)
        posts = posts_of(daemon_set, self._nodes.objects.values(), self._pods.of(daemon_set))
        if daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            old, nodes = replacements(daemon_set, posts, present)
            await self._maker.delete(daemon_set, old)
            await self._maker.create(daemon_set, (daemon_of(daemon_set, node, present) for node in nodes))
        await self._revisions.clean_up(daemon_set, {present, *map(hash_of, pods)})
        later = await self._report(self._sets.objects.get(key) or daemon_set, present)
        return _AFTER_FAILURE if failed else later

    async def _staff(self, daemon_set: Object, posts: list[Post], present: str) -> bool:
        """Put a pod where one is missing, take those away that should not be; say whether one had failed."""
        missing = [post.node for post in posts if post.is_wanted and not post.pods]
        failed = [pod for post in posts for pod in post.pods if is_over(pod) and not is_going(pod)]
        for pod in failed:
            if phase(pod) == "Failed":
                where = f"{key_of(pod)} on node {home_of(pod)}"
                message = f"Found failed daemon pod {where}, will try to kill it"
                self._recorder.tell(daemon_set, "FailedDaemonPod", message, "Warning")
        unwanted = [pod for post in posts for pod in post.unwanted() if pod not in failed]
        await self._maker.delete(daemon_set, [*failed, *unwanted])
        await self._maker.create(daemon_set, (daemon_of(daemon_set, node, present) for node in missing))
        return bool(failed)

    async def _report(self, daemon_set: Object, present: str) -> float | None:
        posts = posts_of(daemon_set, self._nodes.objects.values(), self._pods.of(daemon_set))
        wanted = [post for post in posts if post.is_wanted]
        serving = [post.current() for post in wanted]
        min_ready = daemon_set["spec"].get("minReadySeconds", 0)
        pods = [pod for pod in serving if pod is not None]
        available = sum(is_available(pod, min_ready) for pod in pods)
        status = {
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": sum(bool(post.pods) for post in posts if not post.is_wanted),
            "numberReady": sum(map(is_ready, pods)),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
            "updatedNumberScheduled": sum(hash_of(pod) == present for pod in pods),
            "observedGeneration": daemon_set["metadata"]["generation"],
        }
        await self._writer.merge_status(DAEMON_SETS, daemon_set, status)
        return next_available(pods, min_ready)
