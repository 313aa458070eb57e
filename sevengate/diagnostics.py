"""Every complaint is a value that knows its object and field.

A Diagnostic is born in the pure core and read by the edges: `sevengate check` prints it with file and line, a status or
an Event carries it, an admission answer denies with it, a metric counts its code. So it says what is wrong and where,
and never how it will be shown. CODES is the whole list of what can be complained about; the page docs/diagnostics.md is
made from it.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

import msgspec


class Severity(StrEnum):
    """How bad: an error is not served as asked, a warning is served but not as one may think, a notice informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class ObjectRef(msgspec.Struct, frozen=True, order=True, gc=False):
    """The name of one Kubernetes object; its text is `Ingress default/shop`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Origin(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place in a file: its path as the user gave it, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Where(msgspec.Struct, frozen=True, gc=False):
    """What a diagnostic is about: an object and a field of it, or, before there is an object, a place in a file.

    `field` is a path as Kubernetes writes it: `spec.rules[0].http.paths[1].backend`, and for one annotation
    `metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]`.
    """

    object: ObjectRef | None = None
    field: str = ""
    origin: Origin | None = None

    def at(self, field: str) -> "Where":
        """Give the same place one field deeper: `.name` or `[3]` is appended to the path."""
        joint = "" if not self.field or field.startswith("[") else "."
        return Where(self.object, f"{self.field}{joint}{field}", self.origin)

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.origin, self.object, self.field) if part)


class Diagnostic(msgspec.Struct, frozen=True, gc=False):
    """One complaint. `winner` is the object that was preferred, where a conflict is what it is about."""

    severity: Severity
    code: str
    where: Where
    message: str
    hint: str = ""
    winner: ObjectRef | None = None

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message} [{self.code}]"


class Report:
    """Collects diagnostics while one thing is read or compiled; it only ever grows."""

    def __init__(self) -> None:
        self._diagnostics: list[Diagnostic] = []

    def error(self, code: str, where: Where, message: str, *, hint: str = "", winner: ObjectRef | None = None) -> None:
        """Say that something is not served as it was asked for."""
        self._add(Severity.ERROR, code, where, message, hint, winner)

    def warning(
        self, code: str, where: Where, message: str, *, hint: str = "", winner: ObjectRef | None = None
    ) -> None:
        """Say that something is served, but not as its author may think."""
        self._add(Severity.WARNING, code, where, message, hint, winner)

    def notice(self, code: str, where: Where, message: str, *, hint: str = "") -> None:
        """Say something that is good to know."""
        self._add(Severity.NOTICE, code, where, message, hint, None)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Take over what another report found."""
        self._diagnostics.extend(diagnostics)

    def done(self) -> tuple[Diagnostic, ...]:
        """Give what was collected, in the order in which it was found."""
        return tuple(self._diagnostics)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._diagnostics)

    def __len__(self) -> int:
        return len(self._diagnostics)

    def _add(  # noqa: PLR0913, PLR0917 - the private joint of three public verbs with the same words
        self, severity: Severity, code: str, where: Where, message: str, hint: str, winner: ObjectRef | None
    ) -> None:
        if code not in CODES:
            raise ValueError(f"diagnostic code {code!r} is not in the table CODES")
        self._diagnostics.append(Diagnostic(severity, code, where, message, hint, winner))


