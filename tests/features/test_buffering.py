"""What is read whole before it goes on, and what passes as it comes."""

import threading

import pytest

from tests.features.cluster import Cluster
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire

LIMIT = 20


@pytest.mark.parametrize("coding", ["Content-Length: 8", "Transfer-Encoding: chunked"])
def test_without_request_buffering_a_backend_sees_a_body_that_is_still_coming(
    cluster: Cluster, scripted: ScriptedBackends, coding: str
) -> None:
    seen = threading.Event()

    def reader(peer: Peer) -> None:
        peer.head()
        if peer.read(2)[:1]:
            seen.set()
        peer.read(2)
        peer.answer(b"done")

    cluster.serve(scripted.start(reader), annotations={"proxy-request-buffering": "off"})
    first, last = (b"half", b"half") if "8" in coding else (b"4\r\nhalf\r\n", b"4\r\nhalf\r\n0\r\n\r\n")
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", coding, body=first)
        assert seen.wait(LIMIT)
        wire.send(last)
        assert wire.answer().body == b"done"


def test_with_request_buffering_a_backend_sees_nothing_before_the_body_is_whole(
    cluster: Cluster, scripted: ScriptedBackends
) -> None:
    seen = threading.Event()

    def reader(peer: Peer) -> None:
        peer.head()
        seen.set()
        peer.answer(peer.read(8))

    cluster.serve(scripted.start(reader))
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Content-Length: 8", body=b"half")
        # Another request goes its whole way through the same gate meanwhile, on each worker.
        for _ in range(8):
            assert cluster.ask(host="nobody.example").status == 404
        assert not seen.is_set()
        wire.send(b"half")
        assert wire.answer().body == b"halfhalf"


def test_without_buffering_a_client_sees_an_answer_that_is_still_coming(
    cluster: Cluster, scripted: ScriptedBackends
) -> None:
    may_end = threading.Event()

    def slow(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        may_end.wait(LIMIT)
        peer.send(b"half")

    cluster.serve(scripted.start(slow))
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /")
        received = b""
        while not received.endswith(b"half"):
            received += wire.receive()
        may_end.set()
        assert wire.receive() == b"half"


def test_with_buffering_a_slow_client_does_not_keep_the_backend(cluster: Cluster, scripted: ScriptedBackends) -> None:
    size = 20_000_000
    finished = threading.Event()

    def large(peer: Peer) -> None:
        peer.head()
        peer.answer(b"x" * size)
        finished.set()

    place = scripted.start(large)
    cluster.serve(place, annotations={"proxy-buffering": "on"})
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /")
        assert finished.wait(LIMIT)
        assert len(wire.answer().body) == size


def test_without_buffering_a_slow_client_keeps_the_backend_waiting(
    cluster: Cluster, scripted: ScriptedBackends
) -> None:
    size = 20_000_000
    finished, begun = threading.Event(), threading.Event()

    def large(peer: Peer) -> None:
        peer.head()
        begun.set()
        peer.answer(b"x" * size)
        finished.set()

    cluster.serve(scripted.start(large))
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /")
        assert begun.wait(LIMIT)
        assert not finished.is_set()
        assert len(wire.answer().body) == size
    assert finished.wait(LIMIT)
