"""No larger body than the route allows, however its length is told; NGINX answers 413 before a backend sees it."""

import subprocess
from collections.abc import Callable

import pytest

from sevengate.nginx.live import Live
from sevengate.settings import Options
from tests.asking import ask
from tests.backends import EchoBackends
from tests.compiler.making import ingress, rule
from tests.features.cluster import HOST, Cluster, service_objects
from tests.features.error_log import ErrorLog
from tests.features.wire import Wire

TOO_LARGE = r"client intended to send too large (chunked )?body"
MIB = 1024 * 1024


def with_length(cluster: Cluster, size: int, host: str) -> int:
    return ask(cluster.gate.http_port, host, method="POST", body=b"x" * size).status


def chunked(cluster: Cluster, size: int, host: str) -> int:
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Transfer-Encoding: chunked", host=host)
        try:
            for start in range(0, size, 65536):
                part = min(65536, size - start)
                wire.send(b"%x\r\n" % part + b"x" * part + b"\r\n")
            wire.send(b"0\r\n\r\n")
        except OSError:  # refused before it was all sent
            pass
        return wire.answer().status


def by_http2(cluster: Cluster, size: int, host: str) -> int:
    # From a pipe curl knows no length, and HTTP/2 needs none.
    sent = subprocess.run(
        [
            *("curl", "--silent", "--insecure", "--http2", "--max-time", "30", "--output", "/dev/null"),
            *("--write-out", "%{http_code}", "--request", "POST", "--upload-file", "-"),
            *("--connect-to", f"{host}:443:127.0.0.1:{cluster.gate.https_port}", f"https://{host}/"),
        ],
        input=b"x" * size,
        capture_output=True,
        check=False,
    )
    return int(sent.stdout)


Send = Callable[[Cluster, int, str], int]
WAYS = pytest.mark.parametrize("send", [with_length, chunked, by_http2])


@pytest.fixture(autouse=True)
def _echo(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))


def limit(cluster: Cluster, host: str, size: str) -> None:
    name = host.partition(".")[0]
    cluster.put(ingress(name, rule(host), annotations={"proxy-body-size": size}))


@WAYS
def test_a_route_without_a_limit_of_its_own_has_the_default_one(
    cluster: Cluster, error_log: ErrorLog, send: Send
) -> None:
    assert send(cluster, MIB, HOST) == 200
    assert send(cluster, MIB + 1, HOST) == 413
    error_log.expect(TOO_LARGE)


@WAYS
def test_two_routes_have_two_limits_around_the_default_one(cluster: Cluster, error_log: ErrorLog, send: Send) -> None:
    limit(cluster, "small.example", "1k")
    limit(cluster, "large.example", "3m")
    found = [send(cluster, size, host) for host in ("small.example", "large.example", HOST) for size in LADDER]
    assert found == [200, 413, 413, 413, 413, 200, 200, 200, 200, 413, 200, 200, 200, 413, 413]
    error_log.expect(TOO_LARGE)


LADDER = (1024, 1025, MIB, MIB + 1, 3 * MIB + 1)


@WAYS
def test_zero_is_no_limit_and_leaves_the_others_theirs(cluster: Cluster, error_log: ErrorLog, send: Send) -> None:
    limit(cluster, "any.example", "0")
    limit(cluster, "small.example", "1k")
    assert send(cluster, 5 * MIB, "any.example") == 200
    assert send(cluster, MIB + 1, HOST) == 413
    assert send(cluster, 1025, "small.example") == 413
    error_log.expect(*([] if send is with_length else [TOO_LARGE]))


@WAYS
def test_the_default_backend_keeps_the_default_limit(
    gate: Live, backends: EchoBackends, error_log: ErrorLog, send: Send
) -> None:
    cluster = Cluster(gate, Options(default_backend_service="default/fallback"))
    limit(cluster, "any.example", "0")
    cluster.put(*service_objects("fallback", backends.start("fallback")))
    assert cluster.name(host="nobody.example") == "fallback"
    assert send(cluster, MIB, "nobody.example") == 200
    assert send(cluster, MIB + 1, "nobody.example") == 413
    error_log.expect(*([] if send is with_length else [TOO_LARGE]))


def test_another_default_holds_at_once(cluster: Cluster) -> None:
    cluster.configure({"proxy-body-size": "10"})
    assert (with_length(cluster, 10, HOST), with_length(cluster, 11, HOST)) == (200, 413)


def test_a_new_limit_for_which_there_is_a_profile_needs_no_reload(cluster: Cluster) -> None:
    limit(cluster, "large.example", "3m")
    reloads = cluster.gate.dataplane.reloads
    limit(cluster, "larger.example", "3m")
    limit(cluster, "large.example", "1m")
    assert with_length(cluster, 2 * MIB, "larger.example") == 200
    assert with_length(cluster, 2 * MIB, "large.example") == 413
    assert cluster.gate.dataplane.reloads == reloads


def test_what_is_too_large_reaches_no_backend(cluster: Cluster, backends: EchoBackends, error_log: ErrorLog) -> None:
    for send in (with_length, chunked, by_http2):
        assert send(cluster, MIB + 1, HOST) == 413
    assert backends.served["shop"] == 0
    error_log.expect(TOO_LARGE)
