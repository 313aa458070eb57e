"""Secrets become certificates, or say why not."""

from ssl import DER_cert_to_PEM_cert, PEM_cert_to_DER_cert

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from sevengate.compiler.certificates import Fault, covers, read_key_pair
from sevengate.routing.table import Certificate, PrivateKey
from tests.compiler.making import DAY, NOW, key_pair, secret

CHAIN, KEY = key_pair(("a.example", "*.B.example"))


def fault_of(chain: bytes, key: bytes) -> str:
    content = read_key_pair(secret("tls", chain, key), "default/tls").content
    return content.code if isinstance(content, Fault) else ""


def test_a_certificate_has_its_names_in_lower_case_and_its_end() -> None:
    content = read_key_pair(secret("tls", CHAIN, KEY), "default/tls").content
    assert isinstance(content, Certificate)
    assert content.names == ("a.example", "*.b.example")
    assert content.not_after == (NOW + 100 * DAY).isoformat()


def test_a_chain_is_written_anew_so_that_it_holds_certificates_only() -> None:
    other, _ = key_pair(("z.example",))
    content = read_key_pair(secret("tls", b"hello\n" + CHAIN + KEY + other, KEY), "default/tls").content
    assert isinstance(content, Certificate)
    assert content.chain == CHAIN + other


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("a.example", True),
        ("x.a.example", False),
        ("x.b.example", True),
        ("*.b.example", True),
        ("x.y.b.example", False),
        ("b.example", False),
        ("", False),
    ],
)
def test_a_wildcard_covers_exactly_one_label(host: str, covered: bool) -> None:
    assert covers(Certificate("", b"", PrivateKey(b""), ("a.example", "*.b.example")), host) is covered


def test_an_encrypted_key_is_refused() -> None:
    locked = load_pem_private_key(KEY, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    assert fault_of(CHAIN, locked) == "tls/invalid-certificate"


def test_a_key_of_another_kind_does_not_belong_to_the_certificate() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert fault_of(CHAIN, pem) == "tls/key-mismatch"


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_noise_is_no_certificate(chain: bytes, key: bytes) -> None:
    wrapped = b"-----BEGIN CERTIFICATE-----\n" + chain + b"\n-----END CERTIFICATE-----\n"
    for odd in (chain, wrapped, CHAIN[: len(CHAIN) // 2] + chain):
        assert fault_of(odd, KEY) == "tls/invalid-certificate"
    assert fault_of(CHAIN, key) == "tls/invalid-certificate"


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_certificate_with_one_wrong_byte_raises_nothing(at: int, byte: int) -> None:
    broken = bytearray(CHAIN)
    broken[at % len(broken)] = byte
    assert fault_of(bytes(broken), KEY) in {"", "tls/invalid-certificate", "tls/key-mismatch"}


def test_the_turn_of_a_certificate_is_the_next_change_of_its_validity() -> None:
    pair = read_key_pair(secret("tls", *key_pair(("a.example",), 1, 3)), "default/tls")
    assert pair.next_turn(NOW) == NOW + DAY
    assert pair.next_turn(NOW + DAY) == NOW + 3 * DAY
    assert pair.next_turn(NOW + 3 * DAY) is None


def test_a_certificate_of_a_version_that_does_not_exist_is_refused() -> None:
    # The first element of a certificate is its version: [0] EXPLICIT INTEGER 2 (RFC 5280, section 4.1).
    version, nonsense = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x3f"
    der = PEM_cert_to_DER_cert(CHAIN.decode()).replace(version, nonsense, 1)
    assert fault_of(DER_cert_to_PEM_cert(der).encode(), KEY) == "tls/invalid-certificate"
