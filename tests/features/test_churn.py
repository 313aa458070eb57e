"""Nobody notices 200 changes of routes and 1,000 of endpoints: no request fails, no WebSocket drops, no reload."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import aiohttp
import pytest

from sevengate.kube.snapshot import Event
from sevengate.routing.table import Endpoint
from tests.backends import EchoBackends
from tests.compiler.making import ingress, path, rule
from tests.features.cluster import HOST, Cluster, endpoint_slice, without_endpoint, without_ingress

ROUTE_CHANGES = 200
ENDPOINT_CHANGES = 1000
ENDPOINTS = 4
CLIENTS = 6
WEBSOCKETS = 3


class Traffic:
    """Clients that ask without pause and WebSockets that echo, until they are told to stop; and what came of it."""

    def __init__(self, port: int) -> None:
        self.answers: Counter[object] = Counter()
        self.echoes = 0
        self.dropped = 0
        self._port = port
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> "Traffic":
        self._session = aiohttp.ClientSession(headers={"Host": HOST})
        self._sockets = [await self._session.ws_connect(f"ws://127.0.0.1:{self._port}/chat") for _ in range(WEBSOCKETS)]
        work = [*(self._ask(number) for number in range(CLIENTS)), *map(self._talk, self._sockets)]
        self._tasks = [asyncio.create_task(each) for each in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        await asyncio.gather(*self._tasks)
        await self._session.close()

    async def _ask(self, number: int) -> None:
        # Over one connection for all, which a client library would replace in silence. Half of the clients send a body,
        # so that changes come between a request's head and its end.
        method, body = ("GET", b"") if number % 2 else ("POST", b"x" * 20_000)
        head = f"{method} / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self._stopped.is_set():
            writer.write(head + body)
            try:
                self.answers[await status_of_answer(reader)] += 1
            except (OSError, EOFError) as error:
                self.answers[repr(error)] += 1
                break
        writer.close()

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while not self._stopped.is_set():
            await socket.send_str(str(self.echoes))
            message = await socket.receive(timeout=20)
            if message.type is not aiohttp.WSMsgType.TEXT:
                self.dropped += 1
                return
            self.echoes += 1
        await socket.close()


async def status_of_answer(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    return int(head.split(" ", 2)[1])


def route_changes() -> Iterator[Event]:
    """Add, edit and remove routes, in turn; some of them on the host that is under load."""
    for number in range(ROUTE_CHANGES):
        name = f"route-{number // 4}"
        host = HOST if number // 4 % 2 else f"{name}.example"
        match number % 4:
            case 0:
                yield ingress(name, rule(host, path(f"/{name}")))
            case 1:
                yield ingress(name, rule(host, path(f"/{name}"), path(f"/{name}/more")))
            case 2:
                yield ingress(name, rule(host, path(f"/{name}")), annotations={"upstream-vhost": "inner.example"})
            case _:
                yield without_ingress(name)


def endpoint_changes(places: list[Endpoint]) -> Iterator[Event]:
    """Take endpoints away and put them back in turn, so that always some are left."""
    for number in range(ENDPOINT_CHANGES):
        at = number // 2 % ENDPOINTS
        yield without_endpoint("shop", at) if number % 2 == 0 else endpoint_slice("shop", at, places[at])


@pytest.mark.parametrize(
    "annotations",
    [{}, {"load-balance": "ewma"}, {"affinity": "cookie"}],
    ids=["round robin", "ewma", "sticky"],
)
def test_changes_under_load_cost_no_request_and_no_websocket(
    cluster: Cluster, backends: EchoBackends, annotations: dict[str, str]
) -> None:
    places = [backends.start(f"shop-{number}") for number in range(ENDPOINTS)]
    cluster.configure({"keep-alive-requests": "1000000"})
    cluster.serve(*places, annotations=annotations, ingress_name="under-load")
    reloads, generation = cluster.gate.dataplane.reloads, cluster.applied.generation
    routes, endpoints = route_changes(), endpoint_changes(places)

    async def change() -> Traffic:
        async with Traffic(cluster.gate.http_port) as traffic:
            for event in routes:
                await asyncio.to_thread(cluster.put, event)
                for _ in range(ENDPOINT_CHANGES // ROUTE_CHANGES):
                    await asyncio.to_thread(cluster.put, next(endpoints))
        return traffic

    traffic = asyncio.run(change())
    assert set(traffic.answers) == {200}
    assert traffic.answers.total() > ROUTE_CHANGES
    assert (traffic.dropped, traffic.echoes > WEBSOCKETS) == (0, True)
    assert cluster.gate.dataplane.reloads == reloads
    assert cluster.applied.generation >= generation + ROUTE_CHANGES + ENDPOINT_CHANGES
    assert next(endpoints, None) is None
