"""The history of a workload's template, as ControllerRevisions, for `kubectl rollout history` and `undo`.

Takes a DaemonSet or StatefulSet; keeps one revision for each template it has had, up to its limit, and names the
present one. A template that comes back gets its old revision with a new number. Source: Kubernetes' API reference of
ControllerRevision.
"""

from collections.abc import Collection
from typing import Final

from sevengate.cluster.resources import Resource
from sevengate.lab.controllers.controller import digest, is_going, reference_to
from sevengate.lab.controllers.dependents import Dependents
from sevengate.lab.mirror import Object
from sevengate.lab.resources import CONTROLLER_REVISIONS
from sevengate.lab.workplace import Workplace

#: The label by which pods say of which template they are.
HASH: Final = "controller-revision-hash"
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Revisions:
    """Keeps the revisions of one kind of workload."""

    def __init__(self, work: Workplace, owners: Resource) -> None:
        self._writer = work.writer
        self.dependents = Dependents(work, owners, CONTROLLER_REVISIONS)

    async def present(self, owner: Object) -> str:
        """Give the hash of an owner's present template, which has a revision then."""
        kept = sorted(await self.dependents.claim(owner), key=_number)
        template = {**owner["spec"]["template"], "$patch": "replace"}
        newest = _number(kept[-1]) if kept else 0
        for one in kept:
            if one["data"]["spec"]["template"] == template:
                if _number(one) < newest:
                    await self._writer.merge(CONTROLLER_REVISIONS, one, {"revision": newest + 1})
                return hash_of(one)
        return hash_of(await self._create(owner, template, newest + 1))

    async def clean_up(self, owner: Object, in_use: Collection[str]) -> None:
        """Delete the oldest revisions that no pod is of, beyond the owner's limit."""
        idle = [one for one in self.dependents.of(owner) if hash_of(one) not in in_use and not is_going(one)]
        surplus = len(idle) - owner["spec"].get("revisionHistoryLimit", 10)
        for one in sorted(idle, key=_number)[: max(surplus, 0)]:
            await self._writer.delete(CONTROLLER_REVISIONS, one)

    async def _create(self, owner: Object, template: Object, number: int) -> Object:
        metadata, hash_ = owner["metadata"], digest(template)
        annotations = metadata.get("annotations") or {}
        made = {
            "metadata": {
                "name": f"{metadata['name']}-{hash_}",
                "namespace": metadata["namespace"],
                "labels": {**((template.get("metadata") or {}).get("labels") or {}), HASH: hash_},
                "annotations": {name: value for name, value in annotations.items() if name != _LAST_APPLIED},
                "ownerReferences": [reference_to(owner)],
            },
            "data": {"spec": {"template": template}},
            "revision": number,
        }
        return await self._writer.create(CONTROLLER_REVISIONS, made)


def hash_of(thing: Object) -> str:
    """Give the hash of the template that a revision holds, or that a pod is of."""
    return str((thing["metadata"].get("labels") or {}).get(HASH, ""))


def _number(one: Object) -> int:
    return int(one["revision"])
