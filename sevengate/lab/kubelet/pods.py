"""One pod on a node: its volumes, its containers in their order, its status, its end.

Takes a pod as the API server has it, and a Node that it runs on; writes its status and, when it has ended after a
deletion, removes it. Init containers run one after the other, those that restart always go on beside the others;
then all containers start together. What one container does is decided in `containers`.
"""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sevengate.cluster.errors import ClusterError, NotFoundError
from sevengate.cluster.resources import PODS
from sevengate.lab.kubelet.containers import RETRY, Container
from sevengate.lab.kubelet.environment import ReferenceMissingError, Surroundings
from sevengate.lab.kubelet.names import hosts
from sevengate.lab.kubelet.node import Node
from sevengate.lab.kubelet.recipes import HOSTS, Place, Recipe, hostname_of, recipe_of
from sevengate.lab.kubelet.sandbox import Isolation
from sevengate.lab.kubelet.status import Addresses, State, pod_status
from sevengate.lab.kubelet.volumes import (
    SERVICE_ACCOUNT,
    Sources,
    TokenWish,
    VolumeError,
    Volumes,
    default_token_volume,
    token_wishes,
)
from sevengate.lab.mirror import Object

log = logging.getLogger("sevengate.lab")

#: Seconds between the word that a pod ends and the end of its processes.
FAREWELL: Final = 0.2
#: A token is renewed when this part of its time is over.
_RENEWED: Final = 0.8


