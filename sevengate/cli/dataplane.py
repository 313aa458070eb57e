"""`sevengate dataplane`: run an NGINX that a controller of another process drives."""

from pathlib import Path
from typing import Any

import click

from sevengate.cli.serving import (
    PORT,
    directory_option,
    grace_option,
    listen_options,
    post_grace_option,
    say,
    serving,
    take_listen,
)
from sevengate.supervise import DataPlaneOptions, Grace, supervise


@click.command()
@directory_option
@listen_options
@click.option("--status-port", type=PORT, default=10246, show_default=True, help="The port for probes.")
@grace_option
@post_grace_option
def dataplane(
    dataplane_directory: Path,
    bind_address: str,
    shutdown_grace_period: float,
    post_shutdown_grace_period: float,
    **flags: Any,
) -> None:
    """Run the NGINX of a `sevengate controller` that works in the same directory, until SIGTERM or SIGINT.

    It holds no access to a cluster: hosts, endpoints and certificates are pushed to it. It answers 503 and is not ready
    until then. An NGINX that dies is started again.
    """
    options = DataPlaneOptions(
        directory=dataplane_directory,
        bind_address=bind_address,
        listen=take_listen(flags),
        grace=Grace(shutdown_grace_period, post_shutdown_grace_period),
        **flags,
    )
    serving(supervise(options, say))
