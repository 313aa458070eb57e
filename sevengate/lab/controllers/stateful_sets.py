"""StatefulSets: pods with names that stay, made and ended in order.

Takes StatefulSets and their pods; makes the next step, one pod at a time unless they may go in parallel: the first
that is missing, the last that is too many, the last of an old template. A lab has no persistent volumes, so a claim
becomes an emptyDir, and an Event says so. Source: Kubernetes, "StatefulSets" (deployment and scaling guarantees,
rolling updates).
"""

from typing import Final

from sevengate.cluster.resources import PODS
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.controllers.dependents import Dependents
from sevengate.lab.controllers.pods import is_active, is_available, is_over, is_ready, next_available
from sevengate.lab.controllers.replicas import PodMaker, pod_of
from sevengate.lab.controllers.revisions import HASH, Revisions, hash_of
from sevengate.lab.mirror import Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.resources import STATEFUL_SETS
from sevengate.lab.workplace import Workplace

_POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
_POD_INDEX: Final = "apps.kubernetes.io/pod-index"


class StatefulSets:
    """Keeps the pods of StatefulSets."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._sets = work.mirrors.of(STATEFUL_SETS)
        self._pods = Dependents(work, STATEFUL_SETS, PODS)
        self._revisions = Revisions(work, STATEFUL_SETS)
        self._recorder = Recorder(work.client, "statefulset-controller")
        self._maker = PodMaker(work.writer, self._recorder)
        self._reconciler = Reconciler("statefulset", self._look)
        self._sets.subscribe(lambda change: self._reconciler.ask(change.key))
        self._pods.follow(self._reconciler.ask)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    async def _look(self, key: str) -> float | None:
        stateful_set = self._sets.objects.get(key)
        if stateful_set is None:
            return None
        await self._pods.claim(stateful_set)
        if is_going(stateful_set):
            return None
        newest = await self._revisions.present(stateful_set)
        await self._step(stateful_set, newest)
        pods = self._pods.of(stateful_set)
        await self._revisions.clean_up(stateful_set, {newest, *map(hash_of, pods)})
        await self._report(self._sets.objects.get(key) or stateful_set, newest)
        return next_available(pods, stateful_set["spec"].get("minReadySeconds", 0))

    async def _step(self, stateful_set: Object, newest: str) -> None:
        """Do what may be done now: all that is missing and too many in parallel, or one thing in order."""
        spec, pods = stateful_set["spec"], {_ordinal(pod): pod for pod in self._pods.of(stateful_set)}
        at_once = spec.get("podManagementPolicy") == "Parallel"
        start = (spec.get("ordinals") or {}).get("start", 0)
        wanted = range(start, start + spec["replicas"])
        ended = [pod for number, pod in pods.items() if number in wanted and is_over(pod) and not is_going(pod)]
        await self._maker.delete(stateful_set, ended)
        for number in wanted:
            pod = pods.get(number)
            if pod is None:
                await self._maker.create(stateful_set, [self._made(stateful_set, number, newest)])
            if not at_once and not self._serves(stateful_set, pod):
                return
        surplus = sorted((number for number in pods if number not in wanted), reverse=True)
        for number in surplus:
            if not is_going(pods[number]):
                await self._maker.delete(stateful_set, [pods[number]])
            if not at_once:
                return
        await self._update(stateful_set, [pods[number] for number in wanted if number in pods], newest)

    async def _update(self, stateful_set: Object, pods: list[Object], newest: str) -> None:
        """Delete the last pod of an old template, once all after it serve; those before the partition stay."""
        strategy = stateful_set["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        for pod in reversed(pods):
            if _ordinal(pod) < partition:
                return
            if hash_of(pod) != newest and not is_going(pod):
                await self._maker.delete(stateful_set, [pod])
                return
            if not self._serves(stateful_set, pod):
                return

    def _made(self, stateful_set: Object, number: int, newest: str) -> Object:
        spec, name = stateful_set["spec"], f"{stateful_set['metadata']['name']}-{number}"
        strategy = spec["updateStrategy"].get("rollingUpdate") or {}
        revision, template = newest, spec["template"]
        held = self._current(stateful_set) or newest
        old = next((one for one in self._revisions.dependents.of(stateful_set) if hash_of(one) == held), None)
        if number < strategy.get("partition", 0) and old is not None:
            revision = held
            template = {key: value for key, value in old["data"]["spec"]["template"].items() if key != "$patch"}
        labels = {HASH: revision, _POD_NAME: name, _POD_INDEX: str(number)}
        pod = pod_of(stateful_set, template, labels, name)
        return {**pod, "spec": {**pod["spec"], **self._place(stateful_set, pod, name)}}

    def _place(self, stateful_set: Object, pod: Object, name: str) -> Object:
        """Give a pod its host name and its volumes."""
        claims = [one["metadata"]["name"] for one in stateful_set["spec"].get("volumeClaimTemplates") or ()]
        if claims:
            message = f"a lab has no persistent volumes: emptyDir stands in for {', '.join(claims)} of pod {name}"
            self._recorder.tell(stateful_set, "NoPersistentVolumes", message, "Warning")
        kept = [one for one in pod["spec"].get("volumes") or () if one["name"] not in claims]
        volumes = [*kept, *({"name": claim, "emptyDir": {}} for claim in claims)]
        place = {"hostname": name, "volumes": volumes}
        service = stateful_set["spec"].get("serviceName")
        return place | ({"subdomain": service} if service else {})

    def _current(self, stateful_set: Object) -> str:
        """Give the hash of the template from which a roll-out goes away; "" before the first."""
        revision = (stateful_set.get("status") or {}).get("currentRevision", "")
        return str(revision.removeprefix(f"{stateful_set['metadata']['name']}-"))

    def _serves(self, stateful_set: Object, pod: Object | None) -> bool:
        min_ready = stateful_set["spec"].get("minReadySeconds", 0)
        return pod is not None and is_active(pod) and is_available(pod, min_ready)

    async def _report(self, stateful_set: Object, newest: str) -> None:
        pods = [pod for pod in self._pods.of(stateful_set) if not is_over(pod)]
        updated = [pod for pod in pods if hash_of(pod) == newest]
        serving = [pod for pod in pods if self._serves(stateful_set, pod)]
        replicas = stateful_set["spec"]["replicas"]
        is_done = len(updated) == len(serving) == len(pods) == replicas
        name, held = stateful_set["metadata"]["name"], self._current(stateful_set)
        current = newest if is_done or not held else held
        status = {
            "observedGeneration": stateful_set["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": len(serving),
            "currentReplicas": sum(hash_of(pod) == current for pod in pods),
            "updatedReplicas": len(updated),
            "currentRevision": f"{name}-{current}",
            "updateRevision": f"{name}-{newest}",
            "collisionCount": 0,
        }
        await self._writer.merge_status(STATEFUL_SETS, stateful_set, status)


def _ordinal(pod: Object) -> int:
    number = pod["metadata"]["name"].rpartition("-")[2]
    return int(number) if number.isdecimal() else -1
