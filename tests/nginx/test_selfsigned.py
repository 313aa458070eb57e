from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sevengate.nginx.selfsigned import COMMON_NAME, self_signed
from sevengate.routing.table import DEFAULT_CERTIFICATE


def test_the_certificate_says_that_it_is_a_fake_one_and_signs_itself() -> None:
    made = self_signed()
    certificate = x509.load_pem_x509_certificate(made.chain)
    certificate.verify_directly_issued_by(certificate)
    assert COMMON_NAME in certificate.subject.rfc4514_string()
    assert made.name == DEFAULT_CERTIFICATE


def test_the_key_belongs_to_the_certificate() -> None:
    made = self_signed()
    key = load_pem_private_key(made.key.pem, None)
    assert key.public_key() == x509.load_pem_x509_certificate(made.chain).public_key()


def test_it_is_valid_now_and_for_most_of_a_year() -> None:
    certificate = x509.load_pem_x509_certificate(self_signed().chain)
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now
    assert certificate.not_valid_after_utc > now + timedelta(days=300)


def test_every_process_makes_its_own() -> None:
    assert self_signed().chain != self_signed().chain
