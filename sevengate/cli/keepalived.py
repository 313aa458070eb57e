"""`sevengate keepalived`: the keepalived.conf of a node that shares a virtual address with others."""

import ipaddress
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from sevengate.cli.output import Status, remark
from sevengate.keepalived import HEALTH_URL, VirtualRouter, problems, write

T = TypeVar("T")


def _parsed(parse: Callable[[str], T], what: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make a callback that parses one text, or each of several."""

    def read(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
        texts = value if isinstance(value, tuple) else (value,) if value else ()
        try:
            read = tuple(parse(text) for text in texts)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not {what}") from None
        return read if isinstance(value, tuple) else read[0] if read else None

    return read


@click.command("keepalived")
@click.option(
    "--vip",
    "addresses",
    metavar="ADDRESS[/LENGTH]",
    multiple=True,
    required=True,
    callback=_parsed(ipaddress.ip_interface, "an IPv4 or IPv6 address"),
    help="A virtual address, IPv4 or IPv6; may be repeated.",
)
@click.option("--interface", metavar="NAME", required=True, help="The network interface that gets it.")
@click.option("--router-id", default=51, show_default=True, help="1 to 255; the same on all nodes, and theirs alone.")
@click.option("--priority", default=100, show_default=True, help="1 to 254; of healthy nodes the highest is chosen.")
@click.option(
    "--state",
    type=click.Choice(["BACKUP", "MASTER"]),
    default="BACKUP",
    show_default=True,
    help="MASTER takes the address back whenever it can.",
)
@click.option(
    "--auth",
    "password",
    default="",
    metavar="TEXT",
    envvar="SEVENGATE_KEEPALIVED_AUTH",
    help="A password of up to 8 letters, which the network can read; VRRP version 2.",
)
@click.option(
    "--source",
    metavar="ADDRESS",
    callback=_parsed(ipaddress.ip_address, "an address"),
    help="This node's own address, with --peer.",
)
@click.option(
    "--peer",
    "peers",
    metavar="ADDRESS",
    multiple=True,
    callback=_parsed(ipaddress.ip_address, "an address"),
    help="Another node, where multicast does not reach it; may be repeated.",
)
@click.option(
    "--health-url", default=HEALTH_URL, show_default=True, metavar="URL", help="What says that a node is well."
)
@click.option("--check-interval", default=1, show_default=True, metavar="SECONDS", help="How often it is asked.")
@click.option(
    "--advert-interval",
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the holder says that it lives; after three and a bit without it another takes over.",
)
def keepalived(**options: Any) -> None:
    """Print the keepalived.conf of a node that takes requests in at its own addresses (hostNetwork).

    The node gives the virtual address up as soon as its data plane fails, or says that it is about to end.
    """
    router = VirtualRouter(**options)
    if found := list(problems(router)):
        for problem in found:
            remark(f"error: {problem}")
        sys.exit(Status.USAGE)
    click.echo(write(router), nl=False)
