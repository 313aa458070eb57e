"""The data plane as the controller sees it: `apply(table)` makes a table live, by a reload, a push, or nothing.

It compares the table with what NGINX runs. Only if the text of nginx.conf differs (a Profile that nobody used before, a
setting, a dictionary that must grow) NGINX reloads, and Applied says why in words; then what differs in documents is
pushed and live in all workers. What goes wrong becomes Applied.problem, and the last good state goes on serving; only
settings that NGINX refuses do not stop what else has changed: those that it took before stay, and Applied.refused tells
why. An NGINX that dies is started again and filled with the newest table. Which table is wanted is the controller's
business.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from sevengate.nginx.conf import ConfError, write
from sevengate.nginx.control import (
    Commit,
    ControlClient,
    ControlError,
    MemoryFullError,
    StaleError,
    State,
    UnreachableError,
)
from sevengate.nginx.documents import (
    Document,
    StaticDefaults,
    backend_document,
    changed_documents,
    documents,
    is_dns_name,
)
from sevengate.nginx.installation import Installation, NginxError
from sevengate.nginx.ledger import LARGEST, Difference, Ledger, dictionary_size, is_tight
from sevengate.nginx.process import ConfRejectedError, NginxProcess, Ready, Runtime, refuse_taken
from sevengate.nginx.resolve import Resolver
from sevengate.nginx.selfsigned import self_signed
from sevengate.nginx.static import Place, default_profile, static_conf
from sevengate.routing.policies import Profile, Timeouts
from sevengate.routing.table import RoutingTable, TableChanges
from sevengate.settings import Settings

log = logging.getLogger("sevengate.nginx.dataplane")

#: Seconds between two tries to start an NGINX that died: the first, and the longest.
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
#: Settings that only the machine can judge: its OpenSSL knows the cipher suites, its disk the folders.
OF_THE_MACHINE: Final = ("ssl_ciphers", "access_log_path")
#: Pushes that may find another base than they knew before the push is given up.
PUSH_TRIES: Final = 3


class Listen(msgspec.Struct, frozen=True):
    """Where requests are taken in: IPv4 addresses and IPv6 addresses in brackets, and the ports at all of them."""

    addresses: tuple[str, ...] = ("0.0.0.0", "[::]")  # noqa: S104 - an ingress is for the world
    http_port: int = 80
    https_port: int = 443
    default_port: int = 8181

    @property
    def sockets(self) -> tuple[tuple[str, int], ...]:
        """All addresses with all ports."""
        ports = (self.http_port, self.https_port, self.default_port)
        return tuple((address, port) for address in self.addresses for port in ports)


class Applied(msgspec.Struct, frozen=True):
    """What an apply did: the generation that is live, why NGINX reloaded, what was pushed (bytes of text), the seconds.

    `problem` says why the table is not live; what was live before still is. `refused` names settings that are not in
    effect although the table is live, and says what NGINX has against them.
    """

    generation: int
    reloaded: bool = False
    reasons: tuple[str, ...] = ()
    pushed: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problem: str = ""
    refused: str = ""


class _Running(msgspec.Struct, frozen=True):
    """What the running nginx.conf was made of."""

    settings: Settings
    profiles: frozenset[Profile]
    dictionary: int
    previous_dictionary: int
    conf: str = ""


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
    )


class DataPlane:
    """One NGINX and what it holds. Its first `apply` starts it; `close` ends it."""

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        listen: Listen,
        *,
        resolver: Resolver | None = None,
        dictionary: int | None = None,
    ) -> None:
        """Prepare NGINX in `directory`; `dictionary` fixes the size of the documents' dictionary (MiB)."""
        self.runtime = Runtime(directory)
        self.reloads = 0
        self.generation = 0
        self._installation = installation
        self._listen = listen
        self._fixed_dictionary = dictionary
        self._process = NginxProcess(installation, self.runtime)
        self._control = ControlClient(self.runtime.control)
        self._resolver = resolver or Resolver()
        self._ledger = Ledger()
        self._running: _Running | None = None
        self._wanted: tuple[RoutingTable, Settings] | None = None
        self._complete = False  # whether NGINX holds the whole wanted table
        self._cramped = False  # whether the dictionary was full
        self._littered = False  # whether texts may lie there that nothing points to
        self._named: dict[str, frozenset[str]] = {}
        self._lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def process(self) -> NginxProcess:
        """The NGINX that serves."""
        return self._process

    async def state(self) -> State:
        """Ask a worker for its state; raise UnreachableError if none answers."""
        return await self._control.state()

    async def apply(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        """Make a table live; `changes` says what differs from the table before, None that anything may.

        Raise NginxError if NGINX cannot be started for the first time.
        """
        async with self._lock:
            self._wanted = table, settings
            began = time.perf_counter()
            applied = await self._try(table, changes if self._complete else None, settings)
            return msgspec.structs.replace(applied, seconds=time.perf_counter() - began)

    async def drain(self, limit: float) -> None:
        """Take no more connections, finish what is under way for at most `limit` seconds, and close."""
        await self._end_tasks()
        await self._process.quit(limit)
        await self.close()

    async def close(self) -> None:
        """Stop NGINX at once and take its directory away."""
        await self._end_tasks()
        await self._process.stop()
        await self._control.close()
        self.runtime.remove()

    # --- one apply

    async def _try(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        self._complete = False
        first = self._running is None
        try:
            applied = await self._make_live_with_trusted(table, changes, settings)
        except (NginxError, ControlError, ConfError) as error:
            if first and isinstance(error, NginxError):
                raise
            self._cramped = isinstance(error, MemoryFullError)
            return Applied(self.generation, problem=str(error))
        self._complete, self._cramped = True, False
        return applied

    async def _make_live_with_trusted(
        self, table: RoutingTable, changes: TableChanges | None, settings: Settings
    ) -> Applied:
        """Make a table live; where NGINX refuses the settings, with others that it takes."""
        try:
            return await self._make_live(table, changes, settings)
        except (ConfRejectedError, ConfError) as error:
            trusted = _trusted(settings, self._running.settings if self._running else None)
            if trusted == settings:
                raise
            applied = await self._make_live(table, changes, trusted)
            return msgspec.structs.replace(applied, refused=f"{', '.join(_differing(settings, trusted))}: {error}")

    async def _make_live(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        await self._watch_names(table, changes)
        if self._running and _defaults(settings) != _defaults(self._running.settings):
            changes = None
        difference = self._difference(table, changes, settings)
        reasons = await self._configure(table, settings, difference.peak)
        if reasons or not self._ledger.digests:
            difference = await self._difference_anew(table, settings)
        if difference or not self.generation:
            difference = await self._push(difference, table, settings)
        return Applied(
            generation=self.generation,
            reloaded=bool(reasons),
            reasons=reasons,
            pushed=len(difference.documents),
            deleted=len(difference.gone),
            bytes=difference.bytes,
        )

    def _difference(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Difference:
        defaults, addresses = _defaults(settings), self._resolver.addresses
        if changes is None:
            return self._ledger.whole(documents(table, defaults, addresses))
        return self._ledger.part(*changed_documents(table, changes, defaults, addresses))

    async def _difference_anew(self, table: RoutingTable, settings: Settings) -> Difference:
        held = await self._control.digests()
        self.generation = held.generation
        self._ledger.replace(held.digests)
        return self._difference(table, None, settings)

    async def _push(self, difference: Difference, table: RoutingTable, settings: Settings) -> Difference:
        for _ in range(PUSH_TRIES):
            commit = self._commit(difference)
            self._littered = True
            try:
                pushed = await self._control.push(difference.documents, commit)
            except StaleError as error:
                log.warning("pushing once more, comparing all: %s", error)
                difference = await self._difference_anew(table, settings)
                continue
            self._littered = False
            self.generation = pushed.generation
            self._ledger.enter(difference)
            return difference
        raise ControlError(f"{PUSH_TRIES} pushes met another generation than they began with")

    def _commit(self, difference: Difference) -> Commit:
        pointers = {document.name: document.digest for document in difference.documents}
        if not self._littered:
            return Commit(self.generation, tuple(pointers.items()), difference.gone)
        # A push that failed may have left texts behind; a full commit takes away what it does not name.
        gone = set(difference.gone)
        kept = {name: digest for name, digest in self._ledger.digests.items() if name not in gone}
        return Commit(self.generation, tuple((kept | pointers).items()), full=True)

    # --- nginx.conf

    async def _configure(self, table: RoutingTable, settings: Settings, peak: int) -> tuple[str, ...]:
        """Start or reload NGINX if its configuration must differ; give the reasons of a reload."""
        wanted = self._wanted_conf(table, settings, peak)
        running = self._running if self._process.running else None
        if running and wanted == msgspec.structs.replace(running, conf=""):
            return ()
        conf_id, conf = self._written(wanted)
        wanted = msgspec.structs.replace(wanted, conf=conf)
        if running is None:
            await self._start(wanted, conf_id)
            return ()
        if conf == running.conf:
            self._running = wanted
            return ()
        await self._process.test(conf)
        await self._process.reload(conf, self._answers(conf_id))
        self._running = wanted
        self.reloads += 1
        return _reasons(running, wanted)

    def _wanted_conf(self, table: RoutingTable, settings: Settings, peak: int) -> _Running:
        running = self._running if self._process.running else None
        if running is None:
            return _Running(settings, table.profiles, self._dictionary(peak, 0), 0)
        # A Profile that is no longer used costs nothing, and leaving it out would cost a reload.
        profiles = table.profiles | running.profiles
        size = self._dictionary(peak, running.dictionary)
        previous = running.previous_dictionary if size == running.dictionary else running.dictionary
        return _Running(settings, profiles, size, previous)

    def _dictionary(self, peak: int, running: int) -> int:
        if self._fixed_dictionary is not None:
            return self._fixed_dictionary
        if running and not self._cramped and not is_tight(peak, running):
            return running
        return max(min(2 * running, LARGEST), dictionary_size(peak))

    def _written(self, wanted: _Running) -> tuple[str, str]:
        """Give the text of a configuration and the digest by which its workers name it."""
        place = self._place(wanted)
        anonymous = write(static_conf(wanted.settings, wanted.profiles, place))
        conf_id = hashlib.blake2b(anonymous.encode(), digest_size=12).hexdigest()
        named = msgspec.structs.replace(place, id=conf_id)
        return conf_id, write(static_conf(wanted.settings, wanted.profiles, named))

    def _place(self, wanted: _Running) -> Place:
        return msgspec.structs.replace(
            place(self._installation, self.runtime, self._listen),
            dictionary=wanted.dictionary,
            previous_dictionary=wanted.previous_dictionary,
        )

    # --- the process

    async def _start(self, wanted: _Running, conf_id: str) -> None:
        self.runtime.make()
        certificate = self_signed()
        self.runtime.write("default.crt", certificate.chain)
        self.runtime.write("default.key", certificate.key.pem)
        self.generation = 0
        self._ledger.replace({})
        for address, port in self._listen.sockets:
            refuse_taken(address, port)
        await self._process.test(wanted.conf)
        await self._process.start(wanted.conf, self._answers(conf_id))
        self._running = wanted
        if not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._supervise, self._follow_names)]
            for task in self._tasks:
                task.add_done_callback(_log_failure)

    async def _supervise(self) -> None:
        while True:
            status = await self._process.died()
            log.error("nginx ended with status %s and is started again", status)
            pause = FIRST_PAUSE
            while not await self._refill():
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _refill(self) -> bool:
        async with self._lock:
            if self._wanted is None:
                return True
            table, settings = self._wanted
            applied = await self._try(table, None, settings)
            if applied.problem:
                log.error("nginx is not back: %s", applied.problem)
            return self._process.running

    async def _end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answers(self, conf_id: str) -> Ready:
        async def ready() -> bool:
            try:
                return (await self._control.state()).conf == conf_id
            except UnreachableError:
                return False

        return ready

    # --- endpoints that are DNS names

    async def _watch_names(self, table: RoutingTable, changes: TableChanges | None) -> None:
        if changes is None:
            self._named.clear()
        for name in table.backends if changes is None else changes.backends:
            backend = table.backends.get(name)
            names = frozenset(e.address for e in backend.endpoints if is_dns_name(e.address)) if backend else None
            if names:
                self._named[name] = names
            else:
                self._named.pop(name, None)
        await self._resolver.watch(frozenset().union(*self._named.values()))

    async def _follow_names(self) -> None:
        while True:
            changed = await self._resolver.changed()
            async with self._lock:
                await self._push_backends(name for name, names in self._named.items() if names & changed)

    async def _push_backends(self, names: Iterable[str]) -> None:
        if self._wanted is None or not self._complete:
            return
        table, settings = self._wanted
        found = [table.backends[name] for name in names if name in table.backends]
        affected: list[Document] = [backend_document(backend, self._resolver.addresses) for backend in found]
        try:
            await self._push(self._ledger.part(affected, ()), table, settings)
        except ControlError as error:
            self._complete = False
            log.warning("new addresses are not live: %s", error)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()):
        log.critical("%s failed", task.get_name(), exc_info=failure)


def _defaults(settings: Settings) -> StaticDefaults:
    timeouts = Timeouts(settings.proxy_connect_timeout, settings.proxy_send_timeout, settings.proxy_read_timeout)
    return StaticDefaults(timeouts, default_profile(settings))


def _trusted(settings: Settings, running: Settings | None) -> Settings:
    """Give settings to use where NGINX refuses these: the running ones, or defaults for what depends on the machine."""
    return running or msgspec.structs.replace(settings, **{name: getattr(Settings(), name) for name in OF_THE_MACHINE})


def _differing(settings: Settings, others: Settings) -> list[str]:
    """Name the keys of the ConfigMap whose values differ."""
    return [
        name.replace("_", "-")
        for name in Settings.__struct_fields__
        if getattr(settings, name) != getattr(others, name)
    ]


def _reasons(running: _Running, wanted: _Running) -> tuple[str, ...]:
    """Say in words why one configuration must take another's place."""
    profiles = sorted(profile.name for profile in wanted.profiles - running.profiles)
    return (
        *(f"new Profile {name}" for name in profiles),
        *(f"setting {name} changed" for name in _differing(running.settings, wanted.settings)),
        *(
            (f"shared memory grown from {running.dictionary} to {wanted.dictionary} MiB",)
            if running.dictionary != wanted.dictionary
            else ()
        ),
    ) or ("nginx.conf differs",)
