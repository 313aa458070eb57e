"""What is under way is finished: when NGINX reloads, and when it goes."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.features.cluster import Cluster, config_map
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire
from tests.waiting import until

LIMIT = 20


class Slow:
    """A backend that begins to answer and ends when it is told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, peer: Peer) -> None:
        while peer.head():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            self.begun.set()
            self.may_end.wait(LIMIT)
            peer.send(b"half")


@pytest.fixture
def slow(cluster: Cluster, scripted: ScriptedBackends) -> Iterator[Slow]:
    script = Slow()
    cluster.serve(scripted.start(script))
    yield script
    script.may_end.set()


def under_way(cluster: Cluster, slow: Slow, *, server_name: str = "") -> Wire:
    """Give a connection whose answer has begun."""
    port = cluster.gate.https_port if server_name else cluster.gate.http_port
    wire = Wire(port, server_name=server_name)
    wire.request("GET /")
    assert slow.begun.wait(LIMIT)
    return wire


def is_refused(port: int) -> bool:
    try:
        Wire(port).__exit__()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("server_name", ["", "shop.example"], ids=["http", "https"])
def test_a_request_under_way_survives_reloads(cluster: Cluster, slow: Slow, server_name: str) -> None:
    with under_way(cluster, slow, server_name=server_name) as wire:
        for seconds in ("31", "32", "33"):
            applied = cluster.put(config_map({"keep-alive": seconds}))
            assert applied.reasons == ("setting keep-alive changed",)
        slow.may_end.set()
        assert wire.answer().body == b"halfhalf"
    assert cluster.gate.dataplane.reloads == 3


def test_a_body_under_way_survives_a_reload(cluster: Cluster, scripted: ScriptedBackends) -> None:
    def reader(peer: Peer) -> None:
        peer.head()
        peer.answer(peer.read(8))

    cluster.serve(scripted.start(reader))
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Content-Length: 8", body=b"half")
        # A worker that accepted the connection has read the head before it answers anybody who came later.
        for _ in range(20):
            assert cluster.ask(host="nobody.example").status == 404
        assert cluster.put(config_map({"keep-alive": "31"})).reloaded
        wire.send(b"half")
        assert wire.answer().body == b"halfhalf"


def test_after_a_reload_new_requests_get_what_is_new(cluster: Cluster, slow: Slow) -> None:
    with under_way(cluster, slow) as wire:
        cluster.put(config_map({"http-redirect-code": "301", "force-ssl-redirect": "true", "keep-alive": "31"}))
        assert {cluster.ask().status for _ in range(20)} == {301}
        slow.may_end.set()
        assert wire.answer().status == 200


def test_draining_finishes_what_is_under_way_and_takes_no_more(cluster: Cluster, slow: Slow) -> None:
    gate = cluster.gate
    with under_way(cluster, slow) as wire:

        async def drain() -> None:
            draining = asyncio.create_task(gate.supervisor.drain(LIMIT))
            for port in (gate.http_port, gate.https_port, gate.default_port):
                await until(lambda port=port: is_refused(port))  # type: ignore[misc]
            assert not draining.done()
            slow.may_end.set()
            await draining

        gate.wait(drain())
        assert wire.answer().body == b"halfhalf"
    assert not gate.supervisor.process.running


def test_draining_ends_with_its_limit(cluster: Cluster, slow: Slow, error_log: ErrorLog) -> None:
    with under_way(cluster, slow) as wire:
        cluster.gate.wait(cluster.gate.supervisor.drain(0.05))
        assert not cluster.gate.supervisor.process.running
        assert b"halfhalf" not in wire.receive()
    error_log.allow("open socket #.* left in connection", "^aborting")


def test_connections_that_wait_for_another_request_do_not_delay_the_end(cluster: Cluster, slow: Slow) -> None:
    slow.may_end.set()
    with Wire(cluster.gate.http_port) as kept:
        kept.request("GET /")
        assert kept.answer().body == b"halfhalf"
        cluster.gate.wait(cluster.gate.supervisor.drain(LIMIT))
        assert kept.receive() == b""
