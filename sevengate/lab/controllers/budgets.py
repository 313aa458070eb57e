"""PodDisruptionBudgets: how many pods of a group may be taken away now, for `kubectl drain` and other evictions.

Takes budgets, pods and the workloads that say how many pods there should be; writes what the eviction of a pod is
decided by. Source: Kubernetes, "Disruptions", "Specifying a Disruption Budget".
"""

from typing import Final

from sevengate.cluster.resources import PODS
from sevengate.lab.conditions import stated, with_condition
from sevengate.lab.controllers.controller import Part, controlling, now_written
from sevengate.lab.controllers.pods import is_active, is_ready
from sevengate.lab.controllers.rollout import share
from sevengate.lab.controllers.selection import Labelled, Selecting
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.resources import DISRUPTION_BUDGETS, REPLICA_SETS, STATEFUL_SETS
from sevengate.lab.workplace import Workplace

_SCALED: Final = {one.kind: one for one in (REPLICA_SETS, STATEFUL_SETS)}


class Budgets:
    """Keeps the status of PodDisruptionBudgets."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._budgets = work.mirrors.of(DISRUPTION_BUDGETS)
        pods = work.mirrors.of(PODS)
        self._labelled = Labelled(pods)
        self._selecting = Selecting(self._budgets, lambda budget: budget["spec"].get("selector"))
        self._owners = {kind: work.mirrors.of(resource) for kind, resource in _SCALED.items()}
        self._reconciler = Reconciler("budget", self._look)
        self._budgets.subscribe(lambda change: self._reconciler.ask(change.key))
        pods.subscribe(self._pod_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return (self._reconciler,)

    def _pod_changed(self, change: Change) -> None:
        for pod in (change.before, change.after):
            for budget in self._selecting.of(pod) if pod else ():
                self._reconciler.ask(key_of(budget))

    async def _look(self, key: str) -> None:
        budget = self._budgets.objects.get(key)
        if budget is None:
            return
        spec, namespace = budget["spec"], budget["metadata"]["namespace"]
        pods = [pod for pod in self._labelled.selected(namespace, spec.get("selector") or {}) if is_active(pod)]
        expected, healthy = self._expected(pods), sum(map(is_ready, pods))
        if "maxUnavailable" in spec:
            desired = max(expected - share(spec["maxUnavailable"], expected, up=True), 0)
        else:
            desired = share(spec.get("minAvailable", 1), expected, up=True)
        left = max(healthy - desired, 0) if expected else 0
        reason = "SufficientPods" if left else "InsufficientPods"
        allowed = stated("DisruptionAllowed", holds=bool(left), reason=reason)
        conditions = (budget.get("status") or {}).get("conditions") or ()
        status = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": left,
            "expectedPods": expected,
            "observedGeneration": budget["metadata"]["generation"],
            "conditions": with_condition(conditions, allowed, now_written()),
        }
        await self._writer.merge_status(DISRUPTION_BUDGETS, budget, status)

    def _expected(self, pods: list[Object]) -> int:
        """Count the pods that there should be: what their workloads wish, and those that have none."""
        wished, alone = dict[str, int](), 0
        for pod in pods:
            reference = controlling(pod)
            owner = self._owner(pod["metadata"]["namespace"], reference) if reference else None
            if owner is None:
                alone += 1
            else:
                wished[owner["metadata"]["uid"]] = owner["spec"].get("replicas", 1)
        return alone + sum(wished.values())

    def _owner(self, namespace: str, reference: Object) -> Object | None:
        mirror = self._owners.get(reference["kind"])
        return mirror.objects.get(f"{namespace}/{reference['name']}") if mirror else None
