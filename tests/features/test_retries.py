"""A request that an endpoint fails is tried at another one, where that is safe."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sevengate.routing.table import Endpoint
from tests.asking import ask
from tests.backends import EchoBackends
from tests.features.cluster import HOST, Cluster
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, Script, ScriptedBackends, hangs_up, silent
from tests.waiting import free_port

REFUSED = r"connect\(\) failed \(111"
CLOSED = "upstream prematurely closed connection"


@contextmanager
def counting(script: Script) -> Iterator[tuple[list[int], Script]]:
    """Give a script that notes each connection."""
    tries: list[int] = []

    def counted(peer: Peer) -> None:
        tries.append(peer.number)
        script(peer)

    yield tries, counted


def post(cluster: Cluster, body: bytes = b"order") -> object:
    answer = ask(cluster.gate.http_port, HOST, method="POST", body=body)
    return answer.json["name"] if answer.status == 200 else answer.status


def dead(number: int) -> Endpoint:
    """An endpoint that refuses connections; addresses of their own keep them apart from servers that come later."""
    return Endpoint(f"127.0.2.{number}", free_port(f"127.0.2.{number}"))


def test_an_endpoint_that_refuses_costs_no_request(
    cluster: Cluster, backends: EchoBackends, error_log: ErrorLog
) -> None:
    cluster.serve(dead(1), backends.start("alive"))
    assert {cluster.name() for _ in range(10)} == {"alive"}
    error_log.expect(REFUSED)


def test_an_endpoint_that_hangs_up_costs_no_get(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    cluster.serve(scripted.start(hangs_up), backends.start("alive"))
    assert {cluster.name() for _ in range(10)} == {"alive"}
    error_log.expect(CLOSED)


def test_an_endpoint_that_is_silent_costs_time_and_no_get(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    # On a busy machine the one that is alive needs a while too.
    cluster.serve(scripted.start(silent), backends.start("alive"), annotations={"proxy-read-timeout": "1s"})
    assert [cluster.name() for _ in range(2)] == ["alive", "alive"]
    error_log.expect("upstream timed out")


def test_a_post_that_an_endpoint_may_have_taken_is_not_sent_again(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    with counting(hangs_up) as (tries, script):
        cluster.serve(scripted.start(script), scripted.start(script))
        assert [post(cluster) for _ in range(4)] == [502] * 4
        assert len(tries) == 4
    error_log.expect(CLOSED)


def test_a_post_that_no_endpoint_has_seen_is_sent_to_another(
    cluster: Cluster, backends: EchoBackends, error_log: ErrorLog
) -> None:
    cluster.serve(dead(1), backends.start("alive"))
    assert {post(cluster) for _ in range(4)} == {"alive"}
    error_log.expect(REFUSED)


def test_a_post_is_sent_again_where_the_settings_say_so(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    cluster.serve(scripted.start(hangs_up), backends.start("alive"))
    cluster.configure({"retry-non-idempotent": "true"})
    assert {post(cluster) for _ in range(4)} == {"alive"}
    error_log.expect(CLOSED)


def test_the_body_is_sent_again_whole(cluster: Cluster, backends: EchoBackends, error_log: ErrorLog) -> None:
    cluster.serve(dead(1), backends.start("alive"))
    body = b"x" * 100_000
    for _ in range(2):
        answer = ask(cluster.gate.http_port, HOST, method="PUT", body=body)
        assert answer.json["body"].encode() == body
    error_log.expect(REFUSED)


def test_when_all_endpoints_are_dead_the_answer_is_502(cluster: Cluster, error_log: ErrorLog) -> None:
    cluster.serve(dead(1), dead(2), dead(3))
    assert [cluster.name() for _ in range(4)] == [502] * 4
    error_log.expect(REFUSED)


@pytest.mark.parametrize(("tries", "expected"), [("1", 1), ("2", 2), ("3", 3), ("0", 4), ("100", 4)])
def test_no_more_endpoints_are_tried_than_the_settings_say(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog, tries: str, expected: int
) -> None:
    with counting(hangs_up) as (seen, script):
        cluster.serve(*(scripted.start(script) for _ in range(4)))
        cluster.configure({"proxy-next-upstream-tries": tries})
        assert cluster.name() == 502
        assert len(seen) == expected
    error_log.expect(CLOSED)


def test_each_try_is_at_another_endpoint(cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog) -> None:
    seen: list[str] = []

    def named(name: str) -> Script:
        def script(peer: Peer) -> None:
            peer.head()
            seen.append(name)

        return script

    cluster.serve(*(scripted.start(named(name)) for name in "abc"))
    for _ in range(3):
        assert cluster.name() == 502
    assert [sorted(seen[at : at + 3]) for at in (0, 3, 6)] == [["a", "b", "c"]] * 3
    error_log.expect(CLOSED)


@pytest.mark.parametrize(
    "annotations", [{"load-balance": "ewma"}, {"upstream-hash-by": "$request_uri"}, {"affinity": "cookie"}]
)
def test_every_algorithm_tries_another_endpoint(
    cluster: Cluster, backends: EchoBackends, error_log: ErrorLog, annotations: dict[str, str]
) -> None:
    cluster.serve(dead(1), dead(2), backends.start("alive"), annotations=annotations)
    assert {cluster.name(f"/{number}") for number in range(20)} == {"alive"}
    error_log.expect(REFUSED)


def test_an_answer_of_500_is_an_answer(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("one"), backends.start("two"))
    assert [cluster.ask("/status/500").status for _ in range(4)] == [500] * 4
    assert backends.served == {"one": 2, "two": 2}


def test_what_counts_as_failed_can_be_chosen(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends
) -> None:
    def overloaded(peer: Peer) -> None:
        while peer.head():
            peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    cluster.serve(scripted.start(overloaded), backends.start("alive"))
    cluster.configure({"proxy-next-upstream": "error timeout http_503"})
    assert {cluster.name() for _ in range(6)} == {"alive"}


def test_a_connection_that_the_endpoint_has_closed_meanwhile_costs_nothing(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    def once(peer: Peer) -> None:
        peer.head()
        peer.answer(json.dumps({"name": "once"}).encode())

    cluster.serve(scripted.start(once))
    assert {cluster.name() for _ in range(20)} == {"once"}
    # NGINX notices now before and now while it sends the next request, and tells only the latter.
    error_log.allow(CLOSED, "Connection reset by peer")
