"""Backends see the request headers that ingress-nginx sends them, and nothing that a client made up."""

import re

import pytest

from tests.backends import EchoBackends
from tests.features.cluster import HOST, Cluster

REQUEST_ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(autouse=True)
def _echo(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))


def test_a_plain_request_comes_with_exactly_these_headers(cluster: Cluster) -> None:
    seen = cluster.headers()
    [request_id] = seen.pop("x-request-id")
    assert REQUEST_ID.fullmatch(request_id)
    assert seen == {
        "host": [HOST],
        "x-real-ip": ["127.0.0.1"],
        "x-forwarded-for": ["127.0.0.1"],
        "x-forwarded-host": [HOST],
        "x-forwarded-port": [str(cluster.gate.http_port)],
        "x-forwarded-proto": ["http"],
        "x-forwarded-scheme": ["http"],
        "x-scheme": ["http"],
    }


def test_over_tls_the_scheme_is_https_and_the_port_443(cluster: Cluster) -> None:
    seen = cluster.headers(tls=True)
    names = ("x-forwarded-proto", "x-forwarded-scheme", "x-scheme", "x-forwarded-port")
    assert [seen[name] for name in names] == [["https"], ["https"], ["https"], ["443"]]


def test_what_a_client_says_of_itself_is_not_believed_but_kept_aside(cluster: Cluster) -> None:
    seen = cluster.headers(
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Scheme", "https"),
        ("X-Forwarded-Port", "1"),
        ("X-Scheme", "https"),
        ("X-Real-IP", "203.0.113.9"),
    )
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-real-ip"] == ["127.0.0.1"]
    assert seen["x-forwarded-host"] == [HOST]
    assert seen["x-forwarded-port"] == [str(cluster.gate.http_port)]
    assert seen["x-forwarded-proto"] == seen["x-forwarded-scheme"] == seen["x-scheme"] == ["http"]
    assert seen["x-original-forwarded-for"] == ["203.0.113.9"]
    assert seen["x-original-forwarded-host"] == ["evil.example"]


def test_the_host_header_goes_on_as_it_was_sent(cluster: Cluster) -> None:
    seen = cluster.headers(host="Shop.Example:8080")
    assert seen["host"] == seen["x-forwarded-host"] == ["Shop.Example:8080"]


def test_a_request_id_of_the_client_is_passed_on(cluster: Cluster) -> None:
    assert cluster.headers(("X-Request-ID", "from-a-client"))["x-request-id"] == ["from-a-client"]


def test_request_ids_differ(cluster: Cluster) -> None:
    ids = {cluster.headers()["x-request-id"][0] for _ in range(50)}
    assert len(ids) == 50


def test_no_request_id_is_made_where_that_is_switched_off(cluster: Cluster) -> None:
    cluster.configure({"generate-request-id": "false"})
    assert "x-request-id" not in cluster.headers()
    assert cluster.headers(("X-Request-ID", "mine"))["x-request-id"] == ["mine"]


def test_a_proxy_header_goes_nowhere(cluster: Cluster) -> None:
    assert "proxy" not in cluster.headers(("Proxy", "http://evil.example:3128"))


def test_other_headers_go_through(cluster: Cluster) -> None:
    seen = cluster.headers(("Accept-Encoding", "gzip"), ("X-Own", "a"), ("X-Own", "b"), ("Cookie", "x=1"))
    assert (seen["accept-encoding"], seen["x-own"], seen["cookie"]) == (["gzip"], ["a", "b"], ["x=1"])


def test_hop_by_hop_headers_stay(cluster: Cluster) -> None:
    assert cluster.headers(("Connection", "close"), ("Keep-Alive", "timeout=5")).keys().isdisjoint({"connection"})


def test_another_host_is_told_to_the_backend_by_upstream_vhost(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("other"), annotations={"upstream-vhost": "inner.example:8443"})
    seen = cluster.headers()
    assert seen["host"] == ["inner.example:8443"]


def test_upstream_vhost_leaves_x_forwarded_host_to_the_client(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("other"), annotations={"upstream-vhost": "inner.example"})
    assert cluster.headers()["x-forwarded-host"] == [HOST]


def test_a_rewrite_tells_what_it_cut_off(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("other"), annotations={"rewrite-target": "/rewritten", "x-forwarded-prefix": "/shop"})
    answer = cluster.ask("/a")
    assert answer.json["target"] == "/rewritten"
    assert cluster.headers()["x-forwarded-prefix"] == ["/shop"]


# --- use-forwarded-headers


def test_a_trusted_balancer_tells_scheme_port_host_and_client(cluster: Cluster) -> None:
    cluster.configure({"use-forwarded-headers": "true"})
    seen = cluster.headers(
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "front.example, other.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "8443"),
    )
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == ["203.0.113.9"]
    assert seen["x-forwarded-host"] == seen["host"] == ["front.example"]
    assert seen["x-forwarded-port"] == ["8443"]
    assert seen["x-forwarded-proto"] == seen["x-forwarded-scheme"] == seen["x-scheme"] == ["https"]


def test_without_its_headers_a_trusted_balancer_changes_nothing(cluster: Cluster) -> None:
    cluster.configure({"use-forwarded-headers": "true"})
    seen = cluster.headers()
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-host"] == [HOST]
    assert seen["x-forwarded-proto"] == ["http"]


def test_a_full_forwarded_for_is_appended_to(cluster: Cluster) -> None:
    cluster.configure({"use-forwarded-headers": "true", "compute-full-forwarded-for": "true"})
    seen = cluster.headers(("X-Forwarded-For", "203.0.113.9, 203.0.113.10"))
    assert seen["x-forwarded-for"] == ["203.0.113.9, 203.0.113.10, 127.0.0.1"]


def test_only_trusted_networks_tell_the_client(cluster: Cluster) -> None:
    cluster.configure({"use-forwarded-headers": "true", "proxy-real-ip-cidr": "10.0.0.0/8"})
    assert cluster.headers(("X-Forwarded-For", "203.0.113.9"))["x-real-ip"] == ["127.0.0.1"]


def test_enable_real_ip_believes_the_address_alone(cluster: Cluster) -> None:
    cluster.configure({"enable-real-ip": "true"})
    seen = cluster.headers(("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"))
    assert seen["x-real-ip"] == ["203.0.113.9"]
    assert seen["x-forwarded-proto"] == ["http"]
