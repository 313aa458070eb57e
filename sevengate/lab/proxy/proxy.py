"""kube-proxy for all nodes of a lab: keeps one NGINX forwarding what Services and endpoints say.

Takes a Workplace at any API server and a folder; runs until cancelled, and nothing of it is left then. A change
becomes a graceful reload: connections that are made go on where they are. Changes that come together are one reload,
and the more reloads cost the rarer they are. An address that this machine has not, or a port that somebody else holds,
is left out with an Event of the Service, and tried again. What is forwarded is decided in `forwards`.
"""

import asyncio
import errno
import logging
import resource
import shutil
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sevengate.cluster.resources import ENDPOINT_SLICES, PODS, SERVICES
from sevengate.lab.mirror import Change, Object, key_of
from sevengate.lab.proxy.conf import Place, stream_conf
from sevengate.lab.proxy.forwards import SERVICE_NAME, Check, Forward, World, checks, forwards
from sevengate.lab.recorder import Recorder
from sevengate.lab.workplace import Workplace
from sevengate.nginx.conf import write
from sevengate.nginx.installation import Installation, NginxError, NginxMissingError, find_installation
from sevengate.nginx.process import NginxProcess
from sevengate.nginx.runtime import Runtime

log = logging.getLogger("sevengate.lab")

#: Seconds that a change waits for others, and how many times longer than the last reload the pause is at least.
TOGETHER: Final = 0.03
REST: Final = 2.0
#: Seconds between two looks whether an address can be had by now.
AGAIN: Final = 1.0
_MODULE: Final = "ngx_stream_module.so"


class Proxy:
    """Keeps NGINX as Services say."""

    def __init__(self, work: Workplace, recorder: Recorder, nginx: "Forwarder") -> None:
        self._services = work.mirrors.of(SERVICES)
        self._slices = work.mirrors.of(ENDPOINT_SLICES)
        self._pods = work.mirrors.of(PODS)
        self._of_service = self._slices.index(_service_of)
        self._with_ports = self._pods.index(lambda pod: ["hostPort"] if _has_host_port(pod) else [])
        self._recorder = recorder
        self._plan = work.plan
        self._nginx = nginx
        self._changed = asyncio.Event()
        self._left_out: dict[tuple[str, int, str], str] = {}

    async def run(self) -> None:
        """Follow Services and endpoints until cancelled."""
        for mirror in (self._services, self._slices):
            mirror.subscribe(lambda _: self._changed.set())
        self._pods.subscribe(self._pod_changed)
        while True:
            limit = AGAIN if self._left_out else None
            try:
                async with asyncio.timeout(limit):
                    await self._changed.wait()
                await asyncio.sleep(TOGETHER)
            except TimeoutError:
                pass
            self._changed.clear()
            began = time.monotonic()
            try:
                await self._carry_out()
            except NginxError as error:
                log.warning("Services are forwarded as before: %s", error)
                await asyncio.sleep(AGAIN)
                self._changed.set()
            await asyncio.sleep((time.monotonic() - began) * REST)

    async def revive(self) -> None:
        """Start NGINX again whenever it dies, until cancelled."""
        while True:
            await self._nginx.died()
            log.warning("the NGINX that forwards Services has died and is started again")
            self._changed.set()
            await asyncio.sleep(AGAIN)

    async def _carry_out(self) -> None:
        world = self._world()
        wanted = sorted({(one.address, one.port, one.protocol): one for one in forwards(world)}.values())
        asked = sorted({(one.address, one.port): one for one in checks(world)}.values())
        self._nginx.forget_unused(wanted, asked)
        refused: dict[tuple[str, int, str], str] = {}
        kept = [one for one in wanted if self._can_be_had(one, one.protocol, refused)]
        kept_checks = [one for one in asked if self._can_be_had(one, "TCP", refused)]
        for place in self._left_out.keys() - refused.keys():
            log.info("port %s of %s can be had now", place[1], place[0])
        self._left_out = refused
        await self._nginx.apply(kept, kept_checks)

    def _can_be_had(self, one: Forward | Check, protocol: str, refused: dict[tuple[str, int, str], str]) -> bool:
        why = self._nginx.why_not(one.address, one.port, protocol)
        if not why:
            return True
        place = (one.address, one.port, protocol)
        refused[place] = why
        if self._left_out.get(place) != why:
            self._tell(one.service, f"{one.address}:{one.port}/{protocol} is not forwarded: {why}")
        return False

    def _tell(self, key: str, message: str) -> None:
        log.warning("%s: %s", key, message)
        about = self._services.objects.get(key) or self._pods.objects.get(key)
        if about:
            self._recorder.tell(about, "FailedToListen", message, "Warning")

    def _world(self) -> World:
        keys = self._services.objects.keys()
        slices = {key: list(self._of_service.find(key)) for key in keys}
        return World(self._services.objects.values(), slices, list(self._with_ports.find("hostPort")), self._plan)

    def _pod_changed(self, change: Change) -> None:
        if any(one and _has_host_port(one) for one in (change.before, change.after)):
            self._changed.set()


