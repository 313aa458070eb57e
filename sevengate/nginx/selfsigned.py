"""Makes the certificate that is shown where no other fits.

A client that asks for a host without a certificate of its own must still get a TLS answer, so that it reads a name
instead of a broken connection. The certificate is made anew by each process, says in its name that it is a fake one,
and is trusted by nobody. Where it is written, and that a user's own default certificate goes first, is decided in
dataplane.py and lua/tls.lua.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sevengate.routing.table import DEFAULT_CERTIFICATE, Certificate, PrivateKey

#: The name under which users of ingress-nginx know what this is, with our own maker's name.
COMMON_NAME: Final = "Kubernetes Ingress Controller Fake Certificate"
ORGANIZATION: Final = "Sevengate"
DNS_NAME: Final = "ingress.local"
VALID: Final = timedelta(days=365)


def self_signed() -> Certificate:
    """Make a key (ECDSA P-256) and a certificate that it signs itself, valid for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = _unsigned(now).public_key(key.public_key()).sign(key, hashes.SHA256())
    return Certificate(
        name=DEFAULT_CERTIFICATE,
        chain=certificate.public_bytes(serialization.Encoding.PEM),
        key=PrivateKey(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
        names=(DNS_NAME,),
        not_after=(now + VALID).isoformat(timespec="seconds"),
    )


def _unsigned(now: datetime) -> x509.CertificateBuilder:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # a client's clock may be behind
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DNS_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
