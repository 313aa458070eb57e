"""Serves /healthz: whether this gate can be sent traffic.

It takes a question (`why_not`) that gives "" if all is well, and otherwise the reason in words; a probe gets 200 or
503. What is asked, and at which address, is decided in run.py.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

#: Gives "" if all is well, or why not.
WhyNot = Callable[[], Awaitable[str]]


@asynccontextmanager
async def serving_health(why_not: WhyNot, addresses: tuple[str, ...], port: int) -> AsyncIterator[None]:
    """Serve /healthz at some addresses; raise OSError if one is taken."""
    application = web.Application()

    async def healthz(_request: web.Request) -> web.Response:
        reason = await why_not()
        return web.Response(status=503 if reason else 200, text=f"{reason or 'ok'}\n")

    application.router.add_get("/healthz", healthz)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        for address in addresses:
            await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()
