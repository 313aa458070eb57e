"""Brings things to their desired state, key by key: the loop that all of a lab's controllers share.

A controller says which key deserves a look (`ask`) and what a look does; here is decided when. A key that is asked for
ten times before its turn is looked at once, never twice at the same time, and again if it was asked for meanwhile. A
look that fails is repeated with back-off, one that wants to look again later says in how many seconds. So a controller
is only a function from a key to writes: level-triggered, and safe to restart.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from sevengate.cluster.backoff import Backoff
from sevengate.cluster.errors import ClusterError, ConflictError, NotFoundError, UnreachableError

log = logging.getLogger("sevengate.lab")

#: Seconds before a look that failed is repeated: the first time, and at most.
FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 5.0

#: Looks at what goes by a key; gives the seconds after which to look again, or None.
Look = Callable[[str], Awaitable[float | None]]


class Reconciler:
    """Looks at keys, `workers` of them at a time."""

    def __init__(self, name: str, look: Look, workers: int = 8) -> None:
        self.name = name
        self._look = look
        self._workers = workers
        self._queue: deque[str] = deque()
        self._waiting: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._came = asyncio.Semaphore(0)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is looked at or waits to be."""
        return not (self._waiting or self._busy)

    def ask(self, key: str) -> None:
        """Have a key looked at, soon."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.append(key)
            self._came.release()

    def ask_later(self, key: str, seconds: float) -> None:
        """Have a key looked at after some seconds, if nobody asks for an earlier look."""
        loop = asyncio.get_running_loop()
        held = self._later.get(key)
        if held and held.when() <= loop.time() + seconds:
            return
        if held:
            held.cancel()
        self._later[key] = loop.call_later(seconds, self._is_due, key)

    async def run(self) -> None:
        """Look at keys, until cancelled."""
        workers = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            for timer in self._later.values():
                timer.cancel()
            self._later.clear()
            await asyncio.gather(*workers, return_exceptions=True)

    def _is_due(self, key: str) -> None:
        del self._later[key]
        self.ask(key)

    async def _work(self) -> None:
        while True:
            await self._came.acquire()
            key = self._queue.popleft()
            self._waiting.discard(key)
            self._busy.add(key)
            try:
                await self._look_at(key)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.ask(key)

    async def _look_at(self, key: str) -> None:
        try:
            later = await self._look(key)
        except (ConflictError, NotFoundError) as error:
            # Somebody else was faster, and what they did is heard of soon.
            log.debug("%s %s: %s", self.name, key, error)
            self._retry(key)
        except UnreachableError as error:
            log.debug("%s %s: %s", self.name, key, error)
            self._retry(key)
        except ClusterError as error:
            log.warning("%s %s: %s", self.name, key, error)
            self._retry(key)
        except Exception:
            log.exception("%s %s: a fault of our own", self.name, key)
            self._retry(key)
        else:
            self._backoffs.pop(key, None)
            if later is not None:
                self.ask_later(key, later)

    def _retry(self, key: str) -> None:
        backoff = self._backoffs.setdefault(key, Backoff(FIRST_PAUSE, LONGEST_PAUSE))
        self.ask_later(key, backoff.next())
