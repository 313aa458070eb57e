"""Serves pages on a port of its own and asks for them."""

import asyncio
import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from sevengate.web.serving import MakePage, serving
from tests.waiting import free_port


@dataclass(frozen=True)
class Said:
    status: int
    body: str
    content_type: str


def probe(port: int, path: str) -> Said:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return Said(answer.status, answer.read().decode(), answer.getheader("Content-Type", ""))
    finally:
        connection.close()


def probes(pages: Mapping[str, MakePage], *paths: str) -> list[Said]:
    """Serve the pages and ask for some paths, one after the other."""

    async def run() -> list[Said]:
        port = free_port()
        async with serving(pages, ("127.0.0.1",), port):
            return [await asyncio.to_thread(probe, port, path) for path in paths]

    return asyncio.run(run())
