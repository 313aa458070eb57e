"""What an Ingress's status ought to say: whether it is served.

Takes a Reading and all diagnostics of its Ingress. An Ingress that is not ours has no status from us; the addresses
to write into the others' are known to the cluster's edge alone, not to the compiler.
"""

from collections.abc import Iterable
from enum import StrEnum

from sevengate.compiler.claims import Reading
from sevengate.diagnostics import Diagnostic, Severity


class Status(StrEnum):
    """How much of an Ingress is served: everything, not everything as asked for (its errors say what), or nothing."""

    SERVED = "served"
    DEGRADED = "degraded"
    REFUSED = "refused"


def status_of(reading: Reading, diagnostics: Iterable[Diagnostic]) -> Status | None:
    """Give the status of an Ingress, or None if it is not ours."""
    if reading.claimant is None:
        return None
    if not any(claims.claims or claims.fallback for claims in reading.hosts.values()):
        return Status.REFUSED
    if any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics):
        return Status.DEGRADED
    return Status.SERVED
