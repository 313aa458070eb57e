"""Waiting for what is to come, bounded, and ports on which nobody listens."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

LIMIT = 20.0

_picked = {0}


async def until(reached: Callable[[], object | Awaitable[object]], limit: float = LIMIT) -> None:
    """Come back when `reached()` is true; raise TimeoutError after `limit` seconds, so that a test fails."""
    async with asyncio.timeout(limit):
        while not await _now(reached()):  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.005)


async def _now(answer: object | Awaitable[object]) -> object:
    return await answer if isinstance(answer, Awaitable) else answer


def free_port(address: str = "127.0.0.1") -> int:
    """Pick a port on which nobody listens, and never the same one twice."""
    port = 0
    while port in _picked:
        with socket.socket() as picked:
            picked.bind((address, 0))
            port = int(picked.getsockname()[1])
    _picked.add(port)
    return port
