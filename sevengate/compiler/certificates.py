"""Secrets of type kubernetes.io/tls -> Certificates.

A Secret is parsed once, for as long as it is the same object: parsing is by far the dearest step of a compilation.
What is wrong with it is remembered beside the certificate and said by whoever names the Secret (tls.py), at the field
that names it. Whether the certificate is in date depends on the moment, so it is asked each time; `next_turn` says
when the answer will change.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sevengate.kube.objects import Secret
from sevengate.routing.table import Certificate, PrivateKey

CHAIN_KEY: Final = "tls.crt"
PRIVATE_KEY_KEY: Final = "tls.key"

# Stands where there is no certificate that could be valid from or until some time.
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Why a Secret gives no certificate: a diagnostic's code and message."""

    code: str
    message: str


class KeyPair(msgspec.Struct, frozen=True):
    """What a Secret was found to hold: a Certificate with the time it is valid in, or a Fault."""

    secret: Secret
    content: Certificate | Fault
    not_before: datetime = _LONG_AGO
    not_after: datetime = _LONG_AGO

    def next_turn(self, now: datetime) -> datetime | None:
        """Give the next moment at which the certificate becomes valid or expires."""
        return min((moment for moment in (self.not_before, self.not_after) if moment > now), default=None)


class CertificateStore:
    """Gives the KeyPair of a Secret by key; what was parsed before and is still the same object is not parsed again."""

    def __init__(self, secrets: Mapping[str, Secret], known: Mapping[str, KeyPair]) -> None:
        self._secrets = secrets
        self._known = known
        self._parsed: dict[str, KeyPair] = {}

    def get(self, key: str) -> KeyPair | None:
        """Give what the Secret holds, or None where there is no such Secret."""
        secret = self._secrets.get(key)
        if secret is None:
            return None
        pair = self._parsed.get(key) or self._known.get(key)
        if pair is None or pair.secret is not secret:
            pair = self._parsed[key] = read_key_pair(secret, key)
        return pair


def read_key_pair(secret: Secret, name: str) -> KeyPair:
    """Parse a Secret and check that chain and key belong together; `name` becomes the Certificate's."""
    chain_pem, key_pem = secret.data.get(CHAIN_KEY), secret.data.get(PRIVATE_KEY_KEY)
    if not chain_pem or not key_pem:
        missing = CHAIN_KEY if not chain_pem else PRIVATE_KEY_KEY
        return _faulty(secret, "tls/invalid-certificate", f"Secret {secret.key} has no {missing}")
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
        names = _names(chain[0])
        chain_spki = chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        return _faulty(
            secret, "tls/invalid-certificate", f"{CHAIN_KEY} of Secret {secret.key} is not a PEM certificate"
        )
    key_spki = _public_key_of(key_pem)
    if key_spki is None:
        return _faulty(
            secret,
            "tls/invalid-certificate",
            f"{PRIVATE_KEY_KEY} of Secret {secret.key} is not an open PEM private key",
        )
    if key_spki != chain_spki:
        return _faulty(
            secret, "tls/key-mismatch", f"{PRIVATE_KEY_KEY} of Secret {secret.key} does not belong to its certificate"
        )
    leaf = chain[0]
    certificate = Certificate(
        name,
        b"".join(link.public_bytes(Encoding.PEM) for link in chain),
        PrivateKey(key_pem),
        names,
        leaf.not_valid_after_utc.isoformat(),
    )
    return KeyPair(secret, certificate, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def covers(certificate: Certificate, host: str) -> bool:
    """Say whether a certificate names the host, itself or by a wildcard of one label (RFC 9525, section 6.3)."""
    _, dot, rest = host.partition(".")
    return host in certificate.names or (bool(dot) and f"*.{rest}" in certificate.names)


def _public_key_of(pem: bytes) -> bytes | None:
    try:
        # To verify an RSA key's arithmetic would cost milliseconds each, and OpenSSL does it when it uses the key.
        key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Give the DNS names in lower case; the common name only counts where there is no subjectAltName at all."""
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(str(attribute.value).lower() for attribute in common)
    return tuple(name.lower() for name in alternative.get_values_for_type(x509.DNSName))


def _faulty(secret: Secret, code: str, message: str) -> KeyPair:
    return KeyPair(secret, Fault(code, message))
