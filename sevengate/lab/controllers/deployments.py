"""Deployments: from one template of pods to the next, by ReplicaSets, so that there are always pods that serve.

Takes a Deployment and its ReplicaSets and makes the next step of its roll-out: the new ReplicaSet, sizes, the old ones
that nobody needs, the status. Steps are counted in `rollout`, the status is worded in `deployment_status`, pods are
made by `replica_sets`. What `kubectl rollout undo` and `history` read are the revision and annotations of ReplicaSets.
"""

from typing import Final

from sevengate.cluster.errors import ConflictError
from sevengate.cluster.resources import PODS
from sevengate.lab.controllers import rollout
from sevengate.lab.controllers.controller import Part, controlling, digest, is_going, reference_to
from sevengate.lab.controllers.dependents import Dependents
from sevengate.lab.controllers.deployment_status import is_complete, seconds_to_deadline, status_of
from sevengate.lab.controllers.pods import is_over
from sevengate.lab.mirror import Change, Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import Recorder
from sevengate.lab.resources import DEPLOYMENTS, REPLICA_SETS
from sevengate.lab.workplace import Workplace

HASH: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
#: Annotations of a Deployment that its ReplicaSets do not get.
_NOT_COPIED: Final = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, rollout.DESIRED, rollout.MOST}
)


