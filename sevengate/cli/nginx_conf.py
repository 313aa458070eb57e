"""`sevengate nginx-conf`: the nginx.conf that would run, for those who want to read it."""

import sys
from typing import Any

import click

from sevengate.cli.compiled import compiled_options, take_compiled
from sevengate.cli.go import GoCommand
from sevengate.cli.manifests import read_for_answer
from sevengate.cli.output import Status, paths_argument, remark
from sevengate.nginx.conf import write
from sevengate.nginx.installation import NginxMissingError, find_installation
from sevengate.nginx.listening import Listen
from sevengate.nginx.runtime import Runtime
from sevengate.nginx.static import static_conf
from sevengate.nginx.supervisor import place
from sevengate.supervise import DIRECTORY


@click.command("nginx-conf", cls=GoCommand)
@paths_argument
@compiled_options
def nginx_conf(paths: tuple[str, ...], **compiled: Any) -> None:
    """Print the nginx.conf that would run.

    Hosts, paths and endpoints are not in it: they are data, which `sevengate routes` shows.
    """
    compilation = read_for_answer(paths, take_compiled(compiled)).compilation
    try:
        here = place(find_installation(), Runtime(DIRECTORY), Listen())
    except NginxMissingError as error:
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)
    click.echo(write(static_conf(compilation.settings, compilation.table.profiles, here)), nl=False)
