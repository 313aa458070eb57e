"""`python -m bench`: asks the questions, prints each answer's table, and writes it down."""

import os
import signal
import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import Final

import click

from bench import (
    admission,
    compiling,
    endpoint_change,
    from_api_server,
    handshakes,
    ingress_change,
    lab,
    memory,
    routing,
)
from bench.answers import README, Answer, Result, keep, readme, table, this_machine
from bench.scale import FULL, QUICK

#: The questions, in the order of README.md.
QUESTIONS: Final[dict[str, ModuleType]] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        routing,
        compiling,
        ingress_change,
        endpoint_change,
        handshakes,
        memory,
        admission,
        from_api_server,
        lab,
    )
}


@click.command()
@click.argument("only", nargs=-1, type=click.Choice(list(QUESTIONS)))
@click.option("--quick", is_flag=True, help="Measure next to nothing, and write nothing down: does the bench work?")
def main(only: tuple[str, ...], *, quick: bool) -> None:
    """Answer the questions that are named, or all."""
    # What was started ends in `finally` and `with`, so a signal must be an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name in only or QUESTIONS:
        module = QUESTIONS[name]
        click.echo(f"{name}: {module.QUESTION}")
        load, _, _ = os.getloadavg()
        answer: Answer = module.answer(QUICK if quick else FULL)
        click.echo("\n".join((table(answer.figures), *answer.notes, "")))
        if not quick:
            date = datetime.now(UTC).date().isoformat()
            keep(Result(name, module.QUESTION, answer, this_machine(load), date))
    if not quick:
        README.write_text(readme(QUESTIONS), encoding="utf-8")


if __name__ == "__main__":
    main()
