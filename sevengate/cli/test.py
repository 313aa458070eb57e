"""`sevengate test`: requests and what ought to become of them, judged without a cluster, or by a real NGINX too."""

import sys
from pathlib import Path
from typing import Any

import click

from sevengate.cli.compiled import compiled_options, take_compiled
from sevengate.cli.expectations import BrokenExpectations, Case, read_cases
from sevengate.cli.go import GoCommand
from sevengate.cli.junit import junit_xml
from sevengate.cli.manifests import read_for_answer
from sevengate.cli.output import Status, output_option, paths_argument, remark, say, say_json
from sevengate.cli.time_limit import TooSlowError, time_limit
from sevengate.cli.verdicts import Verdict, judge
from sevengate.routing.table import RoutingTable


@click.command(cls=GoCommand)
@paths_argument
@click.option(
    "--expect",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The YAML file of requests and what is expected of them.",
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JUnit XML too.")
@click.option("--live", is_flag=True, help="Send the requests through a real NGINX as well.")
@compiled_options
@output_option
def test(paths: tuple[str, ...], expect: Path, junit: Path | None, output: str, **asked: Any) -> None:
    """Compare what becomes of requests with what is expected. Exits with 1 if an expectation is not met."""
    cases = _cases(expect)
    table = read_for_answer(paths, take_compiled(asked)).compilation.table
    verdicts = _verdicts(table, cases, live=asked["live"])
    if junit:
        _write(junit, junit_xml(verdicts, str(expect)))
    if output == "json":
        say_json([plain_verdict(verdict, str(expect)) for verdict in verdicts])
    else:
        for verdict in verdicts:
            say_verdict(verdict, str(expect))
        remark(f"{sum(not verdict.failures for verdict in verdicts)} of {len(verdicts)} as expected")
    sys.exit(Status.FAILED if any(verdict.failures for verdict in verdicts) else Status.FINE)


def say_verdict(verdict: Verdict, file: str) -> None:
    """Print a verdict as a line, and below it what was not met."""
    if not verdict.failures:
        say(f"pass  {verdict.case.name}", "good")
        return
    say(f"FAIL  {verdict.case.name} ({file}:{verdict.case.line})", "error")
    for failure in verdict.failures:
        say(f"      {failure}")


def plain_verdict(verdict: Verdict, file: str) -> dict[str, Any]:
    """Give a verdict for JSON."""
    return {
        "name": verdict.case.name,
        "file": file,
        "line": verdict.case.line,
        "passed": not verdict.failures,
        "failures": list(verdict.failures),
    }


def _cases(file: Path) -> tuple[Case, ...]:
    try:
        return read_cases(file.read_text(encoding="utf-8"), str(file))
    except BrokenExpectations as broken:
        remark(str(broken))
    except (OSError, UnicodeDecodeError) as error:
        remark(f"{file}: error: {error}")
    sys.exit(Status.USAGE)


def _verdicts(table: RoutingTable, cases: tuple[Case, ...], *, live: bool) -> list[Verdict]:
    verdicts = [_verdict(table, case) for case in cases]
    if not live:
        return verdicts
    # asyncio and all that drives NGINX are imported only where they are asked for.
    from sevengate.cli.live import ask, can_be_played
    from sevengate.run import NginxError

    unplayed = sum(not can_be_played(case.request) for case in cases)
    if unplayed:
        remark(f"{unplayed} of {len(cases)} cases come from addresses that are not of 127.0.0.0/8: judged offline only")
    # What NGINX answers can only be judged where the matcher has an answer too.
    judged = [verdict for verdict in verdicts if not verdict.given_up]
    try:
        answers = iter(ask(table, [verdict.case for verdict in judged]))
    except NginxError as error:
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)
    return [v if v.given_up else Verdict(v.case, v.failures + next(answers)) for v in verdicts]


def _verdict(table: RoutingTable, case: Case) -> Verdict:
    try:
        with time_limit():
            return judge(table, case)
    except TooSlowError as slow:
        return Verdict(case, (str(slow),), given_up=True)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
