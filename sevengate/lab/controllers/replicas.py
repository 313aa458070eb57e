"""Makes the pods of a template, and deletes pods, with the Events that people know.

Takes the object that controls the pods; what it wishes, and how many are missing, is decided by its controller.
Creation starts slowly, so that a quota or a webhook that refuses one pod is not asked about five hundred.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sevengate.cluster.errors import ApiError, NotFoundError
from sevengate.cluster.resources import PODS
from sevengate.lab.controllers.controller import reference_to
from sevengate.lab.mirror import Object
from sevengate.lab.recorder import Recorder
from sevengate.lab.writer import Writer

#: As many pods at most are created or deleted side by side.
_ABREAST = 32


class PodMaker:
    """Creates and deletes pods in the name of a controller."""

    def __init__(self, writer: Writer, recorder: Recorder) -> None:
        self._writer = writer
        self._recorder = recorder

    async def create(self, owner: Object, pods: Iterable[Object]) -> ApiError | None:
        """Create pods; gives what the first one was refused for, after which no more are tried."""
        rest, many = list(pods), 1
        while rest:
            batch, rest = rest[:many], rest[many:]
            many = min(many * 2, _ABREAST)
            refusals = await asyncio.gather(*(self._create_one(owner, pod) for pod in batch))
            for refusal in refusals:
                if refusal:
                    return refusal
        return None

    async def delete(self, owner: Object, pods: Iterable[Object]) -> None:
        """Delete pods."""
        rest = list(pods)
        while rest:
            batch, rest = rest[:_ABREAST], rest[_ABREAST:]
            await asyncio.gather(*(self._delete_one(owner, pod) for pod in batch))

    async def _create_one(self, owner: Object, pod: Object) -> ApiError | None:
        try:
            made = await self._writer.create(PODS, pod)
        except NotFoundError:
            raise  # the namespace has gone, and with it the owner
        except ApiError as error:
            self._recorder.tell(owner, "FailedCreate", f"Error creating: {error.message}", "Warning")
            return error
        self._recorder.tell(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return None

    async def _delete_one(self, owner: Object, pod: Object) -> None:
        await self._writer.delete(PODS, pod)
        self._recorder.tell(owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")


def pod_of(owner: Object, template: Object, labels: Mapping[str, str] | None = None, name: str = "") -> Object:
    """Make a pod of a template, with more labels, under a name or one that begins with its owner's."""
    given = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(given.get("labels") or {}), **(labels or {})},
        "annotations": dict(given.get("annotations") or {}),
        "ownerReferences": [reference_to(owner)],
    }
    metadata |= {"name": name} if name else {"generateName": f"{owner['metadata']['name'][:240]}-"}
    if given.get("finalizers"):
        metadata["finalizers"] = given["finalizers"]
    return {"metadata": metadata, "spec": template["spec"]}


def pods_of(owner: Object, template: Object, count: int) -> Iterator[Object]:
    """Make so many pods of a template."""
    return (pod_of(owner, template) for _ in range(count))
