"""Requests that few clients send: what they may not reach, and which host the backend hears of."""

import pytest

from tests.asking import Answer
from tests.backends import EchoBackends
from tests.compiler.making import ingress, path, rule
from tests.features.cluster import HOST, Cluster, by_name
from tests.features.error_log import ErrorLog
from tests.features.wire import Wire


@pytest.fixture(autouse=True)
def _shop(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))


def say(cluster: Cluster, *lines: str, body: bytes = b"") -> Answer:
    """Send lines as they are, and read one answer."""
    with Wire(cluster.gate.http_port) as wire:
        wire.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return wire.answer(lines[0].partition(" ")[0])


def seen(answer: Answer) -> dict[str, list[str]]:
    """Give the headers that the backend saw."""
    assert answer.status == 200
    return by_name(answer.json["headers"])


@pytest.mark.parametrize("settings", [{}, {"use-forwarded-headers": "true"}], ids=["", "forwarded headers"])
def test_a_target_that_names_a_host_goes_before_the_host_header_for_the_backend_too(
    cluster: Cluster, settings: dict[str, str]
) -> None:
    # Else an allow-list of inner.example would be got round by asking for HOST, where both have one backend.
    cluster.configure(settings)
    cluster.put(ingress("inner", rule("inner.example"), annotations={"allowlist-source-range": "10.0.0.0/8"}))
    for _ in range(4):  # both workers may remember both hosts
        assert say(cluster, "GET / HTTP/1.1", "Host: inner.example").status == 403
        assert seen(say(cluster, "GET / HTTP/1.1", f"Host: {HOST}"))["host"] == [HOST]
    for header in ("inner.example", "inner.example:80", "Shop.example.evil", "[::1]:80", "shop"):
        found = seen(say(cluster, f"GET http://{HOST}/a HTTP/1.1", f"Host: {header}"))
        assert (found["host"], found["x-forwarded-host"]) == ([HOST], [HOST])


def test_a_target_and_a_host_header_that_name_one_host_leave_the_header_as_it_is(cluster: Cluster) -> None:
    for header in (HOST, "Shop.Example.", f"{HOST}:8080", "SHOP.EXAMPLE.:80"):
        assert seen(say(cluster, f"GET http://{HOST}/a HTTP/1.1", f"Host: {header}"))["host"] == [header]


def test_addresses_in_brackets_are_hosts_too(cluster: Cluster) -> None:
    cluster.put(ingress("any", rule("")))
    assert seen(say(cluster, "GET / HTTP/1.1", "Host: [::1]:8080"))["host"] == ["[::1]:8080"]


def test_an_old_client_may_name_no_host_and_gets_what_is_for_any(cluster: Cluster) -> None:
    assert say(cluster, "GET / HTTP/1.0").status == 404
    cluster.put(ingress("any", rule("")))
    assert seen(say(cluster, "GET / HTTP/1.0"))["host"] == ["_"]
    assert seen(say(cluster, f"GET http://{HOST}/ HTTP/1.0"))["host"] == [HOST]


AMBIGUOUS = (
    ["GET / HTTP/1.1"],
    ["GET / HTTP/1.1", f"Host: {HOST}", "Host: inner.example"],
    ["GET / HTTP/1.1", "Host: a b"],
    ["GET / HTTP/1.1", f"Host: {'a' * 9000}"],
    ["OPTIONS * HTTP/1.1", f"Host: {HOST}"],
    [f"CONNECT {HOST}:80 HTTP/1.1", f"Host: {HOST}"],
    ["get / HTTP/1.1", f"Host: {HOST}"],
    ["GET /%00 HTTP/1.1", f"Host: {HOST}"],
    ["GET /../a HTTP/1.1", f"Host: {HOST}"],
    ["POST / HTTP/1.1", f"Host: {HOST}", "Transfer-Encoding: chunked", "Content-Length: 5"],
    ["POST / HTTP/1.0", f"Host: {HOST}", "Transfer-Encoding: chunked"],
    ["POST / HTTP/1.1", f"Host: {HOST}", "Content-Length: 5", "Content-Length: 6"],
)


def test_what_could_be_read_in_two_ways_reaches_no_backend(cluster: Cluster, backends: EchoBackends) -> None:
    assert [lines for lines in AMBIGUOUS if say(cluster, *lines).status != 400] == []
    assert backends.served["shop"] == 0


def test_any_method_passes(cluster: Cluster) -> None:
    methods = ("OPTIONS", "PATCH", "DELETE", "PROPFIND")
    assert [say(cluster, f"{name} / HTTP/1.1", f"Host: {HOST}").json["method"] for name in methods] == [*methods]
    answer = say(cluster, "HEAD / HTTP/1.1", f"Host: {HOST}")
    assert (answer.status, answer.body) == (200, b"")


def test_no_client_may_turn_the_connection_to_a_backend_into_http2(cluster: Cluster) -> None:
    for upgrade in ("h2c", "H2C", "websocket, h2c"):
        headers = (f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")
        found = seen(say(cluster, "GET / HTTP/1.1", f"Host: {HOST}", *headers))
        assert found.keys().isdisjoint({"upgrade", "connection", "http2-settings"})


def test_a_client_that_waits_to_be_told_to_send_its_body_is_told(cluster: Cluster) -> None:
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Expect: 100-continue", "Content-Length: 4")
        assert wire.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"body")
        assert wire.answer().json["body"] == "body"


def test_a_client_that_would_send_too_much_is_told_before_it_does(cluster: Cluster, error_log: ErrorLog) -> None:
    lines = ("POST / HTTP/1.1", f"Host: {HOST}", "Expect: 100-continue", "Content-Length: 2000000")
    assert say(cluster, *lines).status == 413
    cluster.put(ingress("large", rule("large.example"), annotations={"proxy-body-size": "3m"}))
    assert say(cluster, *lines).status == 413
    error_log.expect("too large body")


def test_a_path_reaches_the_backend_as_it_was_sent(cluster: Cluster) -> None:
    cluster.put(ingress("shop", rule(HOST, path("/a"))))
    for target in ("/a//b", "/x/../a/%2F?%20", "/a/;v=1", "/%61"):
        assert say(cluster, f"GET {target} HTTP/1.1", f"Host: {HOST}").json["target"] == target
