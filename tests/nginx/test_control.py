import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sevengate.nginx.control import (
    Commit,
    ControlClient,
    ControlError,
    MemoryFullError,
    Pushed,
    StaleError,
    State,
    UnreachableError,
)
from sevengate.nginx.documents import Document

Answer = tuple[int, object]


class ScriptedServer:
    """A control server that notes what it is asked and answers by a script, the last answer for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.paths: list[str] = []

    async def serve(self, request: web.Request) -> web.Response:
        self.paths.append(f"{request.method} {request.path}")
        self.bodies.append(await request.read())
        status, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.json_response(said, status=status)


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sevengate-") as folder:
        yield Path(folder) / "control.sock"


@contextlib.asynccontextmanager
async def listening(
    path: Path, serve: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[ControlClient]:
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    client = ControlClient(path)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


def parts(body: bytes) -> tuple[dict[str, Any], bytes]:
    line, _, texts = body.partition(b"\n")
    return json.loads(line), texts


async def push(path: Path, server: ScriptedServer, documents: list[Document], commit: Commit) -> Pushed:
    async with listening(path, server.serve) as client:
        return await client.push(documents, commit)


def test_a_small_push_is_one_post_with_its_commit(socket_path: Path) -> None:
    server = ScriptedServer((200, {"generation": 8, "free": 100}))
    documents = [Document("h:a", "d1", b"{}"), Document("b:x", "d2", b"\nfour")]
    commit = Commit(7, [("h:a", "d1"), ("b:x", "d2")], ["h:old"])

    assert asyncio.run(push(socket_path, server, documents, commit)) == Pushed(8, 100)
    [body] = server.bodies
    assert server.paths == ["POST /v1/push"]
    assert parts(body) == (
        {
            "documents": [["h:a", "d1", 2], ["b:x", "d2", 5]],
            "commit": {"base": 7, "set": [["h:a", "d1"], ["b:x", "d2"]], "delete": ["h:old"], "full": False},
        },
        b"{}\nfour",
    )


def test_a_big_push_stages_its_parts_and_commits_with_the_last(socket_path: Path) -> None:
    server = ScriptedServer((200, {"generation": 1, "free": 100}))
    documents = [Document(f"h:{n}", str(n), b"x" * 400_000) for n in range(7)]

    asyncio.run(push(socket_path, server, documents, Commit(0, full=True)))
    headers = [parts(body)[0] for body in server.bodies]
    assert [header["commit"] is not None for header in headers] == [False, False, False, True]
    assert [name for header in headers for name, _, _ in header["documents"]] == [f"h:{n}" for n in range(7)]
    assert max(map(len, server.bodies)) < 1_000_000


def test_a_document_bigger_than_a_part_is_pushed_all_the_same(socket_path: Path) -> None:
    server = ScriptedServer((200, {"generation": 1, "free": 100}))
    asyncio.run(push(socket_path, server, [Document("h:big", "d", b"x" * 3_000_000)], Commit(0)))
    assert len(parts(server.bodies[0])[1]) == 3_000_000


def test_a_push_that_only_deletes_has_no_documents(socket_path: Path) -> None:
    server = ScriptedServer((200, {"generation": 3, "free": 9}))
    asyncio.run(push(socket_path, server, [], Commit(2, delete=["h:a"])))
    assert parts(server.bodies[0])[0]["documents"] == []


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (409, {"error": "base", "generation": 12}, StaleError, "generation 12"),
        (507, {"error": "no memory", "free": 0, "capacity": 33554432}, MemoryFullError, "32 MiB is full"),
        (400, {"error": "no header line"}, ControlError, "no header line"),
        (500, "not what was agreed", ControlError, "status 500"),
    ],
)
def test_a_refusal_is_an_error_of_its_kind(
    socket_path: Path, status: int, said: object, error: type[ControlError], words: str
) -> None:
    with pytest.raises(error, match=words):
        asyncio.run(push(socket_path, ScriptedServer((status, said)), [], Commit(0)))


def test_a_refused_part_ends_the_push(socket_path: Path) -> None:
    server = ScriptedServer((507, {"error": "no memory"}), (200, {"generation": 1, "free": 1}))
    documents = [Document(f"h:{n}", str(n), b"x" * 1_000_000) for n in range(3)]
    with pytest.raises(MemoryFullError):
        asyncio.run(push(socket_path, server, documents, Commit(0)))
    assert len(server.bodies) == 1


def test_state_and_digests_are_read(socket_path: Path) -> None:
    state = {"generation": 4, "worker": 77, "free": 1, "capacity": 2, "conf": "c1", "decoded": 3, "newer": "field"}

    async def run() -> None:
        async with listening(
            socket_path, ScriptedServer((200, state), (200, {"generation": 4, "digests": {"h:a": "d"}})).serve
        ) as client:
            assert await client.state() == State(4, 77, 1, 2, "c1", 3)
            assert (await client.digests()).digests == {"h:a": "d"}

    asyncio.run(run())


def test_nobody_at_the_socket_is_unreachable(socket_path: Path) -> None:
    async def run() -> None:
        client = ControlClient(socket_path)
        with pytest.raises(UnreachableError, match=r"control\.sock"):
            await client.state()
        await client.close()

    asyncio.run(run())


def test_a_connection_that_was_closed_in_between_is_opened_again(socket_path: Path) -> None:
    async def run() -> list[int]:
        connections: list[int] = []

        async def one_answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(1)
            with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                said = b'{"generation":1,"worker":1,"free":1,"capacity":1}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
                await reader.readuntil(b"\r\n\r\n")  # the next request is read, and never answered

        async with await asyncio.start_unix_server(one_answer_each, socket_path):
            client = ControlClient(socket_path)
            await client.state()
            await client.state()
            await client.close()
        return connections

    assert len(asyncio.run(run())) == 2
