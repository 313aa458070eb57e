"""Serves /metrics: what the controller has done, and what NGINX shows of itself.

`Progress` is told of each Generation and gives the families OF_CONTROLLER of metrics.py; `metrics_page` joins them with
those of reviews (admission.py) and of NGINX (nginx/instruments.py), piece by piece, since there may be very many. Which
labels say who we are, and whether we lead, is known in run.py.
"""

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from sevengate import __version__
from sevengate.compiler.compile import Compilation
from sevengate.controller import Generation
from sevengate.diagnostics import Diagnostic, ObjectRef
from sevengate.metrics import INHERITED, OF_CONTROLLER, Sample, histogram, written
from sevengate.routing.table import DEFAULT_CERTIFICATE, Certificate, RoutingTable
from sevengate.web.serving import MakePage, Page

#: The text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds: bounds of the buckets of sevengate_event_to_live_seconds.
EVENT_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_KEYS: Final[dict[type, str]] = {
    rsa.RSAPublicKey: "RSA",
    ec.EllipticCurvePublicKey: "ECDSA",
    ed25519.Ed25519PublicKey: "Ed25519",
    ed448.Ed448PublicKey: "Ed448",
    dsa.DSAPublicKey: "DSA",
}

Samples = list[Sample]


class Instruments(Protocol):
    """What reads NGINX: nginx.instruments.Instruments."""

    def text(self, constant: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Give the families of NGINX as text."""
        ...


class Counted(Protocol):
    """What has counted something: Progress, admission.Reviews."""

    def text(self, constant: Mapping[str, str]) -> str:
        """Give its families as text."""
        ...


class Progress:
    """What became of all rounds so far. `election` names the Lease, and `leads` says whether we hold it."""

    def __init__(self, class_name: str, election: str = "", leads: Callable[[], bool] = lambda: False) -> None:
        self._election = election
        self._leads = leads
        self._generation: Generation | None = None
        self._diagnostics: tuple[Diagnostic, ...] = ()
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._live_at = 0.0
        self._waits = [0] * (len(EVENT_BOUNDS) + 1)
        self._waited = 0.0
        self._certificates = _Certificates(class_name)

    def take(self, generation: Generation, diagnostics: Iterable[Diagnostic]) -> None:
        """Take note of a round, and of all that there is to complain of after it."""
        applied = generation.applied
        self._generation, self._diagnostics = generation, tuple(diagnostics)
        self._counts["errors"] += bool(applied.problem or applied.refused)
        self._counts["success"] += applied.reloaded
        self._reasons.update(applied.causes)
        if applied.problem:
            return
        self._live_at = time.time()
        if applied.pushed or applied.deleted:
            self._counts["pushes"] += 1
            self._counts["documents"] += applied.pushed + applied.deleted
            self._counts["bytes"] += applied.bytes
        if generation.waited is not None and (applied.pushed or applied.deleted or applied.reloaded):
            self._waits[bisect.bisect_left(EVENT_BOUNDS, generation.waited)] += 1
            self._waited += generation.waited

    def text(self, constant: Mapping[str, str]) -> str:
        """Give all families of the controller."""
        found, texts = self._of_rounds(), dict[str, str]()
        if self._generation:
            found |= self._of_what_is_served(self._generation.compilation)
            texts = self._certificates.written(self._generation.compilation.table)
        return "".join(texts.get(name) or written(name, found.get(name, ()), constant) for name in OF_CONTROLLER)

    def _of_rounds(self) -> dict[str, Samples]:
        applied = self._generation.applied if self._generation else None
        return {
            f"{INHERITED}build_info": [Sample(1, {"release": __version__})],
            f"{INHERITED}success": [Sample(self._counts["success"])],
            f"{INHERITED}errors": [Sample(self._counts["errors"])],
            f"{INHERITED}config_last_reload_successful": [
                Sample(applied is not None and not (applied.problem or applied.refused))
            ],
            f"{INHERITED}config_last_reload_successful_timestamp_seconds": [Sample(self._live_at)],
            f"{INHERITED}leader_election_status": (
                [Sample(self._leads(), {"name": self._election})] if self._election else []
            ),
            "sevengate_reloads_total": [Sample(number, {"reason": why}) for why, number in list(self._reasons.items())],
            "sevengate_pushes_total": [Sample(self._counts["pushes"])],
            "sevengate_pushed_documents_total": [Sample(self._counts["documents"])],
            "sevengate_pushed_bytes_total": [Sample(self._counts["bytes"])],
            "sevengate_event_to_live_seconds": histogram(self._waits, EVENT_BOUNDS, self._waited),
        }

    def _of_what_is_served(self, compilation: Compilation) -> dict[str, Samples]:
        codes = Counter((str(found.severity), found.code) for found in self._diagnostics)
        return {
            f"{INHERITED}orphan_ingress": _orphans(self._diagnostics, compilation.table),
            "sevengate_diagnostics": [
                Sample(number, {"severity": severity, "code": code}) for (severity, code), number in codes.items()
            ],
            "sevengate_ingresses": [
                Sample(number, {"status": status}) for status, number in Counter(compilation.statuses.values()).items()
            ],
        }


def metrics_page(counted: Iterable[Counted], instruments: Instruments, constant: Mapping[str, str]) -> MakePage:
    """Give the page /metrics; `constant` holds the labels that say which controller this is."""

    async def pieces() -> AsyncIterator[bytes]:
        # With ten thousand certificates this takes a while, and what is live must not wait for it.
        for one in counted:
            yield (await asyncio.to_thread(one.text, constant)).encode()
        async for piece in instruments.text(constant):
            yield piece

    async def make() -> Page:
        return Page(pieces(), content_type=CONTENT_TYPE)

    return make


def _orphans(diagnostics: Iterable[Diagnostic], table: RoutingTable) -> Samples:
    lost = (found.where.object for found in diagnostics if found.code == "backend/service-not-found")
    why = {
        **dict.fromkeys(_without_endpoints(table), "no-endpoint"),
        **{ref: "no-service" for ref in lost if ref and ref.kind == "Ingress"},
    }
    return [Sample(1, {"ingress": ref.name, "namespace": ref.namespace, "type": reason}) for ref, reason in why.items()]


def _without_endpoints(table: RoutingTable) -> Iterator[ObjectRef]:
    """Give the Ingresses of routes that lead to nothing but Backends without endpoints."""
    empty = {name for name, backend in table.backends.items() if not backend.endpoints}
    for host in table.hosts.values() if empty else ():
        for route in host.routes:
            if route.backends and all(share.backend in empty for share in route.backends):
                yield route.source.object


class _Certificates:
    """Says of each server name what certificate it has; what was read and written is kept while it is so."""

    def __init__(self, class_name: str) -> None:
        self._class_name = class_name
        self._read: dict[Certificate, dict[str, str]] = {}
        self._of: tuple[object, ...] = ()
        self._written: dict[str, str] = {}

    def written(self, table: RoutingTable) -> dict[str, str]:
        """Give the two families as text, by their names."""
        of = (table.certificates, table.server_names)
        if not self._of or any(one is not other for one, other in zip(of, self._of, strict=True)):
            self._read = {one: self._read.get(one) or _read(one) for one in table.certificates.values()}
            served = [(self._labels(host, one), one) for host, one in _by_host(table)]
            expiries = [Sample(_unix_time(one), labels) for labels, one in served if one.not_after]
            issuers = [Sample(1, {**labels, **self._read[one]}) for labels, one in served]
            families = {f"{INHERITED}ssl_expire_time_seconds": expiries, f"{INHERITED}ssl_certificate_info": issuers}
            self._written = {name: written(name, samples, {}) for name, samples in families.items()}
            self._of = of
        return self._written

    def _labels(self, host: str, certificate: Certificate) -> dict[str, str]:
        namespace, _, secret = certificate.name.partition("/")
        return {
            "class": self._class_name,
            "host": host,
            "identifier": self._read[certificate]["serial_number"],
            "namespace": namespace,
            "secret_name": secret,
        }


def _by_host(table: RoutingTable) -> list[tuple[str, Certificate]]:
    found = [
        (server_name, table.certificates[name])
        for server_name, name in table.server_names.items()
        if name in table.certificates
    ]
    default = table.certificates.get(DEFAULT_CERTIFICATE)
    return [("_", default), *found] if default else found


def _unix_time(certificate: Certificate) -> float:
    return datetime.fromisoformat(certificate.not_after).timestamp()


def _read(certificate: Certificate) -> dict[str, str]:
    """Read what a certificate's labels say; the chain was parsed before it was served, so it can be."""
    leaf = x509.load_pem_x509_certificate(certificate.chain)
    key = leaf.public_key()
    return {
        "issuer_common_name": _attribute(leaf.issuer, x509.NameOID.COMMON_NAME),
        "issuer_organization": _attribute(leaf.issuer, x509.NameOID.ORGANIZATION_NAME),
        "public_key_algorithm": next((name for kind, name in _KEYS.items() if isinstance(key, kind)), ""),
        "serial_number": str(leaf.serial_number),
    }


def _attribute(name: x509.Name, attribute: x509.ObjectIdentifier) -> str:
    return next((str(found.value) for found in name.get_attributes_for_oid(attribute)), "")
