import asyncio
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sevengate.metrics import METRICS
from sevengate.nginx.control import ControlClient, ControlError
from sevengate.nginx.listening import Listen
from sevengate.nginx.ports import group_members
from sevengate.routing.table import Endpoint
from sevengate.run import RunOptions, serve
from tests.asking import Answer, ask
from tests.backends import EchoBackends
from tests.manifests import INGRESS
from tests.pair import nginx_of
from tests.scrape import Scrape, read
from tests.spawned import Spawned, probe, soon
from tests.waiting import free_port, until

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: gate, namespace: default}
data: {ssl-ciphers: NONSENSE}
"""


class Running(Spawned):
    """A `sevengate run` of its own: where it listens."""

    def __init__(
        self, manifests: Path, temporary: str, *flags: str, stdout: int = subprocess.DEVNULL, **ports: int
    ) -> None:
        self.http, self.https = ports.get("http", free_port()), free_port()
        self.healthz = ports.get("healthz", free_port())
        super().__init__(
            *("run", "--manifests", str(manifests)),
            *("--bind-address", "127.0.0.1", "--default-server-port", str(free_port())),
            *("--http-port", str(self.http), "--https-port", str(self.https)),
            *("--healthz-port", str(self.healthz), *flags),
            stdout=stdout,
            TMPDIR=temporary,
        )

    def get(self, host: str) -> Answer:
        return ask(self.http, host)

    @property
    def nginx(self) -> set[int]:
        """The process groups of our NGINX: it is the leader of its own."""
        return {nginx_of(self)} - {0}


@contextmanager
def run(manifests: Path, temporary: str, *flags: str) -> Iterator[Running]:
    with Running(manifests, temporary, *flags) as running:
        soon(lambda: probe(running.healthz) == 200)
        yield running


def test_manifests_are_served_over_http_and_https(manifests: Path, temporary: str) -> None:
    with run(manifests, temporary) as running:
        assert running.get("shop.example").json["name"] == "shop"
        assert ask(running.https, "shop.example", tls=True).json["name"] == "shop"
        assert running.get("elsewhere.example").status == 404


def test_the_access_log_reaches_a_standard_output_that_cannot_be_opened(manifests: Path, temporary: str) -> None:
    # As under systemd, which gives its services a socket.
    taking, giving = socket.socketpair()
    with taking, Running(manifests, temporary, stdout=giving.fileno()) as running:
        giving.close()
        soon(lambda: probe(running.healthz) == 200)
        for _ in range(3):
            assert running.get("shop.example").status == 200
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
        with taking.makefile("rb") as log:
            assert [line.split(b'"')[1] for line in log] == [b"GET / HTTP/1.1"] * 3


def test_a_standard_output_that_nobody_reads_keeps_nobody_from_being_served(manifests: Path, temporary: str) -> None:
    fifo = Path(temporary) / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(fifo, os.O_WRONLY)
    os.close(reading)  # to open it now would be to wait for ever
    with Running(manifests, temporary, stdout=writing) as running:
        os.close(writing)
        soon(lambda: probe(running.healthz) == 200)
        assert [running.get("shop.example").status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_nothing_is_left(
    manifests: Path, temporary: str, number: signal.Signals
) -> None:
    with run(manifests, temporary) as running:
        [group] = running.nginx
        running.process.send_signal(number)
        assert running.end() == 0
        assert group_members(group) == ()
        assert list(Path(temporary).iterdir()) == []
        assert running.said("draining") == 1


def test_a_signal_lets_a_request_under_way_finish(manifests: Path, temporary: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:
        endpoint = Endpoint("127.0.0.1", slow.getsockname()[1])
        (manifests / "slow.yaml").write_text(INGRESS.format(name="slow", endpoint=endpoint))
        answers: list[Answer] = []
        with run(manifests, temporary) as running:
            client = threading.Thread(target=lambda: answers.append(running.get("slow.example")))
            client.start()
            connection, _ = slow.accept()
            with connection:
                connection.recv(65536)
                running.process.send_signal(signal.SIGTERM)
                soon(lambda: refused(running.http))
                assert running.process.poll() is None
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nfinished")
            client.join()
            assert running.end() == 0
    assert [answer.body for answer in answers] == [b"finished"]


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_second_signal_does_not_wait(manifests: Path, temporary: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never:
        endpoint = Endpoint("127.0.0.1", never.getsockname()[1])
        (manifests / "never.yaml").write_text(INGRESS.format(name="never", endpoint=endpoint))
        with run(manifests, temporary) as running, socket.create_connection(("127.0.0.1", running.http)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: never.example\r\n\r\n")
            connection, _ = never.accept()
            with connection:
                running.process.send_signal(signal.SIGTERM)
                soon(lambda: refused(running.http))
                running.process.send_signal(signal.SIGTERM)
                assert running.end() == 0


def test_an_edit_goes_live_without_a_reload(manifests: Path, temporary: str, backends: EchoBackends) -> None:
    with run(manifests, temporary, "--watch") as running:
        (manifests / "new.yaml").write_text(INGRESS.format(name="new", endpoint=backends.start("new")))
        soon(lambda: running.get("new.example").status == 200)
        (manifests / "shop.yaml").unlink()
        soon(lambda: running.get("shop.example").status == 404)
        soon(lambda: running.said("is live") == 3)  # what is said of a push comes after it
        assert running.said("reloaded") == 0


def test_a_setting_that_nginx_refuses_is_told_once_and_routes_go_on_changing(
    manifests: Path, temporary: str, backends: EchoBackends
) -> None:
    with run(manifests, temporary, "--watch", "--configmap", "default/gate") as running:
        (manifests / "gate.yaml").write_text(CONFIG_MAP)
        soon(lambda: running.said("those before them stay in effect: ssl-ciphers: "))
        (manifests / "new.yaml").write_text(INGRESS.format(name="new", endpoint=backends.start("new")))
        soon(lambda: running.get("new.example").status == 200)
        assert running.said("ssl-ciphers: ") == 1


def test_a_broken_file_keeps_its_last_good_state_and_says_so_once(
    manifests: Path, temporary: str, backends: EchoBackends
) -> None:
    with run(manifests, temporary, "--watch") as running:
        whole = (manifests / "shop.yaml").read_text()
        (manifests / "shop.yaml").write_text(whole[: len(whole) // 4] + "\n  - {[")
        soon(lambda: running.said("manifest/syntax"))
        assert running.get("shop.example").json["name"] == "shop"
        (manifests / "new.yaml").write_text(INGRESS.format(name="new", endpoint=backends.start("new")))
        soon(lambda: running.get("new.example").status == 200)
        assert running.said("manifest/syntax") == 1
        [line] = [line for line in running.lines if "manifest/syntax" in line]
        assert line.startswith(f"{manifests / 'shop.yaml'}:")
        assert ": error: " in line


def test_diagnostics_name_file_and_line_and_say_what_helps(manifests: Path, temporary: str) -> None:
    text = (manifests / "shop.yaml").read_text().replace("number: 80", "number: 81")
    (manifests / "shop.yaml").write_text(text)
    with run(manifests, temporary) as running:
        soon(lambda: running.said("backend/port-not-found"))
        [line] = [line for line in running.lines if "backend/port-not-found" in line]
        assert line.startswith(f"{manifests / 'shop.yaml'}:9: error: ")
        assert running.get("shop.example").status == 503


@pytest.mark.parametrize("shared", [False, True])
def test_a_taken_port_ends_it_with_the_owner_named(manifests: Path, temporary: str, *, shared: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=shared) as taken:
        port = taken.getsockname()[1]
        running = Running(manifests, temporary, http=port)
        assert running.end() != 0
    assert running.said(f"127.0.0.1:{port} is taken by") == 1
    assert running.said(f"(pid {os.getpid()})") == 1
    assert running.said("Traceback") == 0
    assert list(Path(temporary).iterdir()) == []


def test_a_taken_healthz_port_is_named_too(manifests: Path, temporary: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = Running(manifests, temporary, healthz=taken.getsockname()[1])
        assert running.end() != 0
    assert running.said(f":{running.healthz} is taken by") == 1
    assert running.said("Traceback") == 0


def test_probes_fail_until_the_first_push_is_live(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    healthz = free_port()
    options = RunOptions(
        manifests=(str(manifests),),
        bind_address="127.0.0.1",
        listen=Listen((), free_port(), free_port(), free_port()),
        healthz_port=healthz,
    )

    async def refuse(*_: object) -> None:
        raise ControlError("not today")

    async def probes() -> list[tuple[int, bytes]]:
        paths = ("/healthz", "/readyz", "/balancerz", "/livez")
        answers = [await asyncio.to_thread(ask, healthz, "localhost", path) for path in paths]
        return [(answer.status, answer.body) for answer in answers]

    async def scene() -> None:
        with monkeypatch.context() as refusing:
            refusing.setattr("sevengate.controller.FIRST_PAUSE", 0.01)
            refusing.setattr(ControlClient, "push", refuse)
            serving = asyncio.create_task(serve(options, said.append))
            await until(lambda: any("not today" in line for line in said))
            assert await probes() == [(503, b"nothing was pushed yet\n")] * 3 + [(200, b"ok\n")]
        await until(lambda: any("is live" in line for line in said))
        assert await probes() == [(200, b"ok\n")] * 4
        os.kill(os.getpid(), signal.SIGTERM)
        await serving

    asyncio.run(scene())
    assert sum("not today" in line for line in said) == 1


@pytest.mark.parametrize("flags", [(), ("--enable-metrics",)])
def test_a_scrape_is_exactly_what_the_table_lists(manifests: Path, temporary: str, flags: tuple[str, ...]) -> None:
    def scraped() -> Scrape:
        return read(ask(running.healthz, "localhost", "/metrics").body.decode())

    with run(manifests, temporary, *flags) as running:
        assert running.get("shop.example").status == 200
        soon(lambda: scraped().sum(ingress="shop", service="shop", status="200") == len(flags))
        scrape = scraped()
    assert {**scrape.kinds} == {name: str(family.kind) for name, family in METRICS.items()}
    assert {**scrape.help} == {name: family.help for name, family in METRICS.items()}
    assert scrape.one("sevengate_pushes_total") == scrape.one("sevengate_generation") == 1
    assert scrape.one("sevengate_ingresses", status="served") == 1


def test_a_killed_run_takes_its_nginx_with_it(manifests: Path, temporary: str) -> None:
    with run(manifests, temporary) as running:
        [group] = running.nginx
        running.process.kill()
        running.end()
        soon(lambda: not group_members(group))


def test_a_killed_nginx_comes_back(manifests: Path, temporary: str) -> None:
    with run(manifests, temporary) as running:
        [group] = running.nginx
        os.kill(group, signal.SIGKILL)
        soon(lambda: running.nginx - {group} and probe(running.healthz) == 200)
        assert running.get("shop.example").json["name"] == "shop"
        assert running.said("nginx ended with status -9") == 1
