"""Connections to endpoints are kept and used again."""

import pytest

from sevengate.routing.table import Endpoint
from tests.asking import ask
from tests.compiler.making import ingress, rule
from tests.features.cluster import HOST, Cluster
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire


@pytest.fixture
def connections() -> list[int]:
    """The number of the connection that each request came in by."""
    return []


@pytest.fixture
def place(scripted: ScriptedBackends, connections: list[int]) -> Endpoint:
    def note(peer: Peer) -> None:
        while head := peer.head():
            connections.append(peer.number)
            length = next((int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")), 0)
            peer.read(length)
            peer.answer()

    return scripted.start(note)


def one_worker(cluster: Cluster, place: Endpoint, **settings: str) -> None:
    named = {name.replace("_", "-"): value for name, value in settings.items()}
    cluster.configure({"worker-processes": "1", **named})
    cluster.serve(place)


def test_requests_of_many_clients_share_a_connection(cluster: Cluster, place: Endpoint, connections: list[int]) -> None:
    one_worker(cluster, place)
    for _ in range(20):
        assert ask(cluster.gate.http_port, HOST).status == 200
    assert connections == [1] * 20


@pytest.mark.parametrize(
    "annotations", [{"proxy-body-size": "2m"}, {"load-balance": "ewma"}, {"affinity": "cookie"}], ids=str
)
def test_policies_keep_connections_too(
    cluster: Cluster, place: Endpoint, connections: list[int], annotations: dict[str, str]
) -> None:
    one_worker(cluster, place)
    cluster.put(ingress("shop", rule(HOST), annotations=annotations))
    for body in (b"", b"x" * 1000) * 5:
        assert ask(cluster.gate.http_port, HOST, method="POST", body=body).status == 200
    assert connections == [1] * 10


def test_one_clients_connection_serves_many_requests(cluster: Cluster, place: Endpoint, connections: list[int]) -> None:
    one_worker(cluster, place)
    with Wire(cluster.gate.http_port) as wire:
        for _ in range(20):
            wire.request("GET /")
            assert wire.answer().status == 200
    assert connections == [1] * 20


def test_changes_of_routes_close_no_connection(cluster: Cluster, place: Endpoint, connections: list[int]) -> None:
    one_worker(cluster, place)
    for number in range(10):
        cluster.put(ingress(f"other-{number}", rule(f"other-{number}.example")))
        assert ask(cluster.gate.http_port, HOST).status == 200
    assert connections == [1] * 10


def test_kept_connections_can_be_switched_off(cluster: Cluster, place: Endpoint, connections: list[int]) -> None:
    one_worker(cluster, place, upstream_keepalive_connections="0")
    for _ in range(3):
        assert ask(cluster.gate.http_port, HOST).status == 200
    assert connections == [1, 2, 3]


def test_a_connection_serves_no_more_requests_than_it_may(
    cluster: Cluster, place: Endpoint, connections: list[int]
) -> None:
    one_worker(cluster, place, upstream_keepalive_requests="2")
    for _ in range(6):
        assert ask(cluster.gate.http_port, HOST).status == 200
    assert connections == [1, 1, 2, 2, 3, 3]
