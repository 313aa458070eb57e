"""Which certificate a client sees, what TLS is spoken, and that a new certificate is live at once."""

import socket
import ssl

import pytest
from cryptography import x509

from sevengate.kube.objects import IngressTLS, Secret
from sevengate.nginx.live import Live
from sevengate.settings import Options
from tests.asking import LIMIT, trusting
from tests.backends import EchoBackends
from tests.compiler.making import ingress, key_pair, rule, secret
from tests.features.cluster import HOST, Cluster
from tests.features.wire import Wire


@pytest.fixture(autouse=True)
def _echo(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))


def handshake(cluster: Cluster, server_name: str | None, **options: ssl.TLSVersion) -> ssl.SSLSocket:
    wishes = trusting()
    for name, version in options.items():
        setattr(wishes, f"{name}_version", version)
    plain = socket.create_connection(("127.0.0.1", cluster.gate.https_port), timeout=LIMIT)
    return wishes.wrap_socket(plain, server_hostname=server_name)


def shown(cluster: Cluster, server_name: str | None) -> set[str]:
    """Give the names in the certificate that is shown for an SNI name."""
    with handshake(cluster, server_name) as connection:
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(names.value.get_values_for_type(x509.DNSName))


def certificate(name: str, *names: str, from_day: int = -100) -> Secret:
    return secret(name, *key_pair(names, from_day))


def secure(cluster: Cluster, host: str, *names: str) -> None:
    """Put a host with a certificate for some names."""
    name = host.replace("*", "any").replace(".", "-")
    cluster.put(certificate(name, *names), ingress(name, rule(host), tls=(IngressTLS((host,), name),)))


FAKE = {"ingress.local"}


def test_each_name_gets_its_own_certificate(cluster: Cluster) -> None:
    secure(cluster, "a.example", "a.example")
    secure(cluster, "b.example", "b.example", "www.b.example")
    assert shown(cluster, "a.example") == {"a.example"}
    assert shown(cluster, "A.EXAMPLE") == {"a.example"}
    assert shown(cluster, "b.example") == {"b.example", "www.b.example"}


def test_a_wildcard_covers_one_label_and_gives_way_to_an_exact_name(cluster: Cluster) -> None:
    secure(cluster, "*.wild.example", "*.wild.example")
    secure(cluster, "own.wild.example", "own.wild.example")
    assert shown(cluster, "any.wild.example") == {"*.wild.example"}
    assert shown(cluster, "own.wild.example") == {"own.wild.example"}
    assert shown(cluster, "two.labels.wild.example") == FAKE
    assert shown(cluster, "wild.example") == FAKE


@pytest.mark.parametrize("server_name", ["nobody.example", None, HOST])
def test_everybody_else_gets_the_fake_one(cluster: Cluster, server_name: str | None) -> None:
    secure(cluster, "a.example", "a.example")
    assert shown(cluster, server_name) == FAKE


def test_a_default_certificate_takes_the_place_of_the_fake_one(gate: Live) -> None:
    cluster = Cluster(gate, Options(default_ssl_certificate="default/fallback"))
    cluster.put(certificate("fallback", "fallback.example"))
    secure(cluster, "a.example", "a.example")
    assert shown(cluster, "nobody.example") == {"fallback.example"}
    assert shown(cluster, None) == {"fallback.example"}
    assert shown(cluster, "a.example") == {"a.example"}
    cluster.put(certificate("fallback", "newer.example"))
    assert shown(cluster, "nobody.example") == {"newer.example"}


def test_a_new_certificate_is_shown_at_once_and_nothing_reloads(cluster: Cluster) -> None:
    secure(cluster, "a.example", "a.example")
    for number in range(5):
        cluster.put(certificate("a-example", "a.example", f"v{number}.example"))
        for _ in range(6):  # whichever worker answers
            assert shown(cluster, "a.example") == {"a.example", f"v{number}.example"}
    assert cluster.gate.dataplane.reloads == 0


def test_connections_that_are_open_outlive_a_change_of_certificates(cluster: Cluster) -> None:
    secure(cluster, "a.example", "a.example")
    with Wire(cluster.gate.https_port, server_name="a.example") as wire:
        wire.request("GET /", host="a.example")
        assert wire.answer().status == 200
        cluster.put(certificate("a-example", "a.example", "newer.example"))
        wire.request("GET /", host="a.example")
        assert wire.answer().status == 200


def test_a_certificate_that_goes_leaves_the_fake_one(cluster: Cluster) -> None:
    secure(cluster, "a.example", "a.example")
    cluster.put(ingress("a-example", rule("a.example")))
    assert shown(cluster, "a.example") == FAKE
    assert cluster.ask(host="a.example", tls=True).status == 200


@pytest.mark.parametrize(
    ("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
def test_tls_1_2_and_1_3_are_spoken(cluster: Cluster, version: ssl.TLSVersion, name: str) -> None:
    secure(cluster, "a.example", "a.example")
    with handshake(cluster, "a.example", minimum=version, maximum=version) as connection:
        assert connection.version() == name


def test_a_version_can_be_switched_off(cluster: Cluster) -> None:
    cluster.configure({"ssl-protocols": "TLSv1.3"})
    version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        handshake(cluster, HOST, minimum=version, maximum=version).close()
    assert cluster.ask(tls=True).status == 200


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "max-age=31536000; includeSubDomains"),
        ({"hsts-max-age": "60", "hsts-include-subdomains": "false", "hsts-preload": "true"}, "max-age=60; preload"),
        ({"hsts": "false"}, None),
    ],
)
def test_hsts_is_told_over_tls_alone(cluster: Cluster, settings: dict[str, str], expected: str | None) -> None:
    cluster.configure(settings)
    assert cluster.ask(tls=True).header("Strict-Transport-Security") == expected
    assert cluster.ask().header("Strict-Transport-Security") is None


@pytest.mark.parametrize(
    "annotations", [{"proxy-body-size": "2m"}, {"temporal-redirect": "https://x.example"}], ids=str
)
def test_hsts_is_told_with_every_answer(cluster: Cluster, annotations: dict[str, str]) -> None:
    cluster.put(ingress("shop", rule(HOST), annotations=annotations))
    answers = [cluster.ask(tls=True), cluster.ask(host="nobody.example", tls=True)]
    assert all(answer.header("Strict-Transport-Security") for answer in answers)
    assert all(answer.header("Server") == "nginx" for answer in answers)
