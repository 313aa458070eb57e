"""`sevengate controller`: make what manifests or a cluster ask for live in a data plane of another process."""

from pathlib import Path
from typing import Any

import click

from sevengate.cli.gate import gate_options, take_gate
from sevengate.cli.go import GoCommand
from sevengate.cli.serving import bind_option, directory_option, grace_option, probe_options, say, serving


@click.command(cls=GoCommand)
@directory_option
@gate_options
@bind_option
@probe_options
@grace_option
def controller(dataplane_directory: Path, **flags: Any) -> None:
    """Make what manifests or a cluster ask for live in a data plane, until SIGTERM or SIGINT.

    The data plane is a `sevengate dataplane` that works in the same directory. It may start before or after, and what
    it serves stays when the controller ends: the next one goes on from there.
    """
    from sevengate.run import ConfigError, ControllerOptions, control

    options = ControllerOptions(dataplane_directory=dataplane_directory, **take_gate(flags))
    serving(control(options, say), ConfigError)
