"""`sevengate routes`: the routing table that manifests come to."""

from typing import Any

import click

from sevengate.cli.compiled import compiled_options, take_compiled
from sevengate.cli.go import GoCommand
from sevengate.cli.manifests import read_for_answer
from sevengate.cli.output import output_option, paths_argument, say, say_json
from sevengate.routing.plain import plain_table
from sevengate.routing.text import table_text


@click.command(cls=GoCommand)
@paths_argument
@compiled_options
@output_option
def routes(paths: tuple[str, ...], output: str, **compiled: Any) -> None:
    """Print the routing table: hosts, their rules in order of precedence, backends and certificates."""
    table = read_for_answer(paths, take_compiled(compiled)).compilation.table
    if output == "json":
        say_json(plain_table(table))
        return
    for line in table_text(table).splitlines():
        say(line, "title" if line and not line.startswith(" ") else "")
