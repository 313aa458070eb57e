import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from sevengate.nginx.blueprint import Blueprint, Standing
from sevengate.nginx.control import ControlError, SupervisorAwayError
from sevengate.nginx.installation import NginxError, find_installation
from sevengate.nginx.listening import AddressTakenError, Listen
from sevengate.nginx.process import ConfRejectedError
from sevengate.nginx.supervision import RemoteSupervisor, serving
from sevengate.nginx.supervisor import Supervisor
from sevengate.nginx.usage import Usage
from sevengate.routing.policies import BackendProtocol, Profile
from sevengate.settings import NextUpstream, Settings
from tests.conftest import QUIET
from tests.waiting import free_port, until

BLUEPRINT = Blueprint(QUIET, frozenset({Profile()}), 1)


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sg-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "gate"


def listen() -> Listen:
    return Listen(("127.0.0.1",), free_port(), free_port(), free_port())


@asynccontextmanager
async def supervised(
    directory: Path, where: Listen | None = None
) -> AsyncIterator[tuple[Supervisor, RemoteSupervisor]]:
    supervisor, remote = Supervisor(find_installation(), directory, where or listen()), RemoteSupervisor(directory)
    try:
        await supervisor.prepare()
        async with serving(supervisor, supervisor.runtime.supervisor):
            yield supervisor, remote
    finally:
        await remote.close()
        await supervisor.close()


def test_a_blueprint_is_the_same_at_the_other_end() -> None:
    settings = Settings(
        worker_processes=3,
        proxy_next_upstream=(NextUpstream.ERROR, NextUpstream.HTTP_502),
        large_client_header_buffers=(8, 16384),
        worker_shutdown_timeout=0.25,
        log_format_upstream='$remote_addr "é"',
    )
    profiles = frozenset({Profile(), Profile(BackendProtocol.GRPC, 0, buffering=True)})
    blueprint = Blueprint(settings, profiles, 64, 32)
    assert msgspec.json.decode(msgspec.json.encode(blueprint), type=Blueprint) == blueprint


def test_nginx_is_started_and_reloaded_from_another_process(directory: Path) -> None:
    async def scene() -> list[Standing]:
        async with supervised(directory) as (supervisor, remote):
            standings = [await remote.standing(), await remote.configure(BLUEPRINT)]
            assert (await supervisor.state()).generation == 0
            more = msgspec.structs.replace(BLUEPRINT, profiles=frozenset({Profile(), Profile(body_size=10)}))
            return [*standings, await remote.configure(more), await remote.configure(more), await remote.standing()]

    before, started, reloaded, same, asked = asyncio.run(scene())
    assert before == Standing()
    assert (started.blueprint, started.reloads) == (BLUEPRINT, 0)
    assert (reloaded.incarnation, reloaded.reloads) == (started.incarnation, 1)
    assert reloaded == same == asked


