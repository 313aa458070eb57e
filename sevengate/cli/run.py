"""`sevengate run`: serve what manifests ask for, until a signal."""

import asyncio
import ipaddress
import logging
import re
import sys
from typing import Any

import click

from sevengate.cli.output import Status, remark
from sevengate.settings import Options


def _address(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check an address to listen at; brackets around an IPv6 address may be there or not."""
    try:
        return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]"))) if value else ""
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IPv4 or IPv6 address") from None


def _name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check the name of an object."""
    if value and not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", value):
        raise click.BadParameter(f"{value!r} is not namespace/name")
    return value


_PORT = click.IntRange(1, 65535)


@click.command()
@click.option("--manifests", metavar="PATH", multiple=True, required=True, help="A PATH to serve; may be repeated.")
@click.argument("more", metavar="[PATH]...", nargs=-1)
@click.option("--watch", is_flag=True, help="Follow edits of the manifests.")
@click.option("--http-port", type=_PORT, default=80, show_default=True, help="The port for HTTP.")
@click.option("--https-port", type=_PORT, default=443, show_default=True, help="The port for HTTPS.")
@click.option("--default-server-port", type=_PORT, default=8181, show_default=True, help="The default backend's port.")
@click.option("--healthz-port", type=_PORT, default=10254, show_default=True, help="The port of /healthz.")
@click.option(
    "--bind-address", default="", callback=_address, help="The address to listen at; all of the machine's by default."
)
@click.option("--ingress-class", default="nginx", show_default=True, help="The class of the Ingresses to serve.")
@click.option("--watch-ingress-without-class", is_flag=True, help="Serve Ingresses that name no class, too.")
@click.option(
    "--default-ssl-certificate",
    default="",
    callback=_name,
    metavar="NS/NAME",
    help="The Secret of the default certificate.",
)
@click.option(
    "--configmap", default="", callback=_name, metavar="NS/NAME", help="The ConfigMap that holds the settings."
)
def run(manifests: tuple[str, ...], more: tuple[str, ...], **flags: Any) -> None:
    """Serve what manifests ask for, until SIGTERM or SIGINT; then finish the connections under way.

    With --watch, edits go live as they are made; a file that is broken or half written keeps its last good state.
    """
    from sevengate.run import NginxError, RunOptions, serve

    ports = [value for name, value in flags.items() if name.endswith("_port")]
    if len(set(ports)) < len(ports):
        raise click.UsageError("each of the ports must be another one")
    compiled = {name: flags.pop(name) for name in Options.__struct_fields__ if name in flags}
    options = RunOptions(manifests=(*manifests, *more), options=Options(**compiled), **flags)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(options))
    except NginxError as error:
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)
