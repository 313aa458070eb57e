"""Which endpoint gets a request: in turn over all workers, the faster one, or always the same for the same key."""

import threading
import time
from collections import Counter

import pytest

from tests.backends import EchoBackends
from tests.features.cluster import Cluster, endpoint_slice, without_endpoint
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire


def test_turns_alternate_exactly_whichever_worker_serves(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.configure({"worker-processes": "4"})
    cluster.serve(*(backends.start(name) for name in ("a", "b", "c")))
    names = [str(cluster.name()) for _ in range(60)]
    assert names == names[:3] * 20
    assert set(names) == {"a", "b", "c"}


def test_parallel_clients_share_the_turns(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(*(backends.start(name) for name in ("a", "b", "c", "d")))

    def many() -> None:
        with Wire(cluster.gate.http_port) as wire:
            for _ in range(50):
                wire.request("GET /")
                assert wire.answer().status == 200

    clients = [threading.Thread(target=many) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert backends.served == dict.fromkeys("abcd", 50)


def test_two_routes_of_one_service_share_its_turns(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("a"), backends.start("b"))
    assert [cluster.name(path) for path in ("/x", "/y", "/z", "/")] in (["a", "b"] * 2, ["b", "a"] * 2)


def test_a_new_endpoint_gets_its_share_at_once(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("a"), backends.start("b"))
    cluster.put(endpoint_slice("shop", 2, backends.start("c")))
    assert Counter(cluster.name() for _ in range(30)) == {"a": 10, "b": 10, "c": 10}
    cluster.put(without_endpoint("shop", 0))
    assert Counter(cluster.name() for _ in range(30)) == {"b": 15, "c": 15}


# --- EWMA


def test_ewma_prefers_the_endpoint_that_answers_faster(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends
) -> None:
    def slow(peer: Peer) -> None:
        while peer.head():
            time.sleep(1)  # far longer than the fast one ever needs, however busy the machine is
            peer.answer(b'{"name": "slow"}')

    cluster.serve(scripted.start(slow), backends.start("fast"), annotations={"load-balance": "ewma"})
    assert {cluster.name() for _ in range(2)} == {"slow", "fast"}  # both have a score now
    assert Counter(cluster.name() for _ in range(50))["fast"] >= 45


def test_ewma_soon_leaves_an_endpoint_that_fails_alone(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    tries = []

    def failing(peer: Peer) -> None:
        peer.head()
        tries.append(peer.number)

    cluster.serve(scripted.start(failing), backends.start("alive"), annotations={"load-balance": "ewma"})
    assert {cluster.name() for _ in range(50)} == {"alive"}
    assert 1 <= len(tries) <= 5
    error_log.expect("upstream prematurely closed connection")


def test_ewma_gives_a_new_endpoint_its_chance(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("a"), backends.start("b"), annotations={"load-balance": "ewma"})
    for _ in range(10):
        cluster.name()
    cluster.put(endpoint_slice("shop", 2, backends.start("new")))
    assert Counter(cluster.name() for _ in range(60))["new"] >= 1


def test_ewma_can_be_the_default(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("a"), backends.start("b"))
    cluster.configure({"load-balance": "ewma"})
    assert {cluster.name() for _ in range(40)} == {"a", "b"}


# --- consistent hash


KEYS = [f"/{number}" for number in range(300)]


@pytest.fixture
def hashed(cluster: Cluster, backends: EchoBackends) -> dict[str, object]:
    """Where each key goes with five endpoints."""
    cluster.serve(*(backends.start(name) for name in "abcde"), annotations={"upstream-hash-by": "$request_uri"})
    return {key: cluster.name(key) for key in KEYS}


def test_a_key_stays_with_its_endpoint_in_every_worker(cluster: Cluster, hashed: dict[str, object]) -> None:
    for _ in range(3):
        assert {key: cluster.name(key) for key in KEYS} == hashed


def test_keys_spread_over_all_endpoints(hashed: dict[str, object]) -> None:
    shares = Counter(hashed.values())
    assert set(shares) == set("abcde")
    assert min(shares.values()) > len(KEYS) / 5 / 3  # the endpoints' ports, and so the shares, are others each time


def test_only_the_keys_of_an_endpoint_that_goes_move(cluster: Cluster, hashed: dict[str, object]) -> None:
    cluster.put(without_endpoint("shop", 2))
    assert {key for key in KEYS if cluster.name(key) != hashed[key]} == {key for key in KEYS if hashed[key] == "c"}


def test_only_a_share_of_the_keys_moves_to_a_new_endpoint(
    cluster: Cluster, backends: EchoBackends, hashed: dict[str, object]
) -> None:
    cluster.put(endpoint_slice("shop", 5, backends.start("f")))
    moved = {key: name for key in KEYS if (name := cluster.name(key)) != hashed[key]}
    assert set(moved.values()) == {"f"}
    assert len(moved) < len(KEYS) / 6 * 2


def test_a_key_may_be_made_of_several_parts_of_the_request(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(*(backends.start(name) for name in "abcde"), annotations={"upstream-hash-by": "$host-$arg_user"})
    assert len({cluster.name(f"/{number}?user=7") for number in range(20)}) == 1
    assert len({cluster.name(f"/?user={number}") for number in range(200)}) == 5
