"""`sevengate check`: everything that is wrong with manifests, each complaint at its file and line.

The lines have the form that editors and CI systems know from compilers: `file:line: severity: message [code]`, the hint
below, indented. With `--fix` it rewrites objects of old versions first (fixing.py), and then says what is left.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from sevengate.cli.compiled import compiled_options, take_compiled
from sevengate.cli.fixing import fix as fix_files
from sevengate.cli.go import GoCommand
from sevengate.cli.manifests import Finding, read, summary
from sevengate.cli.output import Status, output_option, paths_argument, remark, say, say_json
from sevengate.diagnostics import ObjectRef, Severity

#: How the lines of a diff look on a terminal.
_DIFF_KINDS: Final = {"+": "good", "-": "error", "@": "notice"}
#: The rest of what is found while files are rewritten is found again when they are read.
_ABOUT_FIXING: Final = frozenset({"manifest/not-rewritten", "manifest/class-annotation"})


@click.command(cls=GoCommand)
@paths_argument
@click.option(
    "--fix", is_flag=True, help="Rewrite Ingresses of old API versions to networking.k8s.io/v1 in their files first."
)
@compiled_options
@output_option
def check(paths: tuple[str, ...], fix: bool, output: str, **compiled: Any) -> None:
    """Say what is wrong with manifests. Exits with 1 if there are errors; warnings and notices are no errors."""
    left = _fixed(paths, is_shown=output == "text") if fix else ()
    findings = (*left, *read(paths, take_compiled(compiled)).findings)
    if output == "json":
        say_json([plain_finding(finding) for finding in findings])
    else:
        for finding in findings:
            say_finding(finding)
        remark(summary(findings) or "nothing to complain about")
    has_errors = any(finding.diagnostic.severity is Severity.ERROR for finding in findings)
    sys.exit(Status.FAILED if has_errors else Status.FINE)


def _fixed(paths: Sequence[str], *, is_shown: bool) -> tuple[Finding, ...]:
    """Rewrite the files, print what changed, and give what kept them from being rewritten or is left to think of."""
    if "-" in paths:
        raise click.UsageError("--fix rewrites files, and - is none")
    found: list[Finding] = []
    files = objects = 0
    try:
        for fixed in fix_files(paths):
            files, objects = files + (fixed.count > 0), objects + fixed.count
            found += (Finding(one, one.where.origin) for one in fixed.diagnostics if one.code in _ABOUT_FIXING)
            for line in fixed.diff if is_shown else ():
                say(line, _DIFF_KINDS.get(line[:1], ""))
    except OSError as error:
        remark(f"error: {error.filename} cannot be rewritten: {error.strerror}")
        sys.exit(Status.USAGE)
    remark(f"{objects} object{'' if objects == 1 else 's'} rewritten in {files} file{'' if files == 1 else 's'}")
    return tuple(found)


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
