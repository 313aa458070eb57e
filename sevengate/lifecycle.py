"""The end of a process, as signals ask for it, and work that ends together.

The first SIGTERM or SIGINT asks for the end, a second one asks to wait for nothing. What a process does in between,
serving for a while and draining, is told in run.py and supervise.py.
"""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Ending:
    """What signals have asked for so far."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()

    @property
    def is_asked(self) -> bool:
        """Whether the end was asked for."""
        return self._asked.is_set()

    def signal(self) -> None:
        """Take note of one signal."""
        (self._hurried if self.is_asked else self._asked).set()

    async def asked(self) -> None:
        """Wait until the end is asked for."""
        await self._asked.wait()

    async def hurried(self) -> None:
        """Wait until it is asked for once more."""
        await self._hurried.wait()

    async def pause(self, seconds: float) -> None:
        """Wait some seconds, unless there is a hurry."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurried()


@contextmanager
def ending() -> Iterator[Ending]:
    """Listen to SIGTERM and SIGINT."""
    end, loop = Ending(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.signal)
    try:
        yield end
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Wait for the first that ends, raise what it raised, and end the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
