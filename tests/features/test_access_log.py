"""One line for each request, in ingress-nginx's format or as JSON, whatever the client sends."""

import asyncio
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.asking import ask
from tests.backends import EchoBackends
from tests.compiler.making import ingress, rule
from tests.features.cluster import HOST, Cluster
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire
from tests.waiting import until

Log = Callable[..., list[str]]

#: The format that ingress-nginx documents.
LINE = re.compile(
    r"(?P<address>\S+) - (?P<user>\S+) \[(?P<time>[^]]+)\] \"(?P<request>[^\"]*)\" (?P<status>\d+) (?P<sent>\d+) "
    r"\"(?P<referer>[^\"]*)\" \"(?P<agent>[^\"]*)\" (?P<length>\d+) (?P<seconds>[\d.]+) \[(?P<upstream>[^]]*)\] "
    r"\[(?P<alternative>[^]]*)\] (?P<endpoint>\S+) (?P<answer_length>\S+) (?P<answer_seconds>\S+) "
    r"(?P<answer_status>\S+) (?P<id>\S+)"
)


@pytest.fixture
def log(cluster: Cluster, backends: EchoBackends, tmp_path: Path) -> Log:
    """Switch the access log on, `log(key="value")`, or wait for a number of lines and give them, `log(2)`."""
    file = tmp_path / "access.log"
    cluster.serve(backends.start("shop"))

    def written() -> list[str]:
        return file.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]

    def lines(expected: int = 0, **settings: str) -> list[str]:
        if not expected:
            named = {name.replace("_", "-"): value for name, value in settings.items()}
            cluster.configure({"disable-access-log": "false", "access-log-path": str(file), **named})
        # A line is written when the client has its answer already.
        asyncio.run(until(lambda: len(written()) >= expected))
        return written()

    return lines


def test_a_line_is_in_the_format_of_ingress_nginx(cluster: Cluster, log: Log) -> None:
    assert log() == []
    answer = ask(
        cluster.gate.http_port,
        HOST,
        "/a?b=c",
        headers=[("User-Agent", "tester"), ("Referer", "http://x/"), ("X-Request-ID", "id-7")],
    )
    [line] = log(1)
    found = LINE.fullmatch(line)
    assert found is not None
    assert found["request"] == "GET /a?b=c HTTP/1.1"
    assert (found["address"], found["user"], found["status"]) == ("127.0.0.1", "-", "200")
    assert (found["agent"], found["referer"], found["id"]) == ("tester", "http://x/", "id-7")
    assert (found["sent"], found["answer_length"]) == (str(len(answer.body)), str(len(answer.body)))
    assert (found["upstream"], found["alternative"], found["answer_status"]) == ("default-shop-80", "", "200")
    assert found["endpoint"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({"whitelist-source-range": "10.0.0.0/8"}, ("403", "")),
        ({"temporal-redirect": "https://x.example/"}, ("302", "")),
        ({"proxy-body-size": "2m"}, ("200", "default-shop-80")),
        ({"load-balance": "ewma"}, ("200", "default-shop-80")),
    ],
)
def test_the_line_tells_which_backend_was_meant(
    cluster: Cluster, log: Log, annotations: dict[str, str], told: tuple[str, str]
) -> None:
    log()
    cluster.put(ingress("shop", rule(HOST), annotations=annotations))
    cluster.ask()
    found = LINE.fullmatch(log(1)[-1])
    assert found is not None
    assert (found["status"], found["upstream"]) == told


def test_a_request_that_nobody_serves_is_the_default_backends(cluster: Cluster, log: Log) -> None:
    log()
    cluster.ask(host="nobody.example")
    found = LINE.fullmatch(log(1)[-1])
    assert found is not None
    assert (found["status"], found["upstream"]) == ("404", "upstream-default-backend")


def parsed(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")) for line in lines]


def test_json_tells_whose_wish_was_served(cluster: Cluster, log: Log) -> None:
    assert log(access_log_format="json") == []
    ask(cluster.gate.http_port, HOST, "/a?b=c", headers=[("X-Request-ID", "id-7")])
    [line] = parsed(log(1))
    told = {key: line[key] for key in ("host", "method", "uri", "protocol", "status", "request_id", "remote_addr")}
    assert told == {
        "host": HOST,
        "method": "GET",
        "uri": "/a?b=c",
        "protocol": "HTTP/1.1",
        "status": 200,
        "request_id": "id-7",
        "remote_addr": "127.0.0.1",
    }
    wish = {key: line[key] for key in ("namespace", "ingress", "service", "service_port", "upstream_name")}
    assert wish == {
        "namespace": "default",
        "ingress": "shop",
        "service": "shop",
        "service_port": "80",
        "upstream_name": "default-shop-80",
    }


HOSTILE = [
    b'"',
    b"\\",
    b'\\"}',
    b'","status":1,"x":"',
    b"\x01\x1b[2J",
    b"\xff\xfe",
    b"caf\xc3\xa9",
    b"\xe2\x80\xa8",
    b"%0a%0d%00",
    b"${jndi:ldap://x}",
    b"\t\x7f",
    b"x" * 5000,
]


@pytest.mark.parametrize("form", ["json", "ingress-nginx"])
def test_no_request_breaks_its_line(cluster: Cluster, log: Log, form: str) -> None:
    log(access_log_format=form)
    for evil in HOSTILE:
        with Wire(cluster.gate.http_port) as wire:
            path = evil.replace(b"\x01", b"").replace(b"\x1b", b"").replace(b"\t", b"").replace(b"\x7f", b"")
            wire.send(b"GET /%s?%s HTTP/1.1\r\nHost: %s\r\n" % (path, path, HOST.encode()))
            wire.send(b"User-Agent: %s\r\nReferer: %s\r\nX-Request-ID: %s\r\n\r\n" % (evil, evil, evil))
            wire.answer()
    lines = log(len(HOSTILE))
    assert len(lines) == len(HOSTILE)
    if form == "json":
        assert all(isinstance(line, dict) for line in parsed(lines))
    else:
        assert [line for line in lines if not LINE.fullmatch(line)] == []


def test_requests_that_never_became_any_are_lines_too(cluster: Cluster, log: Log) -> None:
    log(access_log_format="json")
    for broken in (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ):
        with Wire(cluster.gate.http_port) as wire:
            wire.send(broken)
            while wire.receive():
                pass
    lines = parsed(log(4))
    assert [line["status"] for line in lines] == [400, 505, 404, 400]  # the third speaks HTTP/0.9


def test_clients_that_go_away_are_lines_too(cluster: Cluster, log: Log, scripted: ScriptedBackends) -> None:
    reached = threading.Event()

    def waiting(peer: Peer) -> None:
        peer.head()
        reached.set()
        peer.until_closed()

    cluster.serve(scripted.start(waiting))
    log(access_log_format="json")
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Content-Length: 8", body=b"half")
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /")
        assert reached.wait(20)
    assert sorted(line["status"] for line in parsed(log(2))) == [400, 499]


def test_a_format_of_ones_own_is_written(cluster: Cluster, log: Log) -> None:
    log(
        log_format_upstream="$namespace/$ingress_name $status $service_name:$service_port",
        log_format_escape_json="true",
    )
    cluster.ask()
    assert log(1) == ["default/shop 200 shop:80"]


def test_no_log_is_written_where_it_is_switched_off(cluster: Cluster, log: Log, tmp_path: Path) -> None:
    log()
    cluster.configure({"disable-access-log": "true", "access-log-path": str(tmp_path / "access.log")})
    cluster.ask()
    assert (tmp_path / "access.log").read_bytes() == b""
