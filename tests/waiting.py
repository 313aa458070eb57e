"""Waiting for what is to come, bounded, and ports on which nobody listens."""

import asyncio
import errno
import secrets
import socket
from collections.abc import Awaitable, Callable

LIMIT = 20.0

#: Where ports are picked: below those that the kernel gives to clients, and those that `live` picks.
PORTS = range(12_000, 20_000)

_picked: set[int] = set()


async def until(reached: Callable[[], object | Awaitable[object]], limit: float = LIMIT) -> None:
    """Come back when `reached()` is true; raise TimeoutError after `limit` seconds, so that a test fails."""
    async with asyncio.timeout(limit):
        while not await _now(reached()):  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.005)


async def _now(answer: object | Awaitable[object]) -> object:
    return await answer if isinstance(answer, Awaitable) else answer


def free_port(address: str = "127.0.0.1") -> int:
    """Pick a port on which nobody listens, and never the same one twice.

    Who it is for may need seconds until it listens, so it must be none that others get by chance meanwhile. Dice of the
    system's: hypothesis sets Python's own to the same number in every process.
    """
    while True:
        port = secrets.choice(PORTS)
        if port not in _picked and _is_free(address, port):
            _picked.add(port)
            return port


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def until_sync(reached: Callable[[], object], limit: float = LIMIT) -> None:
    """Do what `until` does where no loop runs."""
    asyncio.run(until(reached, limit))
