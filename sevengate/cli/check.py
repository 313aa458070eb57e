"""`sevengate check`: everything that is wrong with manifests, each complaint at its file and line.

The lines have the form that editors and CI systems know from compilers: `file:line: severity: message [code]`, the hint
below, indented.
"""

import sys
from typing import Any

import click

from sevengate.cli.manifests import Finding, read, summary
from sevengate.cli.output import Status, output_option, paths_argument, remark, say, say_json
from sevengate.diagnostics import ObjectRef, Severity


@click.command()
@paths_argument
@output_option
def check(paths: tuple[str, ...], output: str) -> None:
    """Say what is wrong with manifests. Exits with 1 if there are errors; warnings and notices are no errors."""
    reading = read(paths)
    if output == "json":
        say_json([plain_finding(finding) for finding in reading.findings])
    else:
        for finding in reading.findings:
            say_finding(finding)
        remark(summary(reading.findings) or "nothing to complain about")
    sys.exit(Status.FAILED if reading.count(Severity.ERROR) else Status.FINE)


def say_finding(finding: Finding) -> None:
    """Print a complaint as a line, and its hint below."""
    diagnostic = finding.diagnostic
    line = f"{finding.place}: {diagnostic.severity}: {diagnostic.message} [{diagnostic.code}]"
    say(line, diagnostic.severity)
    if diagnostic.hint:
        say(f"    {diagnostic.hint}", "faint")


def plain_finding(finding: Finding) -> dict[str, Any]:
    """Give a complaint for JSON."""
    diagnostic, origin = finding.diagnostic, finding.origin
    return {
        "file": origin.file if origin else None,
        "line": origin.line if origin else None,
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "object": plain_object(diagnostic.where.object),
        "field": diagnostic.where.field,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "winner": plain_object(diagnostic.winner),
    }


def plain_object(ref: ObjectRef | None) -> dict[str, str] | None:
    """Give an object's name for JSON."""
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name} if ref else None
