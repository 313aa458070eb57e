import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from sevengate.nginx.conf import Directive, Expr, write
from sevengate.nginx.installation import APT_COMMAND, NginxError, NginxMissingError, find_installation
from sevengate.nginx.listening import AddressTakenError
from sevengate.nginx.ports import group_members
from sevengate.nginx.process import ConfRejectedError, NginxProcess, Ready
from sevengate.nginx.runtime import Runtime
from tests.waiting import free_port, until


def conf_of(runtime: Runtime, *texts: str, ports: tuple[int, ...] = ()) -> str:
    """A configuration without Lua whose control socket answers each text at /0, /1, ..."""
    places = [Directive("location", ("=", f"/{n}"), (Directive("return", ("200", t)),)) for n, t in enumerate(texts)]
    slow = Directive("location", ("=", "/slow"), (Directive("proxy_pass", (f"http://unix:{runtime.private}/slow",)),))
    listens = [Directive("listen", (f"unix:{runtime.control}",))]
    listens += [Directive("listen", (f"127.0.0.1:{port}",)) for port in ports]
    temporaries = [
        Directive(f"{kind}_temp_path", (f"{runtime.temporary}/{kind}",))
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    server = Directive("server", (), (*listens, *places, slow))
    http = Directive("http", (), (*temporaries, Directive("access_log", ("off",)), server))
    return write(
        [
            *(Directive("daemon", ("off",)), Directive("pid", (str(runtime.pid),))),
            *(Directive("worker_processes", ("2",)), Directive("events", (), ()), http),
        ]
    )


async def fetch(runtime: Runtime, path: str) -> str:
    reader, writer = await asyncio.open_unix_connection(runtime.control)
    writer.write(f"GET {path} HTTP/1.0\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2].decode()


def answers(runtime: Runtime, text: str) -> Ready:
    async def ready() -> bool:
        with contextlib.suppress(OSError):
            return await fetch(runtime, "/0") == text
        return False

    return ready


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    made = Runtime(Path(tempfile.mkdtemp(prefix="sevengate-")))
    made.make()
    made.claim()
    yield made
    made.remove()


@contextlib.asynccontextmanager
async def running(runtime: Runtime, text: str = "one", ports: tuple[int, ...] = ()) -> AsyncIterator[NginxProcess]:
    nginx = NginxProcess(find_installation(), runtime)
    await nginx.start(conf_of(runtime, text, ports=ports), answers(runtime, text))
    try:
        yield nginx
    finally:
        await nginx.stop()


def test_an_installation_is_found_with_its_modules_and_lua() -> None:
    found = find_installation()
    assert found.version >= (1, 18, 0)
    assert [Path(module).is_file() for module in found.modules] == [True, True]
    assert "?.lua" in found.lua_path
    assert Path(found.lua_cpath.replace("?", "cjson")).is_file()


def test_a_missing_nginx_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NginxMissingError, match=APT_COMMAND):
        find_installation(str(tmp_path))


def test_a_missing_lua_module_says_what_to_install(tmp_path: Path) -> None:
    fake = tmp_path / "nginx"
    fake.write_text(f"#!/bin/sh\necho 'nginx version: nginx/1.26.3' >&2\necho '--modules-path={tmp_path}' >&2\n")
    fake.chmod(0o755)
    with pytest.raises(NginxMissingError, match=r"ndk_http_module\.so .* apt-get install"):
        find_installation(str(tmp_path))


async def started_and_stopped(runtime: Runtime) -> tuple[int, bool]:
    async with running(runtime) as nginx:
        assert len(nginx.workers()) == 2
        group = nginx.pid
    return group, nginx.running


def test_stopping_leaves_no_process(runtime: Runtime) -> None:
    group, still_running = asyncio.run(started_and_stopped(runtime))
    assert not still_running
    assert group_members(group) == ()


TEXTS = ["", "a b", "{", "};", "#", "\\", '"', "'", "\\\\\"'", "\n", "\t\r\n", "é€😀", "a;b{c}d", "x" * 3999, "\\n"]


def test_nginx_reads_every_text_as_it_was_meant(runtime: Runtime) -> None:
    async def run() -> list[str]:
        nginx = NginxProcess(find_installation(), runtime)
        await nginx.start(conf_of(runtime, "here", *TEXTS), answers(runtime, "here"))
        try:
            return [await fetch(runtime, f"/{number}") for number in range(1, len(TEXTS) + 1)]
        finally:
            await nginx.stop()

    assert asyncio.run(run()) == TEXTS


def test_a_variable_is_expanded_only_in_an_expression(runtime: Runtime) -> None:
    async def run() -> str:
        nginx = NginxProcess(find_installation(), runtime)
        await nginx.start(conf_of(runtime, "here", Expr("${request_method}{x}")), answers(runtime, "here"))
        try:
            return await fetch(runtime, "/1")
        finally:
            await nginx.stop()

    assert asyncio.run(run()) == "GET{x}"


def test_a_reload_is_over_when_only_new_workers_accept(runtime: Runtime) -> None:
    async def run() -> set[str]:
        async with running(runtime, "old") as nginx:
            old = set(nginx.workers())
            await nginx.reload(conf_of(runtime, "new"), answers(runtime, "new"))
            assert old.isdisjoint(pid for pid, accepts in nginx.workers().items() if accepts)
            return {await fetch(runtime, "/0") for _ in range(50)}

    assert asyncio.run(run()) == {"new"}


def test_a_configuration_that_nginx_refuses_is_told_with_its_words(runtime: Runtime) -> None:
    async def run() -> None:
        async with running(runtime) as nginx:
            with pytest.raises(ConfRejectedError, match='unknown directive "nonsense"'):
                await nginx.test("nonsense on;")
            assert await fetch(runtime, "/0") == "one"
            assert "return 200 one" in runtime.conf.read_text()

    asyncio.run(run())


def test_testing_a_configuration_does_not_disturb_the_sockets_of_the_running_one(runtime: Runtime) -> None:
    async def run() -> str:
        async with running(runtime) as nginx:
            await nginx.test(conf_of(runtime, "two"))
            return await fetch(runtime, "/0")

    assert asyncio.run(run()) == "one"


def test_a_reload_that_fails_keeps_the_old_configuration(runtime: Runtime) -> None:
    async def run() -> str:
        async with running(runtime) as nginx:
            with pytest.raises(NginxError, match=r"could not reload: .*unknown directive"):
                await nginx.reload("nonsense on;", answers(runtime, "two"))
            assert "return 200 one" in runtime.conf.read_text()
            return await fetch(runtime, "/0")

    assert asyncio.run(run()) == "one"


def test_a_taken_port_is_named_with_its_owner(runtime: Runtime) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async def run() -> None:
            await NginxProcess(find_installation(), runtime).start(
                conf_of(runtime, "one", ports=(port,)), answers(runtime, "one")
            )

        with pytest.raises(AddressTakenError, match=rf"127\.0\.0\.1:{port} is taken by .*\(pid {os.getpid()}\)"):
            asyncio.run(run())


def test_a_port_that_only_root_may_have_is_told_as_that(runtime: Runtime, tmp_path: Path) -> None:
    fake = tmp_path / "nginx"
    fake.write_text(
        "#!/bin/sh\necho 'nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    installation = msgspec.structs.replace(find_installation(), executable=str(fake))
    with pytest.raises(AddressTakenError, match=r"0\.0\.0\.0:80: ports below 1024 need root"):
        asyncio.run(NginxProcess(installation, runtime).test(""))


def test_what_takes_several_lines_is_of_one_level(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake = tmp_path / "nginx"
    lines = (
        r"2026/01/01 00:00:00 [debug] 1#1: *7 header:\nServer: nginx\n2026/01/01 00:00:00 [error] 1#1: lua\ntraceback"
    )
    fake.write_text(f"#!/bin/sh\nprintf '{lines}\n' >&2\nexit 1\n")
    fake.chmod(0o755)
    installation = msgspec.structs.replace(find_installation(), executable=str(fake))
    with caplog.at_level("DEBUG", "sevengate.nginx"), pytest.raises(NginxError, match="ended with status 1"):
        asyncio.run(NginxProcess(installation, runtime).start("", answers(runtime, "one")))
    found = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "sevengate.nginx"]
    assert found == [
        ("DEBUG", "*7 header:"),
        ("DEBUG", "Server: nginx"),
        ("ERROR", "lua"),
        ("ERROR", "traceback"),
    ]


def test_a_reload_that_meets_a_taken_port_keeps_the_old_configuration(runtime: Runtime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def run() -> str:
            async with running(runtime) as nginx:
                with pytest.raises(AddressTakenError, match=rf":{port} is taken by .*\(pid {os.getpid()}\)"):
                    await nginx.reload(conf_of(runtime, "two", ports=(port,)), answers(runtime, "two"))
                assert "return 200 one" in runtime.conf.read_text()
                return await fetch(runtime, "/0")

        assert asyncio.run(run()) == "one"


def test_an_address_that_is_freed_while_nginx_tries_is_used(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> str:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            nginx = NginxProcess(find_installation(), runtime)
            starting = asyncio.create_task(nginx.start(conf_of(runtime, "one", ports=(port,)), answers(runtime, "one")))
            await until(lambda: "bind() to" in caplog.text)
        try:
            await starting
            return await fetch(runtime, "/0")
        finally:
            await nginx.stop()

    assert asyncio.run(run()) == "one"


def test_what_a_killed_nginx_left_behind_is_removed(runtime: Runtime) -> None:
    port = free_port()

    async def run() -> None:
        async with running(runtime, ports=(port,)) as nginx:
            os.kill(nginx.pid, signal.SIGKILL)
            assert await nginx.died() == -signal.SIGKILL
        assert runtime.control.exists()
        async with running(runtime, "again", (port,)):
            assert await fetch(runtime, "/0") == "again"

    asyncio.run(run())


def test_a_second_nginx_in_the_same_directory_is_refused(runtime: Runtime) -> None:
    async def run() -> str:
        async with running(runtime):
            with pytest.raises(NginxError, match="another NGINX works in"):
                await NginxProcess(find_installation(), runtime).start("", answers(runtime, "one"))
            return await fetch(runtime, "/0")

    assert asyncio.run(run()) == "one"


def test_a_worker_that_is_killed_is_replaced_by_the_master(runtime: Runtime) -> None:
    async def run() -> None:
        async with running(runtime) as nginx:
            victim = min(nginx.workers())
            os.kill(victim, signal.SIGKILL)
            await until(lambda: victim not in nginx.workers() and len(nginx.workers()) == 2)
            assert nginx.running
            assert await fetch(runtime, "/0") == "one"

    asyncio.run(run())


def test_draining_finishes_what_is_under_way(runtime: Runtime) -> None:
    async def run() -> str:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await go_on.wait()
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nfinished")
            await writer.drain()
            writer.close()

        async with await asyncio.start_unix_server(slow, runtime.private / "slow"), running(runtime) as nginx:
            (runtime.private / "slow").chmod(0o777)
            runtime.private.chmod(0o711)  # the worker is nobody
            request = asyncio.create_task(fetch(runtime, "/slow"))
            await arrived.wait()
            quitting = asyncio.create_task(nginx.quit(10))
            await until(lambda: not any(nginx.workers().values()))
            go_on.set()
            await quitting
            return await request

    assert asyncio.run(run()) == "finished"


PARENT = """
import asyncio, sys
from pathlib import Path
from sevengate.nginx.installation import NginxError, find_installation
from sevengate.nginx.process import NginxProcess
from sevengate.nginx.runtime import Runtime

async def main():
    runtime = Runtime(Path(sys.argv[1]))
    nginx = NginxProcess(find_installation(), runtime)
    async def ready():
        return runtime.control.exists()
    await nginx.start(Path(sys.argv[2]).read_text(), ready)
    print(nginx.pid, flush=True)
    await nginx.died()

asyncio.run(main())
"""


def test_nginx_may_open_all_files_that_it_is_allowed(runtime: Runtime) -> None:
    def limits(pid: int) -> tuple[int, int]:
        found = re.search(r"Max open files +(\d+) +(\d+) ", Path(f"/proc/{pid}/limits").read_text())
        assert found
        return int(found[1]), int(found[2])

    async def run() -> set[tuple[int, int]]:
        async with running(runtime) as nginx:
            return {limits(pid) for pid in nginx.workers()}

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        assert asyncio.run(run()) == {(hard, hard)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nginx_does_not_survive_a_killed_parent(runtime: Runtime, tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(conf_of(runtime, "one"))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(runtime.directory), str(conf)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        assert group_members(group)
        parent.kill()
    asyncio.run(until(lambda: not group_members(group)))
