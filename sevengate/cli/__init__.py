"""The command `sevengate`: each subcommand parses its arguments, calls one function of a lower room, and prints.

This room is the top of the house and nobody imports it. What the subcommands share stands beside them: reading
manifests (manifests.py), reading a URL as a request (urls.py), printing (output.py). Text output is plain and stable,
so that it can be compared and searched; it is coloured only on a terminal, and `--output json` is there for programs.
"""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Final

import click

from sevengate import __version__
from sevengate.cli.output import Status

#: The subcommands, and the module and name under which each stands.
COMMANDS: Final = {
    "check": ("check", "check"),
    "controller": ("controller", "controller"),
    "dataplane": ("dataplane", "dataplane"),
    "explain": ("explain", "explain"),
    "keepalived": ("keepalived", "keepalived"),
    "lab": ("lab", "lab"),
    "nginx-conf": ("nginx_conf", "nginx_conf"),
    "routes": ("routes", "routes"),
    "run": ("run", "run"),
    "test": ("test", "test"),
}

EPILOG: Final = f"""\b
Exit codes:
  {Status.FINE}  all is well
  {Status.FAILED}  what was asked about is not so: errors in manifests, an expectation
     that is not met, a URL that nobody serves
  {Status.USAGE}  the command line, or a file that it names, cannot be read
  {Status.UNAVAILABLE}  something that the command needs is missing or does not start: NGINX, a port

\b
PATH is a manifest, a folder of manifests, a glob, or - for standard input.
"""


class Subcommands(click.Group):
    """Imports a subcommand's module when it is asked for, so that none waits for what only another one needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all subcommands."""
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a subcommand by name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"sevengate.cli.{module}"), name)
        return command


@click.group(
    cls=Subcommands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def main() -> None:
    """Route HTTP traffic as Kubernetes Ingress objects ask, and answer questions about it without a cluster."""
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding cannot write is escaped, where Python would raise.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"sevengate {__version__}")
