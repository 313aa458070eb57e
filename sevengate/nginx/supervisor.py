"""The supervisor owns one NGINX: it renders nginx.conf, starts, reloads, revives and drains it.

It takes Blueprints, and what goes wrong is an NginxError whose kind says what to do about it. An NGINX that dies is
started again with the last Blueprint, whoever else is away; it is empty then and answers 503 until its driver, who is
told by `news`, has pushed everything anew. Nothing here knows routes, Kubernetes or secrets: the only key that is
written to disk is that of the certificate of last resort. Which Blueprint is wanted is left to dataplane.py.
"""

import asyncio
import hashlib
import logging
import time
import uuid
from pathlib import Path
from typing import Final

import msgspec

from sevengate.nginx.blueprint import Blueprint, Standing
from sevengate.nginx.conf import ConfError, write
from sevengate.nginx.control import ControlClient, State, UnreachableError
from sevengate.nginx.installation import Installation, NginxError
from sevengate.nginx.listening import Listen, refuse_taken
from sevengate.nginx.process import ConfRejectedError, NginxProcess, Ready
from sevengate.nginx.processors import processors
from sevengate.nginx.runtime import Runtime
from sevengate.nginx.selfsigned import self_signed
from sevengate.nginx.static import Place, static_conf
from sevengate.nginx.usage import Usage, usage

log = logging.getLogger("sevengate.nginx.supervisor")

#: Seconds between two tries to start an NGINX that died: the first, and the longest.
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
#: Seconds after which an NGINX that lived so long is no longer taken for one that dies again and again.
STEADY: Final = 10.0


def place(installation: Installation, runtime: Runtime, listen: Listen) -> Place:
    """Give where an NGINX runs: what the machine has, its runtime directory, and where it listens."""
    return Place(
        version=installation.version,
        modules=installation.modules,
        lua_root=str(Path(__file__).resolve().parents[2]),
        lua_path=installation.lua_path,
        lua_cpath=installation.lua_cpath,
        pid=str(runtime.pid),
        control=str(runtime.control),
        temporary=str(runtime.temporary),
        certificate=str(runtime.private / "default.crt"),
        certificate_key=str(runtime.private / "default.key"),
        addresses=listen.addresses,
        http_port=listen.http_port,
        https_port=listen.https_port,
        default_port=listen.default_port,
        processors=processors(),
    )