class Forwarder:
    """One NGINX that forwards; it is started with the first configuration."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self._runtime = Runtime(folder)
        self._process = NginxProcess(installation, self._runtime)
        module = _module(installation)
        self._place = Place(module, str(self._runtime.pid), str(self._runtime.control))
        self._generation = 0
        self._held: set[tuple[str, int, str]] = set()
        self._now: tuple[list[Forward], list[Check]] = ([], [])

    async def __aenter__(self) -> "Forwarder":
        self._runtime.make()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.stop()
        self._runtime.remove()

    def forget_unused(self, wanted: Iterable[Forward], asked: Iterable[Check]) -> None:
        """Let go, with the next `apply`, of places that are not wanted any more."""
        self._held &= {(one.address, one.port, one.protocol) for one in wanted} | {
            (one.address, one.port, "TCP") for one in asked
        }

    def why_not(self, address: str, port: int, protocol: str) -> str:
        """Say why a place cannot be had, "" if it can, or is held already."""
        if (address, port, protocol) in self._held:
            return ""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, protocol != "UDP")
            try:
                probe.bind((address, port))
            except OSError as error:
                return _words(error)
        return ""

    async def apply(self, kept: list[Forward], asked: list[Check]) -> None:
        """Forward so from now on; raise NginxError, and all stays as it was."""
        if self._process.running and self._now == (kept, asked):
            return
        self._generation += 1
        conf = write(stream_conf(kept, asked, self._place, self._generation))
        if self._process.running:
            await self._process.reload(conf, self._is_live)
        else:
            await self._process.start(conf, self._is_live)
        self._now = kept, asked
        self._held = {(one.address, one.port, one.protocol) for one in kept}
        self._held |= {(one.address, one.port, "TCP") for one in asked}

    async def died(self) -> None:
        """Wait until NGINX runs, and then until it does not."""
        while not self._process.running:  # noqa: ASYNC110 - it is started as soon as there is something to forward
            await asyncio.sleep(AGAIN)
        await self._process.died()

    async def _is_live(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self._place.control)
            try:
                said = await reader.read()
            finally:
                writer.close()
        except OSError:
            return False
        return said == str(self._generation).encode()


async def run(work: Workplace, folder: Path) -> None:
    """Forward for all nodes of a plan until cancelled; what is kept in `folder` is gone then.

    A machine whose NGINX cannot forward has a lab all the same, in which pods are reached and Services are not.
    """
    _open_many_files()
    try:
        async with Forwarder(find_installation(), folder) as nginx:
            await _run(work, nginx)
    except NginxMissingError as error:
        log.warning("Services cannot be reached: %s", error)
        await asyncio.Event().wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(work: Workplace, nginx: Forwarder) -> None:
    recorder = Recorder(work.client, "kube-proxy")
    proxy = Proxy(work, recorder, nginx)
    await work.mirrors.synced()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        tasks.create_task(proxy.run())
        tasks.create_task(proxy.revive())


def _open_many_files() -> None:
    """Let this process and those that it starts have as many open files as they may: each port of a Service is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _module(installation: Installation) -> str:
    """Give the path of the stream module; raise NginxMissingError if this NGINX has none."""
    path = Path(installation.modules[0]).with_name(_MODULE)
    if not path.is_file():
        raise NginxMissingError("nginx's stream module (package libnginx-mod-stream)")
    return str(path)


def _words(error: OSError) -> str:
    match error.errno:
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address"
        case errno.EADDRINUSE:
            return "somebody else listens there"
        case errno.EACCES:
            return "ports below 1024 need root"
        case _:
            return error.strerror or str(error)


def _service_of(piece: Object) -> list[str]:
    name = (piece["metadata"].get("labels") or {}).get(SERVICE_NAME)
    return [f"{piece['metadata']['namespace']}/{name}"] if name else []


def _has_host_port(pod: Object) -> bool:
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or ()]
    return any(port.get("hostPort") for port in ports) and bool(key_of(pod))
