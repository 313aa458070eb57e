"""Serves pages over HTTP at some addresses and one port: a page is a function that gives a Page when it is asked.

It takes the pages by their paths, and no more: what they say is health.py's and metrics.py's business, which of them
there are and where they are served is decided in run.py. A page that fails gets 500 and a line in the log; the others
go on. A body that is long comes as an iterator, is sent piece by piece and never stands in memory whole.
"""

import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

from sevengate.nginx.listening import unusable

log = logging.getLogger("sevengate.web")

TEXT: Final = "text/plain; charset=utf-8"


class Page(msgspec.Struct, frozen=True):
    """What is answered."""

    body: str | AsyncIterator[bytes]
    status: int = 200
    content_type: str = TEXT


#: Makes a page for one request.
MakePage = Callable[[], Awaitable[Page]]


@asynccontextmanager
async def serving(pages: Mapping[str, MakePage], addresses: Iterable[str], port: int) -> AsyncIterator[None]:
    """Serve pages by their paths; raise AddressTakenError."""
    application = web.Application()
    for path, make in pages.items():
        application.router.add_get(path, _answering(path, make))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await listen(runner, addresses, port)
        yield
    finally:
        await runner.cleanup()


async def listen(runner: web.AppRunner, addresses: Iterable[str], port: int, tls: ssl.SSLContext | None = None) -> None:
    """Let a server listen at some addresses; raise AddressTakenError."""
    for address in addresses:
        try:
            await web.TCPSite(runner, address, port, ssl_context=tls).start()
        except OSError as error:
            raise unusable(address, port, error) from error


def _answering(path: str, make: MakePage) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            page = await make()
        except Exception:
            log.exception("%s cannot be answered", path)
            page = Page("there is a fault in Sevengate; its log says more\n", 500)
        headers = {"Content-Type": page.content_type}
        if isinstance(page.body, str):
            return web.Response(status=page.status, headers=headers, body=page.body.encode())
        response = web.StreamResponse(status=page.status, headers=headers)
        await response.prepare(request)
        async for piece in page.body:
            await response.write(piece)
        await response.write_eof()
        return response

    return answer
