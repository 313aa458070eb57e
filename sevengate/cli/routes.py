"""`sevengate routes`: the routing table that manifests come to."""

import click

from sevengate.cli.manifests import read_for_answer
from sevengate.cli.output import output_option, paths_argument, say, say_json
from sevengate.routing.plain import plain_table
from sevengate.routing.text import table_text


@click.command()
@paths_argument
@output_option
def routes(paths: tuple[str, ...], output: str) -> None:
    """Print the routing table: hosts, their rules in order of precedence, backends and certificates."""
    table = read_for_answer(paths).compilation.table
    if output == "json":
        say_json(plain_table(table))
        return
    for line in table_text(table).splitlines():
        say(line, "title" if line and not line.startswith(" ") else "")
