"""Routes of another Profile go on in a named location, and whatever way their requests end, nothing stays behind."""

import pytest

from tests.backends import EchoBackends
from tests.compiler.making import ingress, path, rule
from tests.features.cluster import HOST, Cluster, service_objects
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, Script, ScriptedBackends, hangs_up
from tests.features.wire import Wire
from tests.waiting import until

#: Each makes a route go on in a named location.
ELSEWHERE = {"proxy-body-size": "2k"}


def hands_on(target: bytes) -> Script:
    """A backend that lets NGINX ask for another path in place of its answer."""

    def script(peer: Peer) -> None:
        while peer.head():
            peer.answer(b"", b"X-Accel-Redirect: " + target)

    return script


def is_empty(cluster: Cluster) -> None:
    """Wait until the worker has put no request aside, and fail if it keeps one."""

    async def empty() -> bool:
        return (await cluster.gate.dataplane.state()).aside == 0

    cluster.gate.wait(until(empty))


@pytest.fixture(autouse=True)
def _shop(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.configure({"worker-processes": "1"})
    cluster.put(*service_objects("shop", backends.start("shop")))
    cluster.put(ingress("shop", rule(HOST), annotations=ELSEWHERE), ingress("plain", rule("plain.example")))
    assert (cluster.name(), cluster.name(host="plain.example")) == ("shop", "shop")


def test_nothing_stays_of_requests_that_end_early(cluster: Cluster, error_log: ErrorLog) -> None:
    for line, *headers in (
        ("POST /", "Content-Length: 8"),
        ("POST /", "Transfer-Encoding: chunked"),
    ):
        for _ in range(5):
            with Wire(cluster.gate.http_port) as wire:
                wire.request(line, *headers)
                assert cluster.name() == "shop"  # so the worker has read the head
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Transfer-Encoding: chunked", body=b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n")
        assert wire.answer().status == 413
    is_empty(cluster)
    error_log.expect("too large chunked body")


def test_nothing_stays_of_requests_whose_backend_fails(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    cluster.serve(scripted.start(hangs_up), scripted.start(hangs_up), annotations=ELSEWHERE)
    assert [cluster.name() for _ in range(3)] == [502] * 3
    is_empty(cluster)
    error_log.expect("prematurely closed")


@pytest.mark.parametrize("annotations", [ELSEWHERE, {}], ids=["from a named location", "from where it came in"])
def test_a_backend_may_hand_a_request_on_and_the_rules_of_the_other_path_hold(
    cluster: Cluster, scripted: ScriptedBackends, annotations: dict[str, str]
) -> None:
    kept_out = {"allowlist-source-range": "10.0.0.0/8"}
    places = {"plain": {}, "large": {"proxy-body-size": "9k"}, "closed": kept_out}
    cluster.put(*(ingress(name, rule(HOST, path(f"/{name}")), annotations=of) for name, of in places.items()))
    for name, expected in {"plain": 200, "large": 200, "closed": 403}.items():
        cluster.put(
            *service_objects("handing", scripted.start(hands_on(f"/{name}".encode()))),
            ingress("handing", rule(HOST, path("/handing", "handing")), annotations=annotations),
        )
        assert {cluster.ask("/handing").status for _ in range(3)} == {expected}
    is_empty(cluster)


def test_a_backend_cannot_name_a_location_of_ours(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    [location] = {f"@{profile.name}" for profile in cluster.compile()[0].profiles if profile.body_size == 2048}
    place = scripted.start(hands_on(location.encode()))
    for annotations in (ELSEWHERE, {}):
        cluster.serve(place, annotations=annotations)
        assert cluster.name() == 500
    is_empty(cluster)
    error_log.allow("balancer|redirect")