class Pod:
    """A pod with processes."""

    def __init__(self, pod: Object, node: Node, address: str) -> None:
        self.pod = pod
        self.address = address
        self._node = node
        self._folder = node.machine.folder / "pods" / pod["metadata"]["uid"]
        self._volumes = Volumes((), pod, self._folder / "volumes", node.folder)
        #: The volume of the service account's token, if the API server has not added one to the pod.
        self._added: Object | None = None
        self._volumes_are_ready = False
        self._tokens: dict[TokenWish, tuple[str, float]] = {}
        self._hosts = b""
        self._dirty = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        spec, policy = pod["spec"], pod["spec"].get("restartPolicy", "Always")
        self.init = [self._container(one, "initContainerStatuses", policy) for one in spec.get("initContainers") or ()]
        self.main = [self._container(one, "containerStatuses", policy) for one in spec["containers"]]
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._publish())]

    # --- what containers get of their pod

    @property
    def isolation(self) -> Isolation:
        """How processes are kept apart."""
        return self._node.machine.isolation

    @property
    def notes(self) -> Path:
        """Where running processes are noted."""
        return self._node.machine.notes

    def log(self, container: str, restarts: int) -> Path:
        """Give the file for the log of a run."""
        return Path(self._folder, "logs", container, f"{restarts}.log")

    def moved(self, port: int) -> int:
        """Give the port that is really listened on."""
        return self._node.machine.plan.port(port)

    def prepare(self, container: Object, run: str) -> Recipe | None:
        """Say how a container is run."""
        if self._added and not _has_token(container):
            mount = {"name": self._added["name"], "mountPath": SERVICE_ACCOUNT, "readOnly": True}
            container = {**container, "volumeMounts": [*(container.get("volumeMounts") or ()), mount]}
        around = Surroundings(self._shown, self._find, self._node.services_for(self.pod))
        return recipe_of(container, around, Place(self._node.machine, self._where, self._volumes, self._folder), run)

    def tell(self, reason: str, message: str, kind: str = "Normal", container: str = "") -> None:
        """Write an Event of the pod, or of one of its containers."""
        where = "initContainers" if any(one.name == container for one in self.init) else "containers"
        self._node.recorder.tell(self.pod, reason, message, kind, f"spec.{where}{{{container}}}" if container else "")

    def changed(self) -> None:
        """Have the status written, soon."""
        self._dirty.set()

    # --- what the kubelet does with it

    def update(self, pod: Object) -> None:
        """Take in the pod as it is now; one that is to be deleted is ended."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp") and self._ending is None:
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self._ending = asyncio.create_task(self._end(30.0 if grace is None else float(grace)))

    def refresh(self) -> None:
        """Bring changed ConfigMaps, Secrets, labels and tokens into the volumes."""
        if self._volumes_are_ready:
            try:
                self._volumes.write(self._sources)
            except (ReferenceMissingError, VolumeError) as error:
                log.debug("%s: %s", self.pod["metadata"]["name"], error)

    def name_others(self) -> None:
        """Write the names that the pod knows, into the file that its containers have open or will see."""
        text = hosts(self.pod, hostname_of(self.pod), self.address, self._node.known).encode()
        if text != self._hosts:
            self._hosts = text
            self._folder.mkdir(parents=True, exist_ok=True)
            # The same file, not a new one in its place: it is mounted.
            with os.fdopen(os.open(self._folder / HOSTS, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
                file.write(text)
                file.truncate()

    def find(self, name: str) -> Container | None:
        """Give a container by its name."""
        return next((one for one in self._containers if one.name == name), None)

    async def vanish(self) -> None:
        """End at once, without another word to the API server."""
        for task in (*self._tasks, self._ending):
            if task:
                task.cancel()
        await self._stop(0.0)
        self._remove()

    # --- the course of its life

    async def _run(self) -> None:
        self.name_others()
        await self._prepare_volumes()
        for container in self.init:
            task = container.begin()
            if container.state.is_sidecar:
                while not container.state.is_started and not task.done():  # noqa: ASYNC110 - set by another task
                    await asyncio.sleep(0.01)
                continue
            await asyncio.wait([task])
            if not (container.state.exit and container.state.exit.is_good):
                return
        # Waiting in this way, unlike gather, leaves them alone when this task is cancelled.
        await asyncio.wait([container.begin() for container in self.main])
        for container in self.init:
            await container.stop(0.0)
        self.changed()

    async def _prepare_volumes(self) -> None:
        while True:
            try:
                if await self._wants_token():
                    self._added = default_token_volume(self.pod)
                self._volumes = Volumes(self._listed, self.pod, self._folder / "volumes", self._node.folder)
                await self._renew_tokens()
                self._volumes.write(self._sources)
            except (ReferenceMissingError, VolumeError, ClusterError) as error:
                self.tell("FailedMount", f"MountVolume.SetUp failed: {error}", "Warning")
                self.changed()
                await asyncio.sleep(RETRY)
            else:
                self._volumes_are_ready = True
                return

    async def _wants_token(self) -> bool:
        """Say whether a token is still to be added, as API servers do (ServiceAccount admission)."""
        spec = self.pod["spec"]
        if any(_has_token(one) for one in spec["containers"]) or spec.get("automountServiceAccountToken") is False:
            return False
        account = await self._node.account_of(self.pod)
        is_wished = spec.get("automountServiceAccountToken")
        return account is not None and (is_wished or account.get("automountServiceAccountToken") is not False)

    @property
    def _listed(self) -> list[Object]:
        return [*(self.pod["spec"].get("volumes") or ()), *([self._added] if self._added else [])]

    async def keep_tokens(self) -> None:
        """Renew the tokens that end soon."""
        if self._volumes_are_ready and await self._renew_tokens():
            self.refresh()

    async def _renew_tokens(self) -> bool:
        wanted = [one for one in token_wishes(self._listed) if self._tokens.get(one, ("", 0.0))[1] < time.monotonic()]
        for wish in wanted:
            token = await self._node.token(self.pod, wish)
            self._tokens[wish] = token, time.monotonic() + wish.seconds * _RENEWED
        return bool(wanted)

    async def _end(self, grace: float) -> None:
        # Whoever sends requests here hears of the end at the same time as we do, and needs a moment longer.
        if grace and any(one.state.is_ready for one in self.main):
            await asyncio.sleep(FAREWELL)
        await self._stop(grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._node.writer.merge_status(PODS, self.pod, self._status())
        except ClusterError as error:
            log.debug("the last status of a pod was not written: %s", error)
        self._remove()
        await self._node.remove(self.pod)

    async def _stop(self, grace: float) -> None:
        # Those that run beside end last, so that the others can use them until their end.
        if self._tasks[0] is not asyncio.current_task():
            self._tasks[0].cancel()
        await asyncio.gather(*(one.stop(grace) for one in self.main))
        await asyncio.gather(*(one.stop(grace) for one in self.init))

    def _remove(self) -> None:
        self._volumes.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- its status

    async def _publish(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._node.writer.merge_status(PODS, self.pod, self._status())
            except NotFoundError:
                return
            except ClusterError as error:
                log.warning("the status of pod %s was not written: %s", self.pod["metadata"]["name"], error)
                await asyncio.sleep(RETRY)
                self._dirty.set()

    def _status(self) -> Object:
        return pod_status(self.pod, [one.state for one in self.init], [one.state for one in self.main], self._where)

    @property
    def _containers(self) -> Iterator[Container]:
        yield from self.main
        yield from self.init

    @property
    def _where(self) -> Addresses:
        return Addresses(self.address, self._node.address)

    @property
    def _shown(self) -> Object:
        """The pod as it will be shown, for what it may know of itself."""
        status = {"podIP": self.address, "hostIP": self._node.address, "podIPs": [{"ip": self.address}]}
        return {**self.pod, "status": {**(self.pod.get("status") or {}), **status}}

    @property
    def _sources(self) -> Sources:
        return Sources(self._shown, self._find, {wish: token for wish, (token, _) in self._tokens.items()})

    def _find(self, kind: str, name: str) -> Object | None:
        return self._node.find(kind, self.pod["metadata"]["namespace"], name)

    def _container(self, spec: Object, field: str, policy: str) -> Container:
        is_init = field == "initContainerStatuses"
        is_sidecar = is_init and spec.get("restartPolicy") == "Always"
        if is_init:
            policy = "Always" if is_sidecar else "Never" if policy == "Never" else "OnFailure"
        held = {one["name"]: one for one in (self.pod.get("status") or {}).get(field) or ()}.get(spec["name"]) or {}
        # A pod that a kubelet before us has run was ended with it, which counts as a restart.
        restarts = int(held.get("restartCount") or 0) + bool(held.get("containerID"))
        state = State(spec["name"], spec["image"], restarts=restarts, is_sidecar=is_sidecar)
        if is_init and not is_sidecar:
            state.reason = "PodInitializing"
        return Container(spec, self, policy, state)


def _has_token(container: Object) -> bool:
    return any(mount["mountPath"] == SERVICE_ACCOUNT for mount in container.get("volumeMounts") or ())