class Deployments:
    """Rolls out Deployments."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._deployments = work.mirrors.of(DEPLOYMENTS)
        self._sets = Dependents(work, DEPLOYMENTS, REPLICA_SETS)
        self._pods = Dependents(work, REPLICA_SETS, PODS)
        self._recorder = Recorder(work.client, "deployment-controller")
        self._reconciler = Reconciler("deployment", self._look)
        self._deployments.subscribe(lambda change: self._reconciler.ask(change.key))
        self._sets.follow(self._reconciler.ask)
        work.mirrors.of(PODS).subscribe(self._pod_changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return self._reconciler, self._recorder

    def _pod_changed(self, change: Change) -> None:
        """A roll-out by Recreate waits for the last old pod to be gone."""
        if change.before and (change.after is None or is_over(change.after)):
            owner = controlling(change.before)
            if owner and owner["kind"] == REPLICA_SETS.kind:
                hash_ = (change.before["metadata"].get("labels") or {}).get(HASH)
                namespace = change.before["metadata"]["namespace"]
                if hash_ and owner["name"].endswith(f"-{hash_}"):
                    self._reconciler.ask(f"{namespace}/{owner['name'].removesuffix(f'-{hash_}')}")

    async def _look(self, key: str) -> float | None:
        deployment = self._deployments.objects.get(key)
        if deployment is None:
            return None
        sets = await self._sets.claim(deployment)
        new = _new_of(deployment, sets)
        if not is_going(deployment):
            if deployment["spec"].get("paused") or self._was_scaled(deployment, sets):
                await self._scale(deployment, new, sets)
            else:
                new = await self._roll(deployment, new, sets)
        return await self._report(self._deployments.objects.get(key) or deployment)

    # --- roll-out

    async def _roll(self, deployment: Object, new: Object | None, sets: list[Object]) -> Object | None:
        """Make the next step from the old ReplicaSets to the new one."""
        old = [one for one in sets if one is not new]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            for one in old:
                await self._resize(deployment, one, 0)
            if any(not is_over(pod) for one in old for pod in self._pods.of(one)):
                return new
        new = await self._renewed(deployment, new, sets)
        new = await self._resize(deployment, new, rollout.size_of_new(deployment, new, [*old, new]))
        old = [one for one in self._sets.of(deployment) if one["metadata"]["uid"] != new["metadata"]["uid"]]
        for one, size in rollout.sizes_of_old(deployment, new, old):
            await self._resize(deployment, one, size)
        await self._clean_up(deployment, old)
        return new

    async def _renewed(self, deployment: Object, new: Object | None, sets: list[Object]) -> Object:
        """Give the ReplicaSet of the present template, made if need be, under the newest revision."""
        newest = max((_revision(one) for one in sets if one is not new), default=0) + 1
        if new is None:
            new = await self._create(deployment, sets, max(newest, 1))
        elif _revision(new) < newest:
            new = await self._annotate(new, {REVISION: str(newest)})
        wanted = {**_copied(deployment), **_sizes(deployment)}
        held = new["metadata"].get("annotations") or {}
        if any(held.get(name) != value for name, value in wanted.items()):
            new = await self._annotate(new, wanted)
        revision = str(_revision(new))
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) != revision:
            await self._writer.merge(DEPLOYMENTS, deployment, {"metadata": {"annotations": {REVISION: revision}}})
        return new

    async def _create(self, deployment: Object, sets: list[Object], revision: int) -> Object:
        spec, metadata = deployment["spec"], deployment["metadata"]
        salt = (deployment.get("status") or {}).get("collisionCount", 0)
        hash_ = digest(spec["template"], *([salt] if salt else []))
        labels = {**((spec["template"].get("metadata") or {}).get("labels") or {}), HASH: hash_}
        template = {**spec["template"], "metadata": {**(spec["template"].get("metadata") or {}), "labels": labels}}
        selector = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {}), HASH: hash_}}
        size = rollout.size_of_new(deployment, None, sets)
        made = {
            "metadata": {
                "name": f"{metadata['name']}-{hash_}",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {**_copied(deployment), **_sizes(deployment), REVISION: str(revision)},
                "ownerReferences": [reference_to(deployment)],
            },
            "spec": {
                "replicas": size,
                "minReadySeconds": spec.get("minReadySeconds", 0),
                "selector": selector,
                "template": template,
            },
        }
        try:
            created = await self._writer.create(REPLICA_SETS, made)
        except ConflictError:
            # Another one has this name: next time another hash is tried.
            await self._writer.merge_status(DEPLOYMENTS, deployment, {"collisionCount": salt + 1})
            raise
        if size:
            self._say_scaled(deployment, created, 0, size)
        return created

    async def _annotate(self, thing: Object, annotations: dict[str, str]) -> Object:
        return await self._writer.merge(REPLICA_SETS, thing, {"metadata": {"annotations": annotations}})

    async def _clean_up(self, deployment: Object, old: list[Object]) -> None:
        """Delete the oldest of the ReplicaSets that are kept for `kubectl rollout undo` only."""
        if not is_complete(deployment, deployment.get("status") or {}):
            return
        idle = [one for one in old if not (one["spec"]["replicas"] or rollout.counted([one], "replicas"))]
        surplus = len(idle) - deployment["spec"].get("revisionHistoryLimit", 10)
        for one in sorted(idle, key=_revision)[: max(surplus, 0)]:
            if not is_going(one):
                await self._writer.delete(REPLICA_SETS, one)

    # --- scaling

    def _was_scaled(self, deployment: Object, sets: list[Object]) -> bool:
        """Say whether the number of replicas was changed in the middle of a roll-out."""
        wished = str(deployment["spec"]["replicas"])
        active = [one for one in sets if one["spec"]["replicas"]]
        return any((one["metadata"].get("annotations") or {}).get(rollout.DESIRED, wished) != wished for one in active)

    async def _scale(self, deployment: Object, new: Object | None, sets: list[Object]) -> None:
        active = [one for one in sets if one["spec"]["replicas"]]
        if len(active) <= 1:
            for one in active or ([new] if new else []):
                await self._resize(deployment, one, deployment["spec"]["replicas"])
        elif deployment["spec"]["strategy"]["type"] == "RollingUpdate":
            for one, size in rollout.proportional(deployment, active):
                await self._resize(deployment, one, size)

    async def _resize(self, deployment: Object, one: Object, size: int) -> Object:
        sizes, held = _sizes(deployment), one["metadata"].get("annotations") or {}
        before = one["spec"]["replicas"]
        if before == size and (not size or sizes.items() <= held.items()):
            return one
        change = {"metadata": {"annotations": sizes}, "spec": {"replicas": size}}
        changed = await self._writer.merge(REPLICA_SETS, one, change)
        if before != size:
            self._say_scaled(deployment, one, before, size)
        return changed

    def _say_scaled(self, deployment: Object, one: Object, before: int, size: int) -> None:
        way = "up" if size > before else "down"
        name = one["metadata"]["name"]
        self._recorder.tell(deployment, "ScalingReplicaSet", f"Scaled {way} replica set {name} from {before} to {size}")

    # --- status

    async def _report(self, deployment: Object) -> float | None:
        sets = self._sets.of(deployment)
        status = status_of(deployment, _new_of(deployment, sets), sets)
        reported = await self._writer.merge_status(DEPLOYMENTS, deployment, status)
        return seconds_to_deadline(reported)


def _new_of(deployment: Object, sets: list[Object]) -> Object | None:
    """Give the ReplicaSet of the present template; of two, the older one."""
    template = _plain(deployment["spec"]["template"])
    same = [one for one in sets if _plain(one["spec"]["template"]) == template]
    return min(same, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]), default=None)


def _plain(template: Object) -> Object:
    """Give a template without the label that tells the pods of one from those of another."""
    metadata = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _revision(one: Object) -> int:
    text = (one["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def _copied(deployment: Object) -> dict[str, str]:
    annotations = deployment["metadata"].get("annotations") or {}
    return {name: value for name, value in annotations.items() if name not in _NOT_COPIED}


def _sizes(deployment: Object) -> dict[str, str]:
    surge, _ = rollout.allowed(deployment)
    replicas = deployment["spec"]["replicas"]
    return {rollout.DESIRED: str(replicas), rollout.MOST: str(replicas + surge)}
