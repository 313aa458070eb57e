"""How long an endpoint has: to take a connection, and to answer."""

import socket
from collections.abc import Iterator

import pytest

from sevengate.routing.table import Endpoint
from tests.compiler.making import ingress, rule
from tests.features.cluster import HOST, Cluster
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends, silent


@pytest.fixture
def unconnectable() -> Iterator[Endpoint]:
    """An endpoint whose queue of connections is full, so that the kernel lets further ones wait."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        held = []
        for _ in range(3):
            waiting = socket.socket()
            waiting.settimeout(0)
            waiting.connect_ex(listening.getsockname())
            held.append(waiting)
        yield Endpoint(*listening.getsockname())
        for waiting in held:
            waiting.close()


def test_an_endpoint_that_does_not_answer_in_time_is_a_504(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    cluster.serve(scripted.start(silent), annotations={"proxy-read-timeout": "100ms"})
    assert cluster.name() == 504
    error_log.expect("upstream timed out .* while reading response header")


def test_an_endpoint_that_does_not_take_the_connection_in_time_is_a_504(
    cluster: Cluster, unconnectable: Endpoint, error_log: ErrorLog
) -> None:
    cluster.serve(unconnectable, annotations={"proxy-connect-timeout": "100ms"})
    assert cluster.name() == 504
    error_log.expect("upstream timed out .* while connecting to upstream")


def test_each_route_has_its_own_patience(cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog) -> None:
    def hesitant(peer: Peer) -> None:
        """Answer only once another request was given up."""
        if b"/patient" in peer.head()[0]:
            assert cluster.name("/", "hasty.example") == 504
            peer.answer(b'{"name": "hesitant"}')
        else:
            peer.until_closed()

    cluster.serve(scripted.start(hesitant))
    cluster.put(ingress("hasty", rule("hasty.example"), annotations={"proxy-read-timeout": "100ms"}))
    assert cluster.name("/patient", HOST) == "hesitant"
    error_log.expect("upstream timed out")


def test_timeouts_change_without_a_reload(cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog) -> None:
    place = scripted.start(silent)
    cluster.serve(place)
    assert not cluster.serve(place, annotations={"proxy-read-timeout": "100ms"}).reloaded
    assert cluster.name() == 504
    error_log.expect("upstream timed out")


def test_the_default_comes_from_the_settings(cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog) -> None:
    cluster.serve(scripted.start(silent))
    cluster.configure({"proxy-read-timeout": "100ms"})
    assert cluster.name() == 504
    error_log.expect("upstream timed out")
