import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import pytest

from sevengate.cluster.access import at_host
from sevengate.cluster.backoff import Backoff
from sevengate.cluster.client import Client, ClientTiming
from sevengate.cluster.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
    error_of,
)
from sevengate.cluster.resources import LEASES, NAMESPACES, SERVICES
from tests.cluster.api_server import ApiServer
from tests.cluster.following import HASTY_CLIENT
from tests.waiting import LIMIT, free_port, until

PATH = "/api/v1/services"


def play(scenario: Callable[[ApiServer, Client], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        server = ApiServer()
        async with asyncio.timeout(LIMIT), server.running() as access, Client(access, HASTY_CLIENT) as client:
            await scenario(server, client)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, GoneError),
        (418, ApiError),
        (422, InvalidError),
    ],
)
def test_a_refusal_is_raised_by_its_status_and_not_asked_for_again(status: int, kind: type[ApiError]) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse(status=status)
        with pytest.raises(ApiError) as caught:
            await client.get(PATH)
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.message) == (status, "as the test ordered")
        assert len(server.requests) == 1

    play(scenario)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_reading_is_tried_again_when_the_server_is_in_trouble(status: int) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse(status=status, times=4)
        await client.get(PATH)
        assert len(server.requests) == 5

    play(scenario)


@pytest.mark.parametrize(("status", "kind"), [(429, TooManyRequestsError), (503, ServerError)])
def test_trying_again_has_an_end(status: int, kind: type[ApiError]) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse(status=status, times=1 << 30)
        with pytest.raises(kind):
            await client.get(PATH)
        assert len(server.requests) == HASTY_CLIENT.tries

    play(scenario)


def test_a_write_that_may_have_happened_is_not_repeated() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse("POST", status=500)
        with pytest.raises(ServerError):
            await client.create(LEASES.path("gate"), {"metadata": {"name": "leader"}})
        assert len(server.requests) == 1
        server.refuse("POST", status=429)
        await client.create(LEASES.path("gate"), {"metadata": {"name": "leader"}})
        assert server.get("Lease", "gate/leader")

    play(scenario)


def test_a_server_says_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse(status=429, headers={"Retry-After": "7"})
        monkeypatch.setattr(asyncio, "sleep", noted)
        await client.get(PATH)
        assert 7.0 in pauses

    play(scenario)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("999", 60)])
def test_a_pause_is_a_number_within_reason(said: str, seconds: float) -> None:
    assert error_of(429, b"", said).retry_after == seconds


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"\xff", b"[]", b'{"message": 7}'])
def test_a_body_that_is_no_status_is_shown_as_it_is(body: bytes) -> None:
    error = error_of(502, body)
    assert error.status == 502
    assert error.message == body.decode(errors="replace")


def test_a_server_that_is_not_there_is_unreachable() -> None:
    async def run() -> None:
        async with Client(at_host(f"127.0.0.1:{free_port()}"), HASTY_CLIENT) as client:
            with pytest.raises(UnreachableError):
                await client.get(PATH)

    asyncio.run(run())


def test_a_server_that_does_not_answer_in_time_is_unreachable() -> None:
    ended = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.append(writer)

    async def run() -> None:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            timing = ClientTiming(request=0.05, tries=2, first_pause=0.001)
            async with Client(at_host(f"127.0.0.1:{port}"), timing) as client:
                with pytest.raises(UnreachableError):
                    await client.get(PATH)
            await until(lambda: len(ended) == 2)

    asyncio.run(run())


def test_a_redirect_is_not_followed_with_our_token() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse(status=302, headers={"Location": "http://127.0.0.1:1/"})
        with pytest.raises(ApiError) as caught:
            await client.get(PATH)
        assert caught.value.status == 302

    play(scenario)


def test_lists_are_asked_for_in_gzip_and_watches_are_not() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        await client.get(PATH)
        server.put({"kind": "Service", "metadata": {"name": "a", "namespace": "default"}})
        async with aclosing(client.watch(PATH, {"resourceVersion": "100"}, 5.0)) as batches:
            [line] = await anext(batches)
        assert b'"ADDED"' in line
        assert [said["Accept-Encoding"] for said in server.headers] == ["gzip", "identity"]
        assert all(said["User-Agent"].startswith("sevengate/") for said in server.headers)

    play(scenario)


def test_paths_are_those_of_the_api() -> None:
    assert SERVICES.path() == "/api/v1/services"
    assert SERVICES.path("shop", "web") == "/api/v1/namespaces/shop/services/web"
    assert LEASES.path("gate", "x", "status") == "/apis/coordination.k8s.io/v1/namespaces/gate/leases/x/status"
    assert NAMESPACES.path(name="shop") == "/api/v1/namespaces/shop"


def test_pauses_grow_to_the_longest_and_begin_anew_after_success() -> None:
    backoff = Backoff(1.0, 8.0)
    for _ in range(3):
        pauses = [backoff.next() for _ in range(2000)]
        for pause, whole in zip(pauses, [1.0, 2.0, 4.0, 8.0, *[8.0] * 1996], strict=True):
            assert whole / 2 <= pause <= whole
        assert len(set(pauses)) > 1000
        backoff.reset()
