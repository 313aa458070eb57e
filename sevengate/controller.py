"""The loop: the newest Snapshot is compiled and made live, round after round.

Whoever reads wishes (files.py, later an API server) submits Snapshots and what changed in them; what arrives while a
round is under way is joined and makes one more round. Each round ends in a Generation: what was compiled and what the
data plane did. A round that fails, by a fault of ours or because NGINX refuses, leaves the last good state serving, and
the next round compiles everything anew. Who is told of a Generation is decided in run.py.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from sevengate.compiler.compile import Compilation, compile_all, recompile
from sevengate.kube.snapshot import Changes, Snapshot
from sevengate.nginx.dataplane import Applied
from sevengate.nginx.installation import NginxError
from sevengate.routing.table import RoutingTable, TableChanges
from sevengate.settings import Options, Settings

log = logging.getLogger("sevengate.controller")

#: Seconds after which a round that failed is tried again: the first pause, and the longest.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0


class Plane(Protocol):
    """What makes tables live: nginx.dataplane.DataPlane."""

    async def apply(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        """Make a table live."""
        ...


class Generation(msgspec.Struct, frozen=True):
    """The outcome of a round.

    `waited` is how many seconds the oldest wish waited that went live by it, if it was said when that came.
    """

    compilation: Compilation
    applied: Applied
    waited: float | None = None


class Controller:
    """Compiles and applies what is submitted; `tell` is called with each Generation."""

    def __init__(self, plane: Plane, options: Options, tell: Callable[[Generation], None]) -> None:
        self.generation: Generation | None = None
        #: What was compiled last, live or not: what somebody is to be judged by who asks for a change.
        self.compiled: Compilation | None = None
        self._plane = plane
        self._options = options
        self._tell = tell
        self._snapshot: Snapshot | None = None
        self._changes = Changes()
        self._submitted = asyncio.Event()
        self._compilation: Compilation | None = None
        self._pause = 0.0
        self._since: float | None = None

    def submit(self, snapshot: Snapshot, changes: Changes, since: float | None = None) -> None:
        """Wish for a new Snapshot, which differs by `changes` from the one submitted before.

        `since`: when the first of the changes became known, by time.monotonic().
        """
        self._snapshot = snapshot
        self._changes |= changes
        self._since = _earlier(self._since, since)
        self._submitted.set()

    async def run(self) -> None:
        """Carry out what is submitted, for ever; raise NginxError if NGINX cannot be started at all."""
        while True:
            await self._something_to_do()
            self._submitted.clear()
            self._pause = 0.0 if await self._round() else min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)

    async def _something_to_do(self) -> None:
        try:
            async with asyncio.timeout(self._pause or None):
                await self._submitted.wait()
        except TimeoutError:
            return

    async def _round(self) -> bool:
        """Do one round; say whether the newest Snapshot is live."""
        snapshot, changes = self._snapshot, self._changes
        if snapshot is None:
            return True
        self._changes = Changes()
        since, self._since = self._since, None
        previous, self._compilation = self._compilation, None
        try:
            compilation = await asyncio.to_thread(self._compile, previous, snapshot, changes)
            self.compiled = compilation
            applied = await self._plane.apply(compilation.table, compilation.changes, compilation.settings)
        except NginxError:
            raise
        except Exception:
            log.exception("a round failed; the last good state goes on serving")
            self._since = _earlier(self._since, since)
            return False
        self._compilation = compilation
        waited = None
        if applied.problem:
            self._since = _earlier(self._since, since)
        elif since is not None:
            waited = time.monotonic() - since
        self.generation = Generation(compilation, applied, waited)
        self._tell(self.generation)
        return not applied.problem

    def _compile(self, previous: Compilation | None, snapshot: Snapshot, changes: Changes) -> Compilation:
        now = datetime.now(UTC)
        if previous is None:
            return compile_all(snapshot, self._options, now)
        return recompile(previous, snapshot, changes, now)


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)