class Supervisor:
    """One NGINX in one directory. `configure` starts it; `close` ends it."""

    def __init__(self, installation: Installation, directory: Path, listen: Listen) -> None:
        self.runtime = Runtime(directory)
        self.process = NginxProcess(installation, self.runtime)
        self._installation = installation
        self._listen = listen
        self._control = ControlClient(self.runtime.control)
        self._standing = Standing()
        self._moved = asyncio.Event()
        self._conf = ""
        self._lock = asyncio.Lock()
        self._reviving: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def control(self) -> Path:
        """The socket at which NGINX takes documents."""
        return self.runtime.control

    async def state(self) -> State:
        """Ask a worker for its state; raise UnreachableError if none answers."""
        return await self._control.state()

    async def standing(self) -> Standing:
        """Say how it stands."""
        return self._standing

    async def usage(self) -> Usage:
        """Say what NGINX's processes use."""
        return usage(self.process.pid) if self.process.running else Usage()

    async def news(self, incarnation: str) -> Standing:
        """Wait until the incarnation is another than the given one."""
        while self._standing.incarnation == incarnation:
            await self._moved.wait()
        return self._standing

    async def prepare(self) -> None:
        """Take the directory for ourselves, with no NGINX in it, and see that all ports are free; raise NginxError."""
        self.runtime.make()
        self.runtime.claim()
        await self.process.end_orphans()
        for address, port in self._listen.sockets:
            refuse_taken(address, port)

    async def configure(self, blueprint: Blueprint) -> Standing:
        """Start or reload NGINX, unless its configuration would be the same; raise NginxError, the old one stays."""
        async with self._lock:
            if self._closing:
                raise NginxError("nginx is shutting down")
            conf_id, conf = self._written(blueprint)
            if not self.process.running:
                await self._start(blueprint, conf_id, conf)
            elif conf != self._conf:
                await self.process.test(conf)
                await self.process.reload(conf, self._answers(conf_id))
                self._become(self._standing.incarnation, blueprint, conf, self._standing.reloads + 1)
            else:
                self._become(self._standing.incarnation, blueprint, conf, self._standing.reloads)
            return self._standing

    async def drain(self, limit: float | None = None) -> None:
        """Take no more connections and finish what is under way, for at most `limit` seconds; then stop.

        Without a limit it is that of the settings, worker-shutdown-timeout.
        """
        if limit is None:
            blueprint = self._standing.blueprint
            limit = blueprint.settings.worker_shutdown_timeout if blueprint else 0.0
        await self._end_reviving()
        await self.process.quit(limit)
        self._become("", self._standing.blueprint, "", self._standing.reloads)

    async def close(self) -> None:
        """Stop NGINX at once and take away what it worked in."""
        await self._end_reviving()
        await self.process.stop()
        await self._control.close()
        self.runtime.remove()

    # --- nginx.conf

    def _written(self, blueprint: Blueprint) -> tuple[str, str]:
        """Give the digest by which workers name their configuration, and its text."""
        where = msgspec.structs.replace(
            place(self._installation, self.runtime, self._listen),
            dictionary=blueprint.dictionary,
            previous_dictionary=blueprint.previous_dictionary,
        )
        try:
            anonymous = write(static_conf(blueprint.settings, blueprint.profiles, where))
            conf_id = hashlib.blake2b(anonymous.encode(), digest_size=12).hexdigest()
            named = msgspec.structs.replace(where, id=conf_id)
            return conf_id, write(static_conf(blueprint.settings, blueprint.profiles, named))
        except ConfError as error:
            raise ConfRejectedError(str(error)) from error

    def _answers(self, conf_id: str) -> Ready:
        async def ready() -> bool:
            try:
                return (await self._control.state()).conf == conf_id
            except UnreachableError:
                return False

        return ready

    # --- one life after the other

    async def _start(self, blueprint: Blueprint, conf_id: str, conf: str) -> None:
        await self.prepare()
        certificate = self_signed()
        self.runtime.write("default.crt", certificate.chain)
        self.runtime.write("default.key", certificate.key.pem)
        await self.process.test(conf)
        await self.process.start(conf, self._answers(conf_id))
        self._become(uuid.uuid4().hex, blueprint, conf, self._standing.reloads)
        if self._reviving is None:
            self._reviving = asyncio.create_task(self._revive(), name="reviving nginx")
            self._reviving.add_done_callback(_log_failure)

    def _become(self, incarnation: str, blueprint: Blueprint | None, conf: str, reloads: int) -> None:
        self._standing, self._conf = Standing(incarnation, blueprint, reloads), conf
        self._moved.set()
        self._moved = asyncio.Event()

    async def _revive(self) -> None:
        pause = 0.0
        while True:
            began = time.monotonic()
            status = await self.process.died()
            if not self.process.running:
                self._become("", self._standing.blueprint, "", self._standing.reloads)
            if time.monotonic() - began >= STEADY:
                pause = 0.0
            log.error("nginx ended with status %s and is started again%s", status, f" in {pause} s" if pause else "")
            said = ""
            await asyncio.sleep(pause)
            while problem := await self._start_again():
                if problem != said:
                    log.error("nginx is not back: %s", problem)
                    said = problem
                pause = _longer(pause)
                await asyncio.sleep(pause)
            pause = _longer(pause)

    async def _start_again(self) -> str:
        """Start NGINX as it was; give why that failed."""
        async with self._lock:
            if self.process.running or self._standing.blueprint is None:
                return ""
            # Documents of the life before are gone, so there is nothing to take over.
            blueprint = msgspec.structs.replace(self._standing.blueprint, previous_dictionary=0)
            try:
                await self._start(blueprint, *self._written(blueprint))
            except NginxError as error:
                return str(error)
            return ""

    async def _end_reviving(self) -> None:
        self._closing = True
        if self._reviving:
            self._reviving.cancel()
            await asyncio.gather(self._reviving, return_exceptions=True)
            self._reviving = None


def _longer(pause: float) -> float:
    return min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()):
        log.critical("%s failed", task.get_name(), exc_info=failure)
