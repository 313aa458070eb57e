"""The data plane as the controller sees it: `apply(table)` makes a table live, by a reload, a push, or nothing.

It drives an NGINX that a supervisor owns, in this process or in another. It compares the table with what that NGINX
runs. Only if another Blueprint is needed (a Profile that nobody used before, a setting, a dictionary that must grow)
NGINX may reload, and Applied says why in words; then what differs in documents is pushed and live in all workers. So an
NGINX that already serves when we begin is taken over as it is. What goes wrong becomes Applied.problem, and the last
good state goes on serving; only settings that NGINX refuses do not stop what else has changed: those that it took
before stay, and Applied.refused tells why. An NGINX that was started anew is filled with the newest table at once.
Which table is wanted is the controller's business.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import msgspec

from sevengate.nginx.blueprint import PROTOCOL, Blueprint, Reason, Standing, Supervision, differing_keys, reload_reasons
from sevengate.nginx.control import (
    Commit,
    ControlClient,
    ControlError,
    MemoryFullError,
    StaleError,
    State,
    SupervisorAwayError,
)
from sevengate.nginx.documents import (
    Document,
    StaticDefaults,
    backend_document,
    changed_documents,
    documents,
    is_dns_name,
)
from sevengate.nginx.installation import NginxError
from sevengate.nginx.instruments import Instruments
from sevengate.nginx.ledger import LARGEST, Difference, Ledger, dictionary_size, is_tight
from sevengate.nginx.process import ConfRejectedError
from sevengate.nginx.resolve import Resolver
from sevengate.nginx.static import default_profile
from sevengate.routing.policies import Timeouts
from sevengate.routing.table import RoutingTable, TableChanges
from sevengate.settings import Settings

log = logging.getLogger("sevengate.nginx.dataplane")

#: Seconds between two tries to fill an NGINX or to find its supervisor: the first, and the longest.
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0
#: Settings that only the machine can judge: its OpenSSL knows the cipher suites, its disk the folders.
OF_THE_MACHINE: Final = ("ssl_ciphers", "access_log_path")
#: Pushes that may find another base than they knew before the push is given up.
PUSH_TRIES: Final = 3
#: How it is said that the supervisor is not there.
AWAY: Final = "the data plane is away"


class Applied(msgspec.Struct, frozen=True):
    """What an apply did: the generation that is live, why NGINX reloaded, what was pushed (bytes of text), the seconds.

    `reasons` are sentences for people, `causes` the same in few words, for counting.

    `problem` says why the table is not live; what was live before still is. `refused` names settings that are not in
    effect although the table is live, and says what NGINX has against them.
    """

    generation: int
    reloaded: bool = False
    reasons: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    pushed: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problem: str = ""
    refused: str = ""


class DataPlane:
    """The driver of one NGINX, and what that NGINX holds. `close` leaves NGINX as it is."""

    def __init__(
        self,
        supervisor: Supervision,
        *,
        resolver: Resolver | None = None,
        dictionary: int | None = None,
        patient: bool = False,
    ) -> None:
        """Prepare to drive; `dictionary` fixes the size of the documents' dictionary (MiB).

        `patient`: an NGINX that cannot be started is a problem like any other, for its supervisor may yet mend it.
        """
        self.reloads = 0
        self.generation = 0
        self._supervisor = supervisor
        self._fixed_dictionary = dictionary
        self._patient = patient
        self._control = ControlClient(supervisor.control)
        self.instruments = Instruments(self._control, supervisor)
        self._resolver = resolver or Resolver()
        self._ledger = Ledger()
        self._standing: Standing | None = None  # as far as we know; None where we must ask
        self._wanted: tuple[RoutingTable, Settings] | None = None
        self._complete = False  # whether NGINX holds the whole wanted table
        self._cramped = False  # whether the dictionary was full
        # Whether texts may lie there that nothing points to, and workers may know what is no longer so: a push failed,
        # or who was here before us died.
        self._unsure = True
        self._named: dict[str, frozenset[str]] = {}
        self._lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def state(self) -> State:
        """Ask a worker for its state; raise UnreachableError if none answers."""
        return await self._control.state()

    async def apply(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        """Make a table live; `changes` says what differs from the table before, None that anything may.

        Raise NginxError if NGINX cannot be started for the first time, unless we are patient.
        """
        async with self._lock:
            self._wanted = table, settings
            began = time.perf_counter()
            applied = await self._try(table, changes if self._complete else None, settings)
            self._begin(self._follow_supervisor(), self._follow_names())
            return msgspec.structs.replace(applied, seconds=time.perf_counter() - began)

    async def close(self) -> None:
        """Drive no more; NGINX goes on serving what it holds."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._control.close()

    def _begin(self, *work: Coroutine[Any, Any, None]) -> None:
        if self._tasks:
            for coroutine in work:
                coroutine.close()
            return
        self._tasks = [asyncio.create_task(coroutine) for coroutine in work]
        for task in self._tasks:
            task.add_done_callback(_log_failure)

    # --- one apply

    async def _try(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        self._complete = False
        first = not self._patient and not self._tasks
        try:
            applied = await self._make_live_with_trusted(table, changes, settings)
        except (NginxError, ControlError) as error:
            if first and isinstance(error, NginxError):
                raise
            self._cramped = isinstance(error, MemoryFullError)
            return Applied(self.generation, problem=str(error))
        self._complete, self._cramped = not applied.problem, False
        return applied

    async def _make_live_with_trusted(
        self, table: RoutingTable, changes: TableChanges | None, settings: Settings
    ) -> Applied:
        """Make a table live; where NGINX refuses the settings, or cannot take them now, with others that it takes."""
        try:
            return await self._make_live(table, changes, settings)
        except NginxError as error:
            is_rejected = isinstance(error, ConfRejectedError)
            last = self._standing.blueprint if self._standing else None
            if last is None and not is_rejected:
                raise
            trusted = _trusted(settings, last.settings if last else None)
            if trusted == settings:
                raise
            applied = await self._make_live(table, changes, trusted)
            why = f"{', '.join(differing_keys(settings, trusted))}: {error}"
            # What is rejected stays so; what is in the way of the rest, such as a full disk, may go: so we try again.
            return msgspec.structs.replace(applied, **{"refused" if is_rejected else "problem": why})

    async def _make_live(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        await self._watch_names(table, changes)
        running = (await self._known()).running
        if running and _defaults(settings) != _defaults(running.settings):
            changes = None
        is_of_all = changes is None and not self._ledger.digests
        difference = self._difference(table, changes, settings)
        why = await self._configure(table, settings, difference.peak)
        if why or not self._ledger.digests:
            difference = await self._difference_anew(table, settings, difference if is_of_all else None)
        if difference or self._unsure or not self.generation:
            difference = await self._push(difference, table, settings)
        return Applied(
            generation=self.generation,
            reloaded=bool(why),
            reasons=tuple(reason.text for reason in why),
            causes=tuple(dict.fromkeys(reason.cause for reason in why)),
            pushed=len(difference.documents),
            deleted=len(difference.gone),
            bytes=difference.bytes,
        )

    def _difference(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Difference:
        defaults, addresses = _defaults(settings), self._resolver.addresses
        if changes is None:
            return self._ledger.whole(documents(table, defaults, addresses))
        return self._ledger.part(*changed_documents(table, changes, defaults, addresses))

    async def _difference_anew(
        self, table: RoutingTable, settings: Settings, of_all: Difference | None = None
    ) -> Difference:
        """Ask what NGINX holds and compare all with it; `of_all` is the difference to nothing, where it is known."""
        held = await self._control.digests()
        self.generation = held.generation
        self._ledger.replace(held.digests)
        return of_all if of_all and not held.digests else self._difference(table, None, settings)

    async def _push(self, difference: Difference, table: RoutingTable, settings: Settings) -> Difference:
        for _ in range(PUSH_TRIES):
            commit = self._commit(difference)
            self._unsure = True
            try:
                pushed = await self._control.push(difference.documents, commit)
            except StaleError as error:
                log.warning("pushing once more, comparing all: %s", error)
                difference = await self._difference_anew(table, settings)
                continue
            self._unsure = False
            self.generation = pushed.generation
            self._ledger.enter(difference)
            return difference
        raise ControlError(f"{PUSH_TRIES} pushes met another generation than they began with")

    def _commit(self, difference: Difference) -> Commit:
        pointers = {document.name: document.digest for document in difference.documents}
        if not self._unsure:
            return Commit(self.generation, tuple(pointers.items()), difference.gone)
        # A full commit takes away what it does not name, and makes the workers forget all that they know.
        gone = set(difference.gone)
        kept = {name: digest for name, digest in self._ledger.digests.items() if name not in gone}
        return Commit(self.generation, tuple((kept | pointers).items()), full=True)

    # --- NGINX and its supervisor

    async def _known(self) -> Standing:
        """Give how it stands, and ask where we do not know."""
        return self._standing or self._learn(await self._supervisor.standing())

    def _learn(self, standing: Standing) -> Standing:
        if standing.protocol != PROTOCOL:
            raise ControlError(
                f"the data plane speaks protocol {standing.protocol} and we speak {PROTOCOL}: run one version of both"
            )
        if self._standing is None or standing.incarnation != self._standing.incarnation:
            self.generation = 0
            self._ledger.replace({})
        self._standing = standing
        return standing

    async def _configure(self, table: RoutingTable, settings: Settings, peak: int) -> tuple[Reason, ...]:
        """Start or reload NGINX if its configuration must differ; give the reasons of a reload."""
        before = await self._known()
        wanted = self._blueprint(table, settings, peak, before.running)
        if wanted == before.running:
            return ()
        standing = self._learn(await self._supervisor.configure(wanted))
        if before.running is None or standing.reloads == before.reloads:
            return ()
        self.reloads += 1
        return reload_reasons(before.running, wanted)

    def _blueprint(self, table: RoutingTable, settings: Settings, peak: int, running: Blueprint | None) -> Blueprint:
        if running is None:
            return Blueprint(settings, table.profiles, self._dictionary(peak, 0))
        # A Profile that is no longer used costs nothing, and leaving it out would cost a reload.
        profiles = table.profiles | running.profiles
        size = self._dictionary(peak, running.dictionary)
        previous = running.previous_dictionary if size == running.dictionary else running.dictionary
        return Blueprint(settings, profiles, size, previous)

    def _dictionary(self, peak: int, running: int) -> int:
        if self._fixed_dictionary is not None:
            return self._fixed_dictionary
        if running and not self._cramped and not is_tight(peak, running):
            return running
        return max(min(2 * running, LARGEST), dictionary_size(peak))

    async def _follow_supervisor(self) -> None:
        """Fill NGINX as soon as it was started anew, whoever started it."""
        pause, said = FIRST_PAUSE, ""
        while True:
            try:
                problem = await self._follow_once()
            except SupervisorAwayError as error:
                # One absence has several faces: a broken connection, a refused one, no socket.
                problem = said if said.startswith(AWAY) else f"{AWAY}: {error}"
            if problem and problem != said:
                log.error("%s", problem)
            said = problem
            if problem:
                self._standing = None  # so that we ask, and try, again
                await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE) if problem else FIRST_PAUSE

    async def _follow_once(self) -> str:
        """Wait for an NGINX that we do not know and fill it; give what was in the way."""
        known = self._standing
        try:
            standing = await (self._supervisor.news(known.incarnation) if known else self._supervisor.standing())
            async with self._lock:
                return await self._refill(standing)
        except SupervisorAwayError:
            raise
        except (ControlError, NginxError) as error:
            return str(error)

    async def _refill(self, standing: Standing) -> str:
        if self._standing and standing.incarnation == self._standing.incarnation:
            return ""
        self._complete = False
        self._learn(standing)
        is_starting = standing.blueprint is not None and not standing.incarnation
        if self._wanted is None or is_starting:
            return ""
        applied = await self._try(self._wanted[0], None, self._wanted[1])
        if applied.problem:
            return f"nginx is not filled: {applied.problem}"
        log.info("nginx is filled anew: generation %s, %s documents", applied.generation, applied.pushed)
        return ""

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
