"""Printing: text that is plain unless a terminal reads it, JSON for programs, and the exit codes of all commands.

Takes lines and what kind of line each is; gives them to standard output. rich is imported only where colours can be
seen, because importing it takes longer than most commands. What a line says is the command's business.
"""

import json
import sys
from enum import IntEnum
from typing import Any, Final

import click

#: The `--output` option of every command that answers a question.
output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or JSON for programs.",
)

#: The PATH arguments of every command that reads manifests.
paths_argument = click.argument("paths", metavar="PATH...", nargs=-1, required=True)

#: How kinds of lines look on a terminal.
_STYLES: Final = {
    "error": "bold red",
    "warning": "yellow",
    "notice": "cyan",
    "title": "bold",
    "good": "green",
    "faint": "dim",
}


class Status(IntEnum):
    """The exit codes; `sevengate --help` says what each means."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3


def say(line: str, kind: str = "") -> None:
    """Print one line; `kind` decides its colour where there are any."""
    if not sys.stdout.isatty():
        click.echo(printable(line))
        return
    from rich.console import Console
    from rich.text import Text

    Console(soft_wrap=True, highlight=False).print(Text(printable(line), _STYLES.get(kind, "")))


def say_json(value: Any) -> None:
    """Print a value as JSON, indented, in ASCII."""
    click.echo(json.dumps(value, indent=2))


def remark(line: str) -> None:
    """Print a line, or several, that are not part of the answer, on standard error."""
    for part in line.split("\n"):
        click.echo(printable(part), err=True)


def printable(line: str) -> str:
    """Show what a terminal would obey, or cannot show, as an escape: manifests and URLs may hold anything."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in line
    )
