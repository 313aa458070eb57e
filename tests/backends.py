"""Web servers that answer with their name and with what they were asked, as JSON."""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from aiohttp import WSMsgType, web

from sevengate.routing.table import Endpoint

T = TypeVar("T")


class EchoBackends:
    """Named servers on loopback addresses, all in one thread.

    Each answers any request with {"name", "method", "target", "version", "headers": [[name, value], ...], "body"};
    `/status/418` is answered with that status, and a WebSocket gets each of its texts back as "<name>: <text>".
    """

    def __init__(self) -> None:
        self.served: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runners: dict[str, web.AppRunner] = {}
        self._ports: dict[str, Endpoint] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._runners):
            self.stop(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, name: str, address: str = "127.0.0.1", port: int = 0) -> Endpoint:
        """Start a server, on a free port if none is given, and say where it is."""
        return self._wait(self._start(name, address, port))

    def stop(self, name: str) -> None:
        """Stop a server: connections to it are refused from now on."""
        self._wait(self._runners.pop(name).cleanup())

    async def _start(self, name: str, address: str, port: int) -> Endpoint:
        application = web.Application(client_max_size=2**30)

        async def serve(request: web.Request) -> web.StreamResponse:
            self.served[name] += 1
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await _websocket(name, request)
            return await _echo(name, request)

        application.router.add_route("*", "/{path:.*}", serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, address, port)
        await site.start()
        self._runners[name] = runner
        [bound] = runner.addresses
        return Endpoint(address, bound[1])

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _echo(name: str, request: web.Request) -> web.Response:
    asked = {
        "name": name,
        "method": request.method,
        "target": request.raw_path,
        "version": f"{request.version.major}.{request.version.minor}",
        "headers": [[key.decode("latin-1"), value.decode("latin-1")] for key, value in request.raw_headers],
        "body": (await request.read()).decode("latin-1"),
    }
    status = int(request.path.removeprefix("/status/")) if request.path.startswith("/status/") else 200
    return web.json_response(asked, status=status)


async def _websocket(name: str, request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"{name}: {message.data}")
    return socket
