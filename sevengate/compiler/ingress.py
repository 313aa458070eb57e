"""An Ingress -> a Reading: its Claims, by host.

Takes one Ingress, and of the Snapshot only the Services and Secrets that it names; gives all that can be said without
looking at another Ingress. Annotations are read by annotations/registry.py, backends by references.py, the tls
section by tls.py. What is invalid falls alone: a bad path loses its Claim, a bad host its rule, and each says so. Who
wins where Claims meet is merge.py's affair. Source: https://kubernetes.io/docs/concepts/services-networking/ingress/.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sevengate.annotations import registry
from sevengate.compiler.claims import BackendRef, Claim, Claimant, HostClaims, Reading, ServerName, seniority
from sevengate.compiler.classes import ClassSelection
from sevengate.compiler.references import ReferenceReader, lacks_cluster_ip
from sevengate.compiler.tls import TLSReader
from sevengate.compiler.validation import host_fault, path_fault, shown
from sevengate.diagnostics import Report, Where
from sevengate.kube.objects import Ingress, IngressBackend, IngressPath, PathType
from sevengate.kube.snapshot import Snapshot
from sevengate.routing.table import ANY_HOST, PathKind, PathMatch
from sevengate.settings import Options, Settings

_ROOT: Final = PathMatch(PathKind.PREFIX, "/")
_KINDS: Final = {
    PathType.EXACT: PathKind.EXACT,
    PathType.PREFIX: PathKind.PREFIX,
    # The controller's to define; ingress-nginx takes it for Prefix.
    PathType.IMPLEMENTATION_SPECIFIC: PathKind.PREFIX,
}


class IngressReader:
    """Reads Ingresses against one Snapshot."""

    def __init__(self, snapshot: Snapshot, settings: Settings, options: Options, tls: TLSReader) -> None:
        self._services = snapshot.services
        self._settings = settings
        self._options = options
        self._classes = ClassSelection(snapshot.ingress_classes, options)
        self._references = ReferenceReader(snapshot.services)
        self._tls = tls

    def read(self, ingress: Ingress) -> Reading:
        """Give all that the Ingress wishes for; one that is not ours wishes for nothing."""
        report = Report()
        if not self._classes.selects(ingress, report) or self._is_unwanted_catch_all(ingress, report):
            return Reading(diagnostics=report.done())
        claimant = self._claimant(ingress, report)
        rules = _RuleReader(ingress, claimant, self._references, report)
        hosts = rules.hosts()
        if not any(of.claims or of.fallback for of in hosts.values()):
            _complain_of_emptiness(ingress, report)
        self._complain_of_cluster_ips(ingress, rules.backends, report)
        names, secrets = self._server_names(ingress, claimant, hosts, report)
        return Reading(claimant, hosts, names, secrets, tuple(rules.backends), report.done())

    def _claimant(self, ingress: Ingress, report: Report) -> Claimant:
        metadata, ref, key = ingress.metadata, ingress.ref, ingress.key
        wishes = registry.read(
            metadata.annotations, self._settings, self._options.annotations_prefix, Where(ref), report
        )
        return Claimant(ref, key, seniority(metadata.creation_timestamp, key), wishes)

    def _server_names(
        self, ingress: Ingress, claimant: Claimant, hosts: Mapping[str, HostClaims], report: Report
    ) -> tuple[dict[str, ServerName], tuple[str, ...]]:
        # A canary shares the host of its primary, certificate included.
        if not ingress.tls or claimant.wishes.canary:
            return {}, ()
        secrets = {f"{ingress.metadata.namespace}/{of.secret_name}": None for of in ingress.tls if of.secret_name}
        return self._tls.read(ingress, hosts, report), tuple(secrets)

    def _is_unwanted_catch_all(self, ingress: Ingress, report: Report) -> bool:
        unwanted = self._options.disable_catch_all and ingress.default_backend is not None
        if unwanted:
            report.error(
                "ingress/catch-all-disabled",
                Where(ingress.ref, "spec.defaultBackend"),
                "The Ingress has a default backend and --disable-catch-all is set, so it is not served",
            )
        return unwanted

    def _complain_of_cluster_ips(self, ingress: Ingress, backends: Iterable[BackendRef], report: Report) -> None:
        annotation = f"{self._options.annotations_prefix}/service-upstream"
        if annotation not in ingress.metadata.annotations:
            return
        for ref in backends:
            if lacks_cluster_ip(ref, self._services):
                report.warning(
                    "annotation/no-effect",
                    Where(ingress.ref, f"metadata.annotations[{annotation}]"),
                    f"Service {ref.service_key} has no cluster IP; its endpoints are used instead",
                )


class _RuleReader:
    """Reads the rules and the default backend of one Ingress."""

    def __init__(self, ingress: Ingress, claimant: Claimant, references: ReferenceReader, report: Report) -> None:
        self._ingress = ingress
        self._claimant = claimant
        self._references = references
        self._report = report
        # All that was looked up, each once and in order: also what no Claim leads to, for its absence is complained of.
        self.backends: dict[BackendRef, None] = {}

    def hosts(self) -> dict[str, HostClaims]:
        """Give the Claims by host; a host whose rules hold nothing valid is there with none."""
        found: dict[str, tuple[str, list[Claim]]] = {}
        for index, rule in enumerate(self._ingress.rules):
            host = self._host(rule.host, index)
            if host is not None:
                name = f"{self._claimant.key}/rules/{index}"
                _, claims = found.setdefault(host, (name, []))
                claims += self._claims(rule.paths or (), index)
        backend = self._default_backend()
        if backend and not self._ingress.rules:
            name = self._claimant.key
            return {ANY_HOST: HostClaims(name, (_named(backend, f"{name}/default-backend"),))}
        return {
            host: HostClaims(name, tuple(claims), _named(backend, f"{name}/default-backend") if backend else None)
            for host, (name, claims) in found.items()
        }

    def _host(self, written: str, index: int) -> str | None:
        if not written:
            return ANY_HOST
        host = written.lower()
        if fault := host_fault(host):
            where = Where(self._claimant.ref, f"spec.rules[{index}].host")
            self._report.error("ingress/invalid-host", where, f"{shown(written)} {fault}; the rule is not served")
            return None
        return host

    def _claims(self, paths: tuple[IngressPath | None, ...], rule: int) -> Iterator[Claim]:
        key = self._claimant.key
        for index, written in enumerate(paths):
            field = f"spec.rules[{rule}].http.paths[{index}]"
            if written and (match := self._match(written, f"{field}.path")):
                name = f"{key}/rules/{rule}/paths/{index}"
                yield Claim(self._claimant, name, field, match, self._backend(written.backend, f"{field}.backend"))

    def _match(self, written: IngressPath, field: str) -> PathMatch | None:
        path = written.path
        if not path and written.path_type is PathType.IMPLEMENTATION_SPECIFIC:
            path = "/"
        if fault := path_fault(path, written.path_type):
            where = Where(self._claimant.ref, field)
            self._report.error("ingress/invalid-path", where, f"{shown(path)} {fault}; the path is not served")
            return None
        return PathMatch(_KINDS[written.path_type], path)

    def _default_backend(self) -> Claim | None:
        field = "spec.defaultBackend"
        if self._ingress.default_backend is None:
            return None
        return Claim(self._claimant, "", field, _ROOT, self._backend(self._ingress.default_backend, field))

    def _backend(self, backend: IngressBackend, field: str) -> BackendRef | None:
        claimant = self._claimant
        ref = self._references.read(
            backend,
            claimant.ref.namespace,
            Where(claimant.ref, field),
            self._report,
            by_cluster_ip=claimant.wishes.service_upstream,
        )
        if ref:
            self.backends[ref] = None
        return ref


def _named(claim: Claim, name: str) -> Claim:
    return Claim(claim.claimant, name, claim.field, claim.path, claim.backend)


def _complain_of_emptiness(ingress: Ingress, report: Report) -> None:
    if not any(rule.paths for rule in ingress.rules):
        where = Where(ingress.ref, "spec")
        report.warning("ingress/empty", where, "The Ingress has neither a rule with a path nor a default backend")
