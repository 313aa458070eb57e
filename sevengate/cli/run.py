"""`sevengate run`: serve what manifests or a cluster ask for, until a signal."""

import asyncio
import ipaddress
import logging
import sys
from typing import Any

import click

from sevengate.cli.cluster import cluster_options, take_cluster
from sevengate.cli.names import object_name
from sevengate.cli.output import Status, remark
from sevengate.settings import Options


def _address(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check an address to listen at; brackets around an IPv6 address may be there or not."""
    try:
        return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]"))) if value else ""
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IPv4 or IPv6 address") from None


_PORT = click.IntRange(1, 65535)


@click.command()
@click.option("--manifests", metavar="PATH", multiple=True, help="A PATH to serve; may be repeated.")
@click.argument("more", metavar="[PATH]...", nargs=-1)
@click.option("--watch", is_flag=True, help="Follow edits of the manifests.")
@click.option("--http-port", type=_PORT, default=80, show_default=True, help="The port for HTTP.")
@click.option("--https-port", type=_PORT, default=443, show_default=True, help="The port for HTTPS.")
@click.option("--default-server-port", type=_PORT, default=8181, show_default=True, help="The default backend's port.")
@click.option("--healthz-port", type=_PORT, default=10254, show_default=True, help="The port for probes.")
@click.option(
    "--bind-address", default="", callback=_address, help="The address to listen at; all of the machine's by default."
)
@click.option("--ingress-class", default="nginx", show_default=True, help="The class of the Ingresses to serve.")
@click.option("--watch-ingress-without-class", is_flag=True, help="Serve Ingresses that name no class, too.")
@click.option(
    "--default-ssl-certificate",
    default="",
    callback=object_name,
    metavar="NS/NAME",
    help="The Secret of the default certificate.",
)
@click.option(
    "--configmap", default="", callback=object_name, metavar="NS/NAME", help="The ConfigMap that holds the settings."
)
@cluster_options
def run(manifests: tuple[str, ...], more: tuple[str, ...], **flags: Any) -> None:
    """Serve what manifests or a cluster ask for, until SIGTERM or SIGINT; then finish the connections under way.

    With --watch, edits of manifests go live as they are made; a file that is broken or half written keeps its last good
    state. A cluster is followed as it changes; while its API server is away, what was last read is served. If no flag
    names manifests or a cluster, it is the cluster of the variable KUBECONFIG, or the one in which this is a pod.
    """
    from sevengate.run import ConfigError, NginxError, RunOptions, serve

    ports = [value for name, value in flags.items() if name.endswith("_port")]
    if len(set(ports)) < len(ports):
        raise click.UsageError("each of the ports must be another one")
    compiled = {name: flags.pop(name) for name in Options.__struct_fields__ if name in flags}
    paths = (*manifests, *more)
    cluster = take_cluster(flags, is_default=not paths)
    if bool(paths) == bool(cluster):
        raise click.UsageError("name either --manifests or a cluster: --in-cluster, --kubeconfig or --apiserver-host")
    options = RunOptions(manifests=paths, cluster=cluster, options=Options(**compiled), **flags)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(options))
    except (ConfigError, NginxError) as error:
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)
