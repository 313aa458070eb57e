"""What the commands that serve have in common: `run`, `controller` and `dataplane`.

The flags say where requests and probes are taken in, and how long a process stays after a signal. `serving` runs what a
command serves, and turns what is wrong with this machine into an exit code. What is served is in gate.py.
"""

import asyncio
import ipaddress
import logging
import re
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from sevengate import __version__
from sevengate.cli.output import Status, remark
from sevengate.nginx.installation import NginxError
from sevengate.nginx.listening import Listen


def _address(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check an address to listen at; brackets around an IPv6 address may be there or not."""
    try:
        return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]"))) if value else ""
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IPv4 or IPv6 address") from None


def _path(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", value):
        raise click.BadParameter(f"{value!r} is not a path, such as /healthz")
    return value


def _set_verbosity(_context: click.Context, _option: click.Parameter, level: int) -> None:
    if level >= _DEBUG_LEVEL:
        logging.getLogger("sevengate").setLevel(logging.DEBUG)


#: The level of klog from which on Kubernetes' components print what is for debugging.
_DEBUG_LEVEL: Final = 5

PORT: Final = click.IntRange(1, 65535)

directory_option: Final = click.option(
    "--dataplane-directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="/run/sevengate",
    show_default=True,
    metavar="FOLDER",
    help="Where controller and data plane meet; for nobody but their user.",
)

bind_option: Final = click.option(
    "--bind-address",
    default="",
    envvar="SEVENGATE_BIND_ADDRESS",
    show_envvar=True,
    callback=_address,
    help="The address to listen at; all of the machine's by default.",
)

healthz_option: Final = click.option(
    "--healthz-port", type=PORT, default=10254, show_default=True, help="The port for probes."
)

health_options: Final = (
    healthz_option,
    click.option("--healthz-host", default="", callback=_address, help="The address for probes, if it is another one."),
    click.option(
        "--health-check-path",
        default="/healthz",
        show_default=True,
        callback=_path,
        help="One more path that answers as /healthz does.",
    ),
    click.option(
        "--v",
        type=int,
        default=0,
        expose_value=False,
        callback=_set_verbosity,
        metavar="LEVEL",
        help="How much is logged: from 5 on, what is of use to developers only.",
    ),
    click.version_option(__version__, prog_name="sevengate", message="%(prog)s %(version)s"),
)

grace_option: Final = click.option(
    "--shutdown-grace-period",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="After SIGTERM, how long to go on as before while /balancerz already fails.",
)

post_grace_option: Final = click.option(
    "--post-shutdown-grace-period",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="How long to stay when NGINX has finished.",
)

_LISTEN: Final = (
    click.option("--http-port", type=PORT, default=80, show_default=True, help="The port for HTTP."),
    click.option("--https-port", type=PORT, default=443, show_default=True, help="The port for HTTPS."),
    click.option(
        "--default-server-port", type=PORT, default=8181, show_default=True, help="The default backend's port."
    ),
)


def adding(options: tuple[Callable[[Any], Any], ...], command: Callable[..., Any]) -> Callable[..., Any]:
    """Add flags to a command, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def listen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say where requests are taken in."""
    return adding((*_LISTEN, bind_option), command)


def probe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say where probes are answered, and how much is said."""
    return adding(health_options, command)


def take_listen(flags: dict[str, Any]) -> Listen:
    """Take the ports out of all flags."""
    ports = [value for name, value in flags.items() if name.endswith("_port")]
    if len(set(ports)) < len(ports):
        raise click.UsageError("each of the ports must be another one")
    http, https, default = (flags.pop(name) for name in ("http_port", "https_port", "default_server_port"))
    return Listen((), http, https, default)


def say(line: str) -> None:
    """Say a line on standard error; where that cannot be, as on a full disk, serving goes on."""
    with suppress(OSError):
        remark(line)


def serving(work: Coroutine[Any, Any, None], *errors: type[Exception]) -> None:
    """Serve until the end; exit with UNAVAILABLE where something that it needs is missing or taken, or for `errors`."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(work)
    except Exception as error:
        if not isinstance(error, (NginxError, *errors)):
            raise
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)
