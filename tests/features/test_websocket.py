"""WebSockets pass, and stay open over pushes and over a reload."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from sevengate.routing.table import Endpoint
from tests.backends import EchoBackends
from tests.compiler.making import ingress, rule
from tests.features.cluster import HOST, Cluster, config_map

Talk = Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]]


@pytest.fixture
def shop(backends: EchoBackends) -> Endpoint:
    return backends.start("shop")


def talk_over_websocket(cluster: Cluster, talk: Talk, *, tls: bool = False) -> None:
    async def connected() -> None:
        port = cluster.gate.https_port if tls else cluster.gate.http_port
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/chat"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers={"Host": HOST}, ssl=False) as socket,
        ):
            await talk(socket)

    asyncio.run(connected())


async def echoes(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
    await socket.send_str(text)
    assert await socket.receive_str(timeout=20) == f"shop: {text}"


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_texts_go_both_ways(cluster: Cluster, shop: Endpoint, tls: bool) -> None:
    cluster.serve(shop)

    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        for number in range(20):
            await echoes(socket, str(number))
        await echoes(socket, "x" * 100_000)

    talk_over_websocket(cluster, talk, tls=tls)


@pytest.mark.parametrize(
    "annotations",
    [{"proxy-buffering": "on"}, {"proxy-request-buffering": "off"}, {"affinity": "cookie"}, {"load-balance": "ewma"}],
    ids=lambda annotations: next(iter(annotations)),
)
def test_policies_do_not_keep_a_websocket_from_opening(
    cluster: Cluster, shop: Endpoint, annotations: dict[str, str]
) -> None:
    cluster.serve(shop, annotations=annotations)

    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        await echoes(socket, "hello")

    talk_over_websocket(cluster, talk)


def test_a_websocket_stays_open_while_routes_come_and_its_own_route_goes(cluster: Cluster, shop: Endpoint) -> None:
    cluster.serve(shop)

    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        for number in range(20):
            cluster.put(ingress(f"other-{number}", rule(f"other-{number}.example")))
            await echoes(socket, str(number))
        cluster.put(ingress("shop", rule("elsewhere.example")))
        assert cluster.name() == 404
        await echoes(socket, "still here")

    talk_over_websocket(cluster, talk)
    assert cluster.gate.dataplane.reloads == 0


def test_a_websocket_stays_open_over_a_reload(cluster: Cluster, shop: Endpoint) -> None:
    cluster.serve(shop)

    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        await echoes(socket, "before")
        applied = cluster.put(config_map({"keep-alive": "33"}))
        assert applied.reasons == ("setting keep-alive changed",)
        await echoes(socket, "after one")
        applied = cluster.put(ingress("shop", rule(HOST), annotations={"proxy-body-size": "7m"}))
        assert applied.reloaded
        await echoes(socket, "after another")

    talk_over_websocket(cluster, talk)


def test_a_silent_websocket_lives_as_long_as_the_route_lets_it(cluster: Cluster, shop: Endpoint) -> None:
    cluster.serve(shop, annotations={"proxy-read-timeout": "3600", "proxy-send-timeout": "3600"})
    compiled, _, _ = cluster.compile()
    timeouts = compiled.hosts[HOST].routes[0].policies.timeouts
    assert (timeouts.send, timeouts.read) == (3600.0, 3600.0)


def test_a_websocket_that_is_silent_for_too_long_is_closed(cluster: Cluster, shop: Endpoint, error_log: object) -> None:
    cluster.serve(shop, annotations={"proxy-read-timeout": "1", "proxy-send-timeout": "1"})

    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        await echoes(socket, "hello")
        message = await socket.receive(timeout=20)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE}

    talk_over_websocket(cluster, talk)
