"""Keeps the certificate by which the API server knows our admission webhook: made, agreed on, announced, renewed.

Takes the names of a Secret and of a ValidatingWebhookConfiguration. The Secret holds a certificate for the names under
which the configuration calls us, its key, and the authority that signed it; the key of the authority is thrown away, so
nobody can sign with it ever after. All replicas do the same: whoever creates or replaces the Secret first wins (the
server refuses the others, 409), and all take what is there. The authority is written into the configuration's caBundle,
with the one before it, and a new certificate is shown only when its authority stood there for a while, so that a
renewal fails no call. How the certificate is shown is left to `show`.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#contacting-the-webhook
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from sevengate.cluster.authority import VALID, Authority, Pair
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, ConflictError, ForbiddenError, NotFoundError
from sevengate.cluster.resources import SECRETS, WEBHOOK_CONFIGURATIONS

log = logging.getLogger("sevengate.cluster")

#: Seconds between two looks: a caBundle that somebody has overwritten is missing for as long.
PAUSE: Final = 10.0
#: Seconds until the next look after another replica was quicker.
RETRY: Final = 0.2
#: The part of its life that a certificate has left when it is renewed.
RENEWED: Final = 1 / 3

Plain = dict[str, Any]


class Named(msgspec.Struct, frozen=True):
    """The objects concerned: `secret` as namespace/name, and the ValidatingWebhookConfiguration."""

    secret: str
    configuration: str


class _Service(msgspec.Struct, frozen=True):
    name: str
    namespace: str


class _ClientConfig(msgspec.Struct, frozen=True, rename="camel"):
    url: str | None = None
    service: _Service | None = None
    ca_bundle: str | None = None


class _Hook(msgspec.Struct, frozen=True, rename="camel"):
    client_config: _ClientConfig = _ClientConfig()


class _Configuration(msgspec.Struct, frozen=True):
    webhooks: tuple[_Hook, ...] | None = None


class _Held(msgspec.Struct, frozen=True):
    """What the Secret holds: a Pair, and the authorities to believe, the newest first."""

    pair: Pair
    authorities: tuple[bytes, ...]

    @property
    def bundle(self) -> bytes:
        return b"".join(self.authorities)

    def lives_until(self) -> datetime:
        return x509.load_pem_x509_certificate(self.pair.certificate).not_valid_after_utc


class CertificateUpkeep:
    """Keeps one webhook's certificate; `show` is called with each Pair that is to be shown from then on."""

    def __init__(self, client: Client, named: Named, show: Callable[[Pair], None], *, valid: timedelta = VALID) -> None:
        self._client = client
        self._named = named
        self._show = show
        self._valid = valid
        self._shown: Pair | None = None
        self._announced: Pair | None = None
        self._trouble = ""

    async def run(self, pause: float = PAUSE) -> None:
        """Look after it, until cancelled."""
        while True:
            was_quickest = await self._try()
            await asyncio.sleep(pause if was_quickest else min(pause, RETRY))

    async def step(self) -> None:
        """Look once, and do what is to be done."""
        path = WEBHOOK_CONFIGURATIONS.path(name=self._named.configuration)
        configuration = await self._client.get(path)
        clients = [
            hook.client_config for hook in msgspec.json.decode(configuration, type=_Configuration).webhooks or ()
        ]
        held = await self._agree(_names(clients))
        bundle = base64.b64encode(held.bundle).decode("ascii")
        if any(client.ca_bundle != bundle for client in clients):
            await self._client.replace(path, _with_bundle(configuration, bundle))
            log.info("the API server was told whom to trust about the admission webhook")
        if self._shown is None or (self._announced == held.pair and self._shown != held.pair):
            self._shown = held.pair
            self._show(held.pair)
        self._announced = held.pair

    async def _try(self) -> bool:
        """Look once; say whether no other replica was quicker, in which case what it wrote is to be looked at."""
        trouble = ""
        try:
            await self.step()
        except ConflictError:
            return False
        except ForbiddenError as error:
            trouble = f"{error}; docs/admission.md names the RBAC rules"
        except (ClusterError, msgspec.DecodeError, ValueError) as error:
            trouble = str(error)
        except Exception:
            log.exception("a fault of our own; the certificate stays as it is")
        self._tell(trouble)
        return True

    def _tell(self, trouble: str) -> None:
        """Say once what is wrong, however long it lasts."""
        if trouble and trouble != self._trouble:
            log.warning("the certificate of the admission webhook cannot be looked after: %s", trouble)
        self._trouble = trouble

    async def _agree(self, names: tuple[str, ...]) -> _Held:
        """Give what the Secret holds; make or replace it where that will not do for these names, or not for long."""
        namespace, _, name = self._named.secret.partition("/")
        try:
            there = msgspec.json.decode(await self._client.get(SECRETS.path(namespace, name)), type=Plain)
        except NotFoundError:
            held = self._issue(names, ())
            metadata = {"name": name, "namespace": namespace}
            await self._client.create(SECRETS.path(namespace), _secret(metadata, held))
            return self._said(held, "made")
        held_there = _read(there)
        if held_there and self._will_do(held_there, names):
            return held_there
        held = self._issue(names, held_there.authorities[:1] if held_there else ())
        # The resourceVersion goes with it: the server refuses if another replica was quicker.
        await self._client.replace(SECRETS.path(namespace, name), {**there, **_secret(there["metadata"], held)})
        return self._said(held, "renewed" if held_there else "made")

    def _said(self, held: _Held, done: str) -> _Held:
        log.info("the certificate of the admission webhook was %s: Secret %s", done, self._named.secret)
        return held

    def _issue(self, names: tuple[str, ...], before: tuple[bytes, ...]) -> _Held:
        authority = Authority("sevengate-webhook", self._valid)
        return _Held(authority.server(names, "sevengate-webhook"), (authority.certificate, *before))

    def _will_do(self, held: _Held, names: tuple[str, ...]) -> bool:
        left = held.lives_until() - datetime.now(UTC)
        return left > self._valid * RENEWED and set(names) <= _names_in(held.pair)


