"""A lab with controllers, and instead of kubelets something that says of pods what the test wants said."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from sevengate.cluster.resources import NODES, PODS, Resource
from sevengate.lab.addresses import LOOPBACK
from sevengate.lab.apiserver.running import OWNER, RunningApi, serving_api
from sevengate.lab.cluster import controlling
from sevengate.lab.controllers.controller import now_written
from sevengate.lab.mirror import Mirror, Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.recorder import CORE_EVENTS
from sevengate.lab.workplace import Workplace, workplace
from tests.lab.apiserver.serving import connected
from tests.lab.clients import access_to
from tests.waiting import until

#: A pod with this label is never ready.
SICK = "test/sick"
#: A pod with this label ends as its value says: Succeeded or Failed.
ENDS = "test/ends"


class Cluster:
    """A lab as a test sees it: it reads mirrors of its own and writes as kubectl would."""

    def __init__(self, running: RunningApi, work: Workplace) -> None:
        self.running = running
        self.work = work
        self.pods: Mirror = work.mirrors.of(PODS)

    async def create(self, resource: Resource, thing: Object) -> Object:
        metadata = {"namespace": "default", **thing["metadata"]} if resource.namespaced else thing["metadata"]
        return await self.work.writer.create(resource, {**thing, "metadata": metadata})

    async def merge(self, resource: Resource, name: str, change: Object, subresource: str = "") -> Object:
        about = {"metadata": {"name": name, "namespace": "default" if resource.namespaced else ""}}
        return await self.work.writer.merge(resource, about, change, subresource)

    def all(self, resource: Resource, namespace: str = "default") -> dict[str, Object]:
        """What there is of a kind, by name."""
        found = self.work.mirrors.of(resource).objects.values()
        return {
            one["metadata"]["name"]: one for one in found if one["metadata"].get("namespace", namespace) == namespace
        }

    def get(self, resource: Resource, name: str) -> Object | None:
        return self.all(resource).get(name)

    def status(self, resource: Resource, name: str) -> Object:
        """What an object says of itself; empty for one that is not there."""
        return (self.all(resource).get(name) or {}).get("status") or {}

    def condition(self, resource: Resource, name: str, type_: str) -> str:
        """The status and the reason of a condition."""
        found = [one for one in self.status(resource, name).get("conditions") or () if one["type"] == type_]
        return f"{found[0]['status']} {found[0].get('reason', '')}" if found else ""

    def said(self, reason: str) -> list[str]:
        """The messages of all Events with a reason."""
        return [one["message"] for one in self.all(CORE_EVENTS).values() if one["reason"] == reason]

    async def nodes(self, *names: str, **fields: Any) -> None:
        for name in names:
            labels = {"kubernetes.io/hostname": name, **fields.get("labels", {})}
            spec = {"taints": fields["taints"]} if "taints" in fields else {}
            await self.create(NODES, {"metadata": {"name": name, "labels": labels}, "spec": spec})
            ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
            await self.merge(NODES, name, {"status": {"conditions": ready, "allocatable": {"pods": "2000"}}}, "status")


class StandIn:
    """Says of each pod that has a node that it runs and is ready, and lets those go that are to go."""

    def __init__(self, work: Workplace) -> None:
        self._work = work
        self._numbers = count(1)
        self._pods = work.mirrors.of(PODS)
        self.reconciler = Reconciler("stand-in", self._look)
        self._pods.subscribe(lambda change: self.reconciler.ask(change.key))

    async def _look(self, key: str) -> None:
        pod = self._pods.objects.get(key)
        if pod is None or not pod["spec"].get("nodeName"):
            return
        if "deletionTimestamp" in pod["metadata"]:
            await self._work.writer.delete(PODS, pod, grace=0)
        elif pod["status"]["phase"] == "Pending":
            phase = (pod["metadata"].get("labels") or {}).get(ENDS)
            await self._work.writer.merge_status(PODS, pod, {"phase": phase} if phase else self.running(pod))

    def running(self, pod: Object) -> Object:
        ready = "False" if SICK in (pod["metadata"].get("labels") or {}) else "True"
        number = next(self._numbers)
        kinds = {"Ready": ready, "ContainersReady": ready, "Initialized": "True", "PodScheduled": "True"}
        conditions = [
            {"type": kind, "status": status, "lastTransitionTime": now_written()} for kind, status in kinds.items()
        ]
        address = f"127.244.{number // 250}.{number % 250 + 1}"
        return {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now_written(),
            "conditions": conditions,
        }


@asynccontextmanager
async def cluster(
    running: RunningApi, *, without: tuple[str, ...] = (), kubelets: bool = True
) -> AsyncIterator[Cluster]:
    """Run controllers against an API server, and see the cluster that comes of it."""
    async with workplace(access_to(running), LOOPBACK) as work, controlling(work, without):
        one = Cluster(running, work)
        work.mirrors.of(CORE_EVENTS)
        standing_in = asyncio.create_task(StandIn(work).reconciler.run()) if kubelets else None
        await work.mirrors.synced()
        try:
            yield one
        finally:
            if standing_in:
                standing_in.cancel()
                await asyncio.gather(standing_in, return_exceptions=True)


def in_cluster(
    scenario: Callable[[Cluster], Awaitable[None]] | None = None, *, kubelets: bool = True, limit: float = 60
) -> Callable[..., Any]:
    """Run an asynchronous test in a new lab with controllers."""

    def decorate(scenario: Callable[[Cluster], Awaitable[None]]) -> Callable[[], None]:
        async def run() -> None:
            async with serving_api() as running, cluster(running, kubelets=kubelets) as one, asyncio.timeout(limit):
                await scenario(one)

        def test() -> None:
            asyncio.run(run())

        test.__name__ = getattr(scenario, "__name__", "test")
        return test

    return decorate(scenario) if scenario else decorate


def workload(kind: str, name: str, replicas: int | None = None, **spec: Any) -> Object:
    """Make a Deployment, DaemonSet, ReplicaSet … whose pods carry `app: NAME`."""
    pod = spec.pop("pod", {})
    labels = {"app": name, **spec.pop("labels", {})}
    containers = [{"name": "web", "image": spec.pop("image", "nginx:1.25")}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **pod}}
    wished: Object = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    if replicas is not None:
        wished["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": wished}


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """Make a pod."""
    containers = [{"name": "web", "image": "nginx:1.25"}]
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": containers, **spec}}


__all__ = ["ENDS", "OWNER", "SICK", "Cluster", "cluster", "connected", "in_cluster", "pod", "until", "workload"]
