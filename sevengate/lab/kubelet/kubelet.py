"""The kubelet: runs the pods that are bound to the lab's nodes, all of them in one process.

Takes a Workplace at any API server and a folder; runs until cancelled, and nothing of it is left then. Pods
whose annotation `lab.sevengate.io/process` says `none` get an address and are ready, and nothing is started for them:
a lab can have thousands. One pod's life is told in `pods`, what a node says of itself in `node`, who may read logs and
run commands in `server`.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Coroutine, Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final

from sevengate.cluster.errors import NotFoundError
from sevengate.cluster.resources import CONFIG_MAPS, ENDPOINT_SLICES, PODS, SECRETS, SERVICES
from sevengate.lab.addresses import Plan
from sevengate.lab.conditions import is_true
from sevengate.lab.kubelet.machine import NO_ISOLATION, Machine, find_machine
from sevengate.lab.kubelet.names import told_of
from sevengate.lab.kubelet.node import Node
from sevengate.lab.kubelet.pods import Pod
from sevengate.lab.kubelet.sandbox import Isolation
from sevengate.lab.kubelet.server import serving
from sevengate.lab.kubelet.status import Addresses, State, pod_status
from sevengate.lab.mirror import Change, Object
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.workplace import Workplace

log = logging.getLogger("sevengate.lab")

#: Annotation of pods, and its value for those that need no process.
PROCESS: Final = "lab.sevengate.io/process"
NO_PROCESS: Final = "none"
_OVER: Final = frozenset({"Succeeded", "Failed"})
#: Seconds between two looks at tokens.
_TOKENS: Final = 30.0
#: Seconds that a changed name waits for others, and how many times longer than writing them the pause is.
_TOGETHER: Final = 0.05
_REST: Final = 10.0
#: Pods without a process get addresses from here on when a node's own network is full: the 16th /24 of the plan.
_OVERFLOW: Final = 16


class Kubelet:
    """Runs pods on all nodes of a Plan."""

    def __init__(self, machine: Machine, work: Workplace) -> None:
        self.nodes = {name: Node(name, machine, work) for name, _ in machine.plan.nodes}
        self._machine = machine
        self._work = work
        self._pods: dict[str, Pod] = {}
        self._addresses = AddressBook(machine.plan)
        self._reconciler = Reconciler("kubelet", self._look, workers=16)
        self._background: set[asyncio.Task[None]] = set()
        self._names_changed = asyncio.Event()

    async def run(self) -> None:
        """Run pods until cancelled; then end them all."""
        mirrors = self._work.mirrors
        named = [mirrors.of(one) for one in (SERVICES, ENDPOINT_SLICES)]
        sources = [mirrors.of(one) for one in (CONFIG_MAPS, SECRETS)]
        pods = mirrors.of(PODS)
        await mirrors.synced()
        for node in self.nodes.values():
            await node.register()
        for pod in pods.objects.values():
            self._addresses.keep(pod)
        for mirror in sources:
            mirror.subscribe(self._source_changed)
        for mirror in named:
            mirror.subscribe(self._name_changed)
        try:
            async with asyncio.TaskGroup() as tasks:
                for node in self.nodes.values():
                    tasks.create_task(node.beat())
                    tasks.create_task(node.recorder.run())
                tasks.create_task(self._reconciler.run())
                tasks.create_task(self._keep_tokens())
                tasks.create_task(self._keep_names())
                pods.subscribe(self._pod_changed)
        finally:
            await asyncio.gather(*(pod.vanish() for pod in self._pods.values()), return_exceptions=True)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Give a pod that has processes here."""
        return next(
            (
                one
                for one in self._pods.values()
                if (one.pod["metadata"]["namespace"], one.pod["metadata"]["name"]) == (namespace, name)
            ),
            None,
        )

    def _pod_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if before and (after is None or after["metadata"]["uid"] != before["metadata"]["uid"]):
            self._forget(before)
        if after is None or after["spec"].get("nodeName") not in self.nodes:
            return
        held = self._pods.get(after["metadata"]["uid"])
        if held:
            held.update(after)
            if before and _labels(before) != _labels(after):
                held.refresh()
        elif _is_plain(after) or _is_over(after) or after["metadata"].get("deletionTimestamp"):
            self._reconciler.ask(change.key)
        else:
            self._begin(after)

    def _begin(self, pod: Object) -> None:
        node = self.nodes[pod["spec"]["nodeName"]]
        started = Pod(pod, node, self._addresses.of(pod, node))
        self._pods[pod["metadata"]["uid"]] = started
        started.changed()

    def _forget(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if held := self._pods.pop(uid, None):
            self._later(held.vanish())
        self._addresses.release(uid)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _look(self, key: str) -> None:
        """See to a pod without processes: make it ready, or let it go."""
        pod = self._work.mirrors.of(PODS).objects.get(key)
        if pod is None or pod["metadata"]["uid"] in self._pods:
            return
        if pod["metadata"].get("deletionTimestamp"):
            await self._work.writer.delete(PODS, pod, grace=0)
        elif _is_plain(pod) and not _is_over(pod) and not is_true(pod, "Ready"):
            node = self.nodes[pod["spec"]["nodeName"]]
            where = Addresses(self._addresses.of(pod, node), node.address)
            with contextlib.suppress(NotFoundError):
                await self._work.writer.merge_status(PODS, pod, _plain_status(pod, where))

    def _source_changed(self, change: Change) -> None:
        namespace = change.key.partition("/")[0]
        for pod in self._pods.values():
            if change.before and pod.pod["metadata"]["namespace"] == namespace:
                pod.refresh()

    def _name_changed(self, change: Change) -> None:
        if told_of(change.before) != told_of(change.after):
            self._names_changed.set()

    async def _keep_names(self) -> None:
        while True:
            await self._names_changed.wait()
            await asyncio.sleep(_TOGETHER)
            self._names_changed.clear()
            began = time.monotonic()
            for pod in tuple(self._pods.values()):
                pod.name_others()
                await asyncio.sleep(0)
            await asyncio.sleep((time.monotonic() - began) * _REST)

    async def _keep_tokens(self) -> None:
        while True:
            await asyncio.sleep(_TOKENS)
            for pod in tuple(self._pods.values()):
                await pod.keep_tokens()


class AddressBook:
    """Which pod has which address."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._held: dict[str, str] = {}
        self._taken: set[str] = set()
        self._free = {name: self._candidates(name) for name, _ in plan.nodes}

    def of(self, pod: Object, node: Node) -> str:
        """Give the address of a pod; one that uses its node's network has the node's."""
        if pod["spec"].get("hostNetwork"):
            return node.address
        uid = pod["metadata"]["uid"]
        if uid not in self._held:
            self._held[uid] = next(one for one in self._free[node.name] if one not in self._taken)
            self._taken.add(self._held[uid])
        return self._held[uid]

    def keep(self, pod: Object) -> None:
        """Take note of the address that a pod has already."""
        address = (pod.get("status") or {}).get("podIP")
        if address and not pod["spec"].get("hostNetwork"):
            self._held[pod["metadata"]["uid"]] = address
            self._taken.add(address)

    def release(self, uid: str) -> None:
        """Take an address back."""
        self._taken.discard(self._held.pop(uid, ""))

    def _candidates(self, node: str) -> Iterator[str]:
        """Give a node's addresses round and round, so that none is used again soon, and others when all are taken."""
        network = self._plan.pod_network(node)
        own = [str(network.network_address + number) for number in range(2, 255)]
        start = int(IPv4Network(self._plan.pods).network_address) + (_OVERFLOW << 8)
        others = IPv4Network(self._plan.pods).num_addresses - (_OVERFLOW << 8)
        while True:
            yield from own
            if self._taken.issuperset(own):
                yield from (str(IPv4Network(start + number).network_address) for number in range(2, others - 1))


def _is_plain(pod: Object) -> bool:
    return (pod["metadata"].get("annotations") or {}).get(PROCESS) == NO_PROCESS


def _is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _OVER


def _labels(pod: Object) -> tuple[object, object]:
    return pod["metadata"].get("labels"), pod["metadata"].get("annotations")


def _plain_status(pod: Object, where: Addresses) -> Object:
    since = (pod.get("status") or {}).get("startTime") or pod["metadata"]["creationTimestamp"]
    init = [
        State(one["name"], one["image"], is_started=True, is_sidecar=True, is_ready=True, running_since=since)
        for one in pod["spec"].get("initContainers") or ()
    ]
    main = [
        State(one["name"], one["image"], running_since=since, is_ready=True, is_started=True, id="lab://none")
        for one in pod["spec"]["containers"]
    ]
    return pod_status(pod, init, main, where)


async def run(work: Workplace, folder: Path, isolation: Isolation | None = None) -> None:
    """Run kubelets for all nodes of a plan until cancelled; what they keep in `folder` is gone then."""
    machine = await find_machine(work.plan, folder, isolation)
    if machine.isolation == "none":
        log.warning(NO_ISOLATION)
    try:
        one = Kubelet(machine, work)
        async with serving(one, work.client):
            await one.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
