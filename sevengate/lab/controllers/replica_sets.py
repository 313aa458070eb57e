"""ReplicaSets: as many pods of one template as are wished, no more and no fewer.

Source: Kubernetes, "ReplicaSet". Which template, and how many, is mostly decided by a Deployment.
"""

from typing import Final

from sevengate.cluster.errors import ApiError
from sevengate.cluster.resources import PODS
from sevengate.lab.conditions import stated, with_condition, without_condition
from sevengate.lab.controllers.controller import Part, is_going, now_written
from sevengate.lab.controllers.dependents import Dependents
from sevengate.lab.controllers.pods import deletion_order, is_active, is_available, is_ready, next_available
from sevengate.lab.controllers.replicas import PodMaker, pods_of
from sevengate.lab.mirror import Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.resources import REPLICA_SETS
from sevengate.lab.workplace import Workplace

#: A ReplicaSet makes or deletes no more pods in one look.
_BURST: Final = 500
_RETRY: Final = 2.0


class ReplicaSets:
    """Keeps the pods of ReplicaSets."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._sets = work.mirrors.of(REPLICA_SETS)
        self._pods = Dependents(work, REPLICA_SETS, PODS)
        self._recorder = Recorder(work.client, "replicaset-controller")
        self._maker = PodMaker(work.writer, self._recorder)
        self._reconciler = Reconciler("replicaset", self._look)
        self._sets.subscribe(lambda change: self._reconciler.ask(change.key))
        self._pods.follow(self._reconciler.ask)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    async def _look(self, key: str) -> float | None:
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return None
        active = [pod for pod in await self._pods.claim(replica_set) if is_active(pod)]
        refusal = None if is_going(replica_set) else await self._scale(replica_set, active)
        return await self._report(self._sets.objects.get(key) or replica_set, refusal)

    async def _scale(self, replica_set: Object, active: list[Object]) -> ApiError | None:
        spec = replica_set["spec"]
        missing = spec["replicas"] - len(active)
        if missing > 0:
            pods = pods_of(replica_set, spec["template"], min(missing, _BURST))
            return await self._maker.create(replica_set, pods)
        if missing < 0:
            await self._maker.delete(replica_set, deletion_order(active)[: min(-missing, _BURST)])
        return None

    async def _report(self, replica_set: Object, refusal: ApiError | None) -> float | None:
        active = [pod for pod in self._pods.of(replica_set) if is_active(pod)]
        min_ready = replica_set["spec"].get("minReadySeconds", 0)
        labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
        conditions = (replica_set.get("status") or {}).get("conditions") or []
        if refusal:
            failure = stated("ReplicaFailure", holds=True, reason="FailedCreate", message=refusal.message)
            conditions = with_condition(conditions, failure, now_written())
        else:
            conditions = without_condition(conditions, "ReplicaFailure")
        status = {
            "replicas": len(active),
            "fullyLabeledReplicas": sum(labels.items() <= _labels(pod).items() for pod in active),
            "readyReplicas": sum(map(is_ready, active)),
            "availableReplicas": sum(is_available(pod, min_ready) for pod in active),
            "observedGeneration": replica_set["metadata"]["generation"],
            "conditions": conditions or None,
        }
        await self._writer.merge_status(REPLICA_SETS, replica_set, status)
        return _RETRY if refusal else next_available(active, min_ready)


def _labels(pod: Object) -> dict[str, str]:
    labels: dict[str, str] = pod["metadata"].get("labels") or {}
    return labels