def test_what_nginx_uses_is_told_to_another_process(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            assert await remote.usage() == Usage()
            await remote.configure(BLUEPRINT)
            [told, here] = [await remote.usage(), await supervisor.usage()]
            assert told.num_procs == here.num_procs == 3
            assert told.oldest_start_time_seconds == here.oldest_start_time_seconds > 0

    asyncio.run(scene())


def test_a_reload_that_was_begun_is_carried_out_though_the_driver_dies(directory: Path) -> None:
    small = Profile(body_size=10)

    async def is_reloaded(remote: RemoteSupervisor) -> bool:
        return (await remote.standing()).reloads == 1

    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            await remote.configure(BLUEPRINT)
            tested = supervisor.runtime.private / "test.conf"
            more = msgspec.structs.replace(BLUEPRINT, profiles=frozenset({Profile(), small}))
            asking = asyncio.create_task(remote.configure(more))
            await until(lambda: small.name in tested.read_text())
            asking.cancel()
            await until(lambda: is_reloaded(remote))
            assert (await remote.standing()).blueprint == more

    asyncio.run(scene())


def test_the_news_of_another_life_of_nginx_arrive(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            first = await remote.configure(BLUEPRINT)
            waiting = asyncio.create_task(remote.news(first.incarnation))
            os.kill(supervisor.process.pid, signal.SIGKILL)
            died = await waiting
            assert (died.incarnation, died.blueprint) == ("", BLUEPRINT)
            again = await remote.news("")
            assert again.incarnation not in {"", first.incarnation}
            assert again.blueprint == BLUEPRINT

    asyncio.run(scene())


def test_what_nginx_refuses_is_refused_with_its_words_and_the_old_one_stays(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (_, remote):
            standing = await remote.configure(BLUEPRINT)
            for ciphers, why in (("NONSENSE", "nginx refuses"), ("$host", "would read a variable")):
                bad = msgspec.structs.replace(BLUEPRINT, settings=msgspec.structs.replace(QUIET, ssl_ciphers=ciphers))
                with pytest.raises(ConfRejectedError, match=why):
                    await remote.configure(bad)
            assert await remote.standing() == standing

    asyncio.run(scene())


def test_a_port_that_was_taken_in_the_meantime_is_named(directory: Path) -> None:
    async def scene() -> None:
        where = listen()
        async with supervised(directory, where) as (_, remote):
            other = await asyncio.start_server(lambda *_: None, "127.0.0.1", where.http_port)
            async with other:
                with pytest.raises(AddressTakenError, match=rf":{where.http_port} is taken by .*\(pid {os.getpid()}\)"):
                    await remote.configure(BLUEPRINT)
            assert (await remote.configure(BLUEPRINT)).incarnation

    asyncio.run(scene())


def test_what_is_no_blueprint_is_refused(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (_, remote):
            wrong = msgspec.structs.replace(BLUEPRINT, dictionary="64m; lua_shared_dict x")
            with pytest.raises(NginxError, match=r"no Blueprint: Expected `int`, got `str` - at `\$.dictionary`"):
                await remote.configure(wrong)

    asyncio.run(scene())


def test_a_supervisor_that_is_away_is_said_to_be(directory: Path) -> None:
    async def scene() -> None:
        remote = RemoteSupervisor(directory)
        with pytest.raises(SupervisorAwayError, match="No such file or directory"):
            await remote.standing()
        async with supervised(directory) as (_, asked):
            first = await asked.configure(BLUEPRINT)
            waiting = asyncio.create_task(remote.news(first.incarnation))
            await asyncio.sleep(0)
        with pytest.raises(SupervisorAwayError):
            await waiting
        await remote.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ("200 OK\r\nContent-Length: 2\r\n\r\n[]", ControlError, "run one version of both: Expected `object`"),
        ("404 Not Found\r\nContent-Length: 0\r\n\r\n", NginxError, "answers with status 404"),
    ],
)
def test_an_answer_that_cannot_be_read_is_said_in_words(
    directory: Path, answer: str, kind: type[Exception], said: str
) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}".encode())
        writer.close()

    async def scene() -> None:
        remote = RemoteSupervisor(directory)
        (directory / "private").mkdir(parents=True)
        async with await asyncio.start_unix_server(answering, directory / "private" / "supervisor.sock"):
            with pytest.raises(kind, match=said):
                await remote.standing()
        await remote.close()

    asyncio.run(scene())


def test_the_sockets_are_for_their_owner_only(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            await remote.configure(BLUEPRINT)
            folder = supervisor.runtime.private
            assert sorted(entry.name for entry in folder.glob("*.sock")) == ["control.sock", "supervisor.sock"]
            assert folder.stat().st_mode & 0o777 == 0o700
            assert folder.stat().st_uid == os.geteuid()

    asyncio.run(scene())


def test_one_supervisor_works_in_a_directory(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            standing = await remote.configure(BLUEPRINT)
            with pytest.raises(NginxError, match="another Sevengate works in"):
                async with supervised(directory):
                    pass
            assert await remote.standing() == standing
            assert supervisor.process.running

    asyncio.run(scene())


def test_a_supervisor_that_shuts_down_takes_no_blueprint(directory: Path) -> None:
    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            await remote.configure(BLUEPRINT)
            await supervisor.drain()
            assert (await remote.standing()).incarnation == ""
            with pytest.raises(NginxError, match="shutting down"):
                await remote.configure(BLUEPRINT)

    asyncio.run(scene())


def test_an_nginx_that_dies_again_and_again_is_given_pauses(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with supervised(directory) as (supervisor, remote):
            first = await remote.configure(BLUEPRINT)
            os.kill(supervisor.process.pid, signal.SIGKILL)
            await remote.news(first.incarnation)
            second = await remote.news("")
            os.kill(supervisor.process.pid, signal.SIGKILL)
            assert (await remote.news(second.incarnation)).incarnation == ""
            await until(lambda: "is started again in 3600 s" in caplog.text)
            assert (await remote.configure(BLUEPRINT)).incarnation, "whoever asks need not wait"

    monkeypatch.setattr("sevengate.nginx.supervisor.FIRST_PAUSE", 3600)
    monkeypatch.setattr("sevengate.nginx.supervisor.LONGEST_PAUSE", 3600)
    asyncio.run(scene())


def test_an_nginx_that_cannot_be_started_again_is_tried_until_it_can(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        where = listen()
        async with supervised(directory, where) as (supervisor, remote):
            first = await remote.configure(BLUEPRINT)
            with socket.create_server(("127.0.0.1", where.http_port), reuse_port=True):
                os.kill(supervisor.process.pid, signal.SIGKILL)
                await until(lambda: f":{where.http_port} is taken by" in caplog.text)
            assert (await remote.news("")).incarnation not in {"", first.incarnation}

    asyncio.run(scene())
    for line in ("nginx ended with status -9 and is started again", "nginx is not back: 127.0.0.1:"):
        assert sum(line in message for message in caplog.messages) == 1
