"""The `tls` section of an Ingress -> which certificate it wishes for which server name.

Takes an Ingress, the hosts of its rules and the certificates of the Secrets it names, and gives a ServerName for each
name it has a say in. A wrong Secret never makes a handshake fail: the default certificate is shown, and a diagnostic
tells why. Which of several Ingresses has its way is decided in compile.py, by Standing and age; the names are matched
as ingress-nginx does (extractTLSSecretName: a name that is listed counts before a certificate that happens to cover
the host).
"""

from collections.abc import Collection, Iterator
from datetime import datetime

import msgspec

from sevengate.compiler.certificates import CertificateStore, Fault, KeyPair, covers
from sevengate.compiler.claims import ServerName, Standing
from sevengate.compiler.validation import host_fault, shown
from sevengate.diagnostics import Report, Where
from sevengate.kube.objects import Ingress, IngressTLS
from sevengate.routing.table import ANY_HOST, DEFAULT_CERTIFICATE, Certificate


class TLSReader:
    """Reads the tls entries of Ingresses, with the certificates as they are at one moment."""

    def __init__(self, certificates: CertificateStore, now: datetime) -> None:
        self._certificates = certificates
        self._now = now

    def read(self, ingress: Ingress, rule_hosts: Collection[str], report: Report) -> dict[str, ServerName]:
        """Give the Ingress's wish for each server name: hosts of its rules, and other names that it lists."""
        where = Where(ingress.ref, "spec")
        entries = [
            self._entry(ingress.metadata.namespace, entry, where.at(f"tls[{index}]"), report)
            for index, entry in enumerate(ingress.tls)
        ]
        if not entries:
            return {}
        names = _alone(entries)
        for host in rule_hosts:
            if host != ANY_HOST and (wish := _wish(host, entries)):
                names[host] = wish
        return names

    def _entry(self, namespace: str, entry: IngressTLS, where: Where, report: Report) -> "_Entry":
        hosts = tuple(host.lower() for host in entry.hosts)
        certificate = None
        if entry.secret_name:
            certificate = self._certificate(f"{namespace}/{entry.secret_name}", where.at("secretName"), report)
        for index, host in enumerate(hosts):
            _complain_of_host(host, where.at(f"hosts[{index}]"), report)
            if certificate and not covers(certificate, host):
                report.error(
                    "tls/host-not-covered",
                    where.at(f"hosts[{index}]"),
                    f"The certificate of Secret {certificate.name} does not name {shown(host)}; the default is served",
                    hint=f"it names {', '.join(certificate.names[:5])}" if certificate.names else "it names no host",
                )
        return _Entry(hosts, certificate)

    def _certificate(self, key: str, where: Where, report: Report) -> Certificate | None:
        pair = self._certificates.get(key)
        if pair is None:
            report.error("tls/secret-not-found", where, f"There is no Secret {key}; the default certificate is served")
            return None
        if isinstance(pair.content, Fault):
            report.error(pair.content.code, where, f"{pair.content.message}; the default certificate is served")
            return None
        complain_of_date(pair, self._now, where, report)
        return pair.content


class _Entry(msgspec.Struct, frozen=True):
    hosts: tuple[str, ...]
    certificate: Certificate | None


def complain_of_date(pair: KeyPair, now: datetime, where: Where, report: Report) -> None:
    """Warn of a certificate that has expired or is not valid yet."""
    if now >= pair.not_after:
        report.warning(
            "tls/expired", where, f"The certificate in Secret {pair.secret.key} expired on {pair.not_after:%F}"
        )
    elif now < pair.not_before:
        report.warning(
            "tls/not-yet-valid",
            where,
            f"The certificate in Secret {pair.secret.key} is valid from {pair.not_before:%F}",
        )


def _wish(host: str, entries: list[_Entry]) -> ServerName | None:
    for entry in entries:
        if host in entry.hosts:
            fits = entry.certificate and covers(entry.certificate, host)
            return ServerName(
                Standing.LISTED, entry.certificate.name if entry.certificate and fits else DEFAULT_CERTIFICATE
            )
    for entry in entries:
        if entry.certificate and covers(entry.certificate, host):
            return ServerName(Standing.COVERED, entry.certificate.name)
    # An entry that lists no host is for all of them (API reference, IngressTLS).
    if any(not entry.hosts for entry in entries):
        return ServerName(Standing.COVERED, DEFAULT_CERTIFICATE)
    return None


def _alone(entries: list[_Entry]) -> dict[str, ServerName]:
    """Give the names that a certificate may be shown for whether or not a rule is for them."""
    names: dict[str, ServerName] = {}
    for entry in entries:
        for name in _shown_names(entry):
            names.setdefault(name, ServerName(Standing.ALONE, entry.certificate.name if entry.certificate else ""))
    return names


def _shown_names(entry: _Entry) -> Iterator[str]:
    if entry.certificate:
        listed = entry.hosts or entry.certificate.names
        yield from (name for name in listed if host_fault(name) is None and covers(entry.certificate, name))


def _complain_of_host(host: str, where: Where, report: Report) -> None:
    if fault := host_fault(host):
        report.error("ingress/invalid-host", where, f"{shown(host)} {fault}")
