"""Manifests on the command line become a compiled routing table, and all that was found wrong, at file and line.

Takes paths; gives a Reading. Reading files is files.py's work and translating them the compiler's; this module brings
the complaints of both together, in the order in which a person walks through the files. A command that is not about
complaints says in one line that there are some, and `sevengate check` says which.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain

import msgspec

from sevengate.cli.output import remark
from sevengate.compiler.compile import Compilation, compile_all
from sevengate.diagnostics import Diagnostic, Origin, Severity
from sevengate.files import Manifests, load
from sevengate.settings import Options

_SEVERITIES = tuple(Severity)


class Finding(msgspec.Struct, frozen=True):
    """A Diagnostic and where it stands in the files, None for what stands in none."""

    diagnostic: Diagnostic
    origin: Origin | None

    @property
    def place(self) -> str:
        """The file and line, or the object's name where there are none."""
        return str(self.origin or self.diagnostic.where.object or "manifests")


class Reading(msgspec.Struct, frozen=True):
    """What a command's manifests come to."""

    compilation: Compilation
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """Count the findings of one severity."""
        return sum(finding.diagnostic.severity is severity for finding in self.findings)


def read(paths: Sequence[str], options: Options) -> Reading:
    """Read and compile manifests."""
    manifests = load(paths, stdin=sys.stdin)
    compilation = compile_all(manifests.snapshot, options, datetime.now(UTC))
    found = chain(manifests.diagnostics, *compilation.diagnostics.values())
    return Reading(compilation, _located(manifests, found))


def read_for_answer(paths: Sequence[str], options: Options) -> Reading:
    """Read and compile manifests for a command that is about something else, and remark on what is wrong with them."""
    reading = read(paths, options)
    if sum(reading.count(severity) for severity in (Severity.ERROR, Severity.WARNING)):
        remark(f"{summary(reading.findings)} in the manifests: sevengate check {' '.join(paths)}")
    return reading


def summary(findings: Iterable[Finding]) -> str:
    """Count findings in words: `2 errors, 1 warning`."""
    counted = Counter(finding.diagnostic.severity for finding in findings)
    return ", ".join(_counted(counted[severity], severity) for severity in _SEVERITIES if counted[severity])


def _counted(number: int, severity: Severity) -> str:
    return f"{number} {severity}{'' if number == 1 else 's'}"


def _located(manifests: Manifests, diagnostics: Iterable[Diagnostic]) -> tuple[Finding, ...]:
    findings = {Finding(diagnostic, manifests.locate(diagnostic.where)) for diagnostic in diagnostics}
    return tuple(sorted(findings, key=_walk))


def _walk(finding: Finding) -> tuple[str, int, int, str, str]:
    origin, diagnostic = finding.origin, finding.diagnostic
    file, line = (origin.file, origin.line) if origin else ("", 0)
    return (file, line, _SEVERITIES.index(diagnostic.severity), diagnostic.code, diagnostic.message)
