"""Who may come in, by address."""

import pytest

from tests.asking import ask
from tests.backends import EchoBackends
from tests.features.cluster import HOST, Cluster
from tests.features.wire import Wire


@pytest.fixture(autouse=True)
def _forwarded(cluster: Cluster, backends: EchoBackends) -> None:
    # So that a test can come from any address.
    cluster.serve(backends.start("shop"))
    cluster.configure({"use-forwarded-headers": "true", "proxy-real-ip-cidr": "127.0.0.0/8"})


def rules(cluster: Cluster, **annotations: str) -> None:
    cluster.serve(annotations={f"{name}-source-range": value for name, value in annotations.items()})


def status(cluster: Cluster, address: str) -> int:
    return ask(cluster.gate.http_port, HOST, headers=[("X-Forwarded-For", address)]).status


@pytest.mark.parametrize("annotation", ["allowlist", "whitelist"])
def test_only_allowed_addresses_come_in(cluster: Cluster, annotation: str) -> None:
    expected = {
        "10.0.0.0": 200,
        "10.255.255.255": 200,
        "9.255.255.255": 403,
        "11.0.0.0": 403,
        "192.0.2.7": 200,
        "192.0.2.8": 403,
        "2001:db8::": 200,
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": 200,
        "2001:db9::": 403,
        "::1": 403,
        "::ffff:10.0.0.1": 200,
        "::ffff:11.0.0.1": 403,
    }
    rules(cluster, **{annotation: "10.0.0.0/8, 192.0.2.7,2001:db8::/32"})
    assert {address: status(cluster, address) for address in expected} == expected


def test_denied_addresses_stay_out(cluster: Cluster) -> None:
    expected = {"10.1.2.3": 403, "10.1.3.3": 200, "2001:db8::1": 403, "2001:db8::2": 200}
    rules(cluster, denylist="10.1.2.0/24,2001:db8::1")
    assert {address: status(cluster, address) for address in expected} == expected


def test_denied_goes_before_allowed(cluster: Cluster) -> None:
    rules(cluster, allowlist="10.0.0.0/8", denylist="10.1.0.0/16")
    assert [status(cluster, address) for address in ("10.0.0.1", "10.1.0.1", "11.0.0.1")] == [200, 403, 403]


def test_a_list_that_cannot_be_read_lets_nobody_in(cluster: Cluster) -> None:
    rules(cluster, allowlist="10.0.0.0/8, everybody")
    assert status(cluster, "10.0.0.1") == 503


def test_lists_of_the_settings_hold_where_the_ingress_has_none(cluster: Cluster) -> None:
    trusting = {"use-forwarded-headers": "true", "proxy-real-ip-cidr": "127.0.0.0/8"}
    cluster.configure({**trusting, "whitelist-source-range": "10.0.0.0/8", "denylist-source-range": "10.9.0.0/16"})
    assert [status(cluster, address) for address in ("10.0.0.1", "10.9.0.1", "11.0.0.1")] == [200, 403, 403]
    rules(cluster, allowlist="11.0.0.0/8")
    assert [status(cluster, address) for address in ("10.0.0.1", "11.0.0.1")] == [403, 200]


def test_the_address_of_the_connection_counts_where_headers_are_not_trusted(cluster: Cluster) -> None:
    cluster.configure({})
    rules(cluster, allowlist="127.0.0.2")
    assert cluster.ask(client="127.0.0.2").status == 200
    assert status(cluster, "127.0.0.2") == 403


def test_a_new_list_holds_for_connections_that_are_open(cluster: Cluster) -> None:
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /")
        assert wire.answer().status == 200
        rules(cluster, denylist="127.0.0.1")
        wire.request("GET /")
        assert wire.answer().status == 403