def _names(clients: Iterable[_ClientConfig]) -> tuple[str, ...]:
    """Give the names under which the API server calls these webhooks."""
    called = (f"{one.service.name}.{one.service.namespace}.svc" if one.service else _host(one.url) for one in clients)
    return tuple(dict.fromkeys(name for name in called if name))


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""


def _with_bundle(configuration: bytes, bundle: str) -> Plain:
    """Write the authorities where the API server looks for them; the resourceVersion goes with it."""
    plain: Plain = msgspec.json.decode(configuration)
    for hook in plain["webhooks"]:
        hook["clientConfig"]["caBundle"] = bundle
    return plain


def _secret(metadata: Plain, held: _Held) -> Plain:
    content = {"ca.crt": held.bundle, "tls.crt": held.pair.certificate, "tls.key": held.pair.key}
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": metadata,
        # No kubernetes.io/tls: those are for hosts of Ingresses.
        "type": "Opaque",
        "data": {field: base64.b64encode(text).decode("ascii") for field, text in content.items()},
    }


def _read(secret: Plain) -> _Held | None:
    """Give what a Secret holds, or None where that is not what we would have written."""
    data = secret.get("data") or {}
    try:
        bundle, chain, key = (base64.b64decode(data[field]) for field in ("ca.crt", "tls.crt", "tls.key"))
        authorities = x509.load_pem_x509_certificates(bundle)
        certificate = x509.load_pem_x509_certificate(chain)
        certificate.verify_directly_issued_by(authorities[0])
        if _public(load_pem_private_key(key, None)) != _public_of(certificate):
            return None
    except (KeyError, TypeError, ValueError, binascii.Error, InvalidSignature, UnsupportedAlgorithm):
        return None
    return _Held(Pair(chain, key), tuple(one.public_bytes(Encoding.PEM) for one in authorities))


def _names_in(pair: Pair) -> set[str]:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def _public(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public


def _public_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
