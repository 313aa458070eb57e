"""A balancer tells by the PROXY protocol who its client is (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt)."""

import socket
import struct

import pytest

from tests.asking import Answer
from tests.backends import EchoBackends
from tests.compiler.making import ingress, rule
from tests.features.cluster import HOST, Cluster, by_name
from tests.features.error_log import ErrorLog
from tests.features.wire import Wire

CLIENT = "203.0.113.9"


@pytest.fixture(autouse=True)
def _proxied(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))
    cluster.configure({"use-proxy-protocol": "true"})


def first_version(port: int, client: str = CLIENT, family: str = "TCP4", server: str = "192.0.2.1") -> bytes:
    return f"PROXY {family} {client} {server} 40000 {port}\r\n".encode()


def second_version(port: int, client: str = CLIENT) -> bytes:
    addresses = socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, port)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(addresses)) + addresses


def asked(cluster: Cluster, first: bytes, *headers: str, tls: bool = False) -> Answer:
    port = cluster.gate.https_port if tls else cluster.gate.http_port
    with Wire(port, server_name=HOST if tls else "", first=first) as wire:
        wire.request("GET /", *headers)
        return wire.answer()


def seen(answer: Answer) -> dict[str, str]:
    """Give what the backend was told of the client."""
    assert answer.status == 200
    headers = by_name(answer.json["headers"])
    names = ("x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-scheme", "x-forwarded-port")
    return {name: ", ".join(headers[name]) for name in names}


def told(address: str, scheme: str, port: int) -> dict[str, str]:
    return {
        "x-real-ip": address,
        "x-forwarded-for": address,
        "x-forwarded-proto": scheme,
        "x-scheme": scheme,
        "x-forwarded-port": str(port),
    }


def test_the_backend_is_told_of_the_balancers_client(cluster: Cluster) -> None:
    for version in (first_version, second_version):
        assert seen(asked(cluster, version(80))) == told(CLIENT, "http", 80)
        assert seen(asked(cluster, version(443), tls=True)) == told(CLIENT, "https", 443)
    six = first_version(80, "2001:db8::7", "TCP6", "2001:db8::1")
    assert seen(asked(cluster, six))["x-real-ip"] == "2001:db8::7"


def test_a_balancer_that_ends_tls_asks_for_https(cluster: Cluster) -> None:
    cluster.put(ingress("shop", rule(HOST), annotations={"force-ssl-redirect": "true"}))
    assert seen(asked(cluster, first_version(443))) == told(CLIENT, "https", 443)
    assert asked(cluster, first_version(80)).status == 308


def test_a_balancer_that_asks_on_its_own_behalf_is_the_client(cluster: Cluster) -> None:
    assert seen(asked(cluster, b"PROXY UNKNOWN\r\n")) == told("127.0.0.1", "http", cluster.gate.http_port)


def test_who_may_come_in_is_decided_by_the_balancers_client(cluster: Cluster) -> None:
    cluster.put(ingress("shop", rule(HOST), annotations={"allowlist-source-range": f"{CLIENT}/32"}))
    assert asked(cluster, first_version(80)).status == 200
    assert asked(cluster, first_version(80, "203.0.113.10")).status == 403
    assert asked(cluster, first_version(80, "203.0.113.10"), f"X-Forwarded-For: {CLIENT}").status == 403


def test_only_trusted_balancers_tell_of_a_client(cluster: Cluster) -> None:
    cluster.configure({"use-proxy-protocol": "true", "proxy-real-ip-cidr": "10.0.0.0/8"})
    assert seen(asked(cluster, first_version(80)))["x-real-ip"] == "127.0.0.1"


def test_who_does_not_speak_it_is_not_heard(cluster: Cluster, backends: EchoBackends, error_log: ErrorLog) -> None:
    with Wire(cluster.gate.http_port) as wire:
        wire.send(b"GET / HTTP/1.0")
        assert wire.receive() == b""
    assert backends.served["shop"] == 0
    error_log.expect("broken header")