#: What can be complained about: the code, and one sentence of what it means. Sorted by room, then by name.
CODES: Final[dict[str, str]] = {
    # reading manifests
    "manifest/unreadable": "The file cannot be opened or is not UTF-8 text.",
    "manifest/syntax": "The file is not YAML (1.1, as kubectl reads it) or JSON.",
    "manifest/duplicate-key": "A mapping holds the same key twice; kubectl refuses such a file.",
    "manifest/not-an-object": "A document is not a Kubernetes object: apiVersion, kind or metadata.name is missing.",
    "manifest/wrong-type": "A field holds a value of another type than the Kubernetes API says.",
    "manifest/unknown-kind": "An object of a kind that Sevengate does not read; it is passed over.",
    "manifest/old-version": "An object of an API version that clusters no longer serve; it is converted.",
    "manifest/not-rewritten": "An object of an old version that `check --fix` cannot rewrite; its file stays as it is.",
    "manifest/class-annotation": "A rewritten Ingress still names its class by the old annotation.",
    "manifest/duplicate-object": "The same object is defined twice; the later definition is used.",
    "manifest/too-large": "Text or nesting of a size that no API server would take.",
    "manifest/nothing-found": "A path holds no manifest at all.",
    "manifest/kept": "An edit cannot be read; what was last read from the file is used until it can.",
    # reading an API server
    "cluster/forbidden": "No RBAC rule lets Sevengate read objects of a kind; the message names the rule.",
    "cluster/kept": "An object of the API server cannot be read; what was last read of it is used until it can.",
    "cluster/unknown-kind": "The API server does not serve a kind that Sevengate reads.",
    # names and fields of Kubernetes objects
    "object/invalid-name": "A name is not one that the Kubernetes API allows.",
    "object/invalid-value": "A field's value is not one that the Kubernetes API allows.",
    # Ingress
    "ingress/other-class": "The Ingress belongs to another controller's class and is not served.",
    "ingress/no-class": "The Ingress names no class, and Ingresses without one are not served.",
    "ingress/class-not-found": "spec.ingressClassName names an IngressClass that does not exist.",
    "ingress/catch-all-disabled": "The Ingress has a default backend, and --disable-catch-all forbids that.",
    "ingress/invalid-host": "A rule's host is not a DNS name, nor a wildcard of one label.",
    "ingress/invalid-path": "A path is not absolute, is too long, or holds what can never be matched.",
    "ingress/resource-backend": "A backend that is a resource and not a Service cannot be served.",
    "ingress/conflict": "Another object claims the same host and path, and wins.",
    "ingress/regex-host": "One path of this host uses regular expressions, so all of its paths become ones.",
    "ingress/empty": "The Ingress has neither a rule with a path nor a default backend.",
    # Services
    "backend/service-not-found": "The Service does not exist; requests get 503.",
    "backend/port-not-found": "The Service has no such port; requests get 503.",
    "backend/no-endpoints": "The Service has no ready endpoints; requests get 503.",
    "backend/external-name": "An ExternalName that must not or cannot be used.",
    # certificates
    "tls/secret-not-found": "The Secret does not exist; the default certificate is served.",
    "tls/invalid-certificate": "The Secret holds no certificate that can be read; the default certificate is served.",
    "tls/key-mismatch": "The private key does not belong to the certificate; the default certificate is served.",
    "tls/expired": "The certificate has expired; it is served all the same.",
    "tls/not-yet-valid": "The certificate is not valid yet; it is served all the same.",
    "tls/host-not-covered": "The certificate does not name the host; the default certificate is served.",
    # annotations
    "annotation/unknown": "No annotation of this name is known.",
    "annotation/unsupported": "A known annotation of ingress-nginx that Sevengate does not carry out yet.",
    "annotation/invalid-value": "An annotation's value is not one that it can take.",
    "annotation/no-effect": "An annotation that does nothing here.",
    "annotation/closed": "A value that guards access cannot be honoured, so the route is closed.",
    # canaries
    "canary/no-primary": "A canary Ingress has no main Ingress with the same host and path; it serves nothing.",
    "canary/second": "A second canary for the same path; only one can be in effect.",
    # settings
    "setting/config-map-not-found": "The ConfigMap with the settings does not exist; all have their defaults.",
    "setting/unknown": "No ConfigMap key of this name is known.",
    "setting/unsupported": "A known ConfigMap key of ingress-nginx that Sevengate does not carry out yet.",
    "setting/closed": "A setting that guards access cannot be honoured, so every route is closed.",
    "setting/invalid-value": "A setting's value is not one that it can take; the default is used.",
}
