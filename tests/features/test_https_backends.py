"""Backends that speak TLS."""

import ssl

import pytest
import trustme

from sevengate.routing.table import Endpoint
from tests.features.cluster import Cluster
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends


def named(peer: Peer) -> None:
    while peer.head():
        peer.answer(b'{"name": "secure"}')


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("backend.example").configure_cert(context)
    return context


@pytest.fixture
def secure(scripted: ScriptedBackends, tls: ssl.SSLContext) -> Endpoint:
    return scripted.start(named, tls=tls)


def test_a_backend_is_asked_over_tls_where_the_ingress_says_so(cluster: Cluster, secure: Endpoint) -> None:
    cluster.serve(secure, annotations={"backend-protocol": "HTTPS"})
    assert {cluster.name() for _ in range(5)} == {"secure"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_a_backend_may_insist_on_one_version_of_tls(
    cluster: Cluster, scripted: ScriptedBackends, version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    trustme.CA().issue_cert("backend.example").configure_cert(context)
    cluster.serve(scripted.start(named, tls=context), annotations={"backend-protocol": "HTTPS"})
    assert cluster.name() == "secure"


def test_a_backend_that_wants_tls_does_not_understand_http(
    cluster: Cluster, secure: Endpoint, error_log: ErrorLog
) -> None:
    cluster.serve(secure)
    assert cluster.name() == 502
    error_log.expect("reset by peer|prematurely closed")


def test_a_backend_that_speaks_no_tls_is_a_502(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    # As a web server does, it reads what it cannot understand before it says so, and leaves nothing unread: a reset
    # could overtake its words.
    def plain(peer: Peer) -> None:
        peer.read(1)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.until_closed()

    cluster.serve(scripted.start(plain), annotations={"backend-protocol": "HTTPS"})
    assert cluster.name() == 502
    error_log.expect("SSL_do_handshake")


def test_what_a_backend_says_before_its_tls_handshake_is_no_answer(
    cluster: Cluster, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    # Whoever can write into the connection could answer for the backend (CVE-2026-1642). NGINX finds such words before
    # it begins the handshake or, if they come a little later, in place of the handshake's answer.
    def early(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        peer.until_closed()

    cluster.serve(scripted.start(early), annotations={"backend-protocol": "HTTPS"})
    assert cluster.ask().status == 502
    error_log.expect("upstream prematurely sent response|SSL_do_handshake")


def test_routes_with_and_without_tls_do_not_share_connections(
    cluster: Cluster, scripted: ScriptedBackends, secure: Endpoint
) -> None:
    # One after the other at the same Service: the pool of one must not serve the other.
    plain = scripted.start(named)
    for _ in range(3):
        cluster.serve(secure, annotations={"backend-protocol": "HTTPS"})
        assert cluster.name() == "secure"
        cluster.serve(plain)
        assert cluster.name() == "secure"
    assert cluster.gate.dataplane.reloads == 1
