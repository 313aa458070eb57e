"""`sevengate run`: serve what manifests or a cluster ask for, until a signal."""

from typing import Any

import click

from sevengate.cli.gate import gate_options, take_gate
from sevengate.cli.go import GoCommand
from sevengate.cli.serving import (
    grace_option,
    listen_options,
    post_grace_option,
    probe_options,
    say,
    serving,
    take_listen,
)


@click.command(cls=GoCommand)
@gate_options
@listen_options
@probe_options
@grace_option
@post_grace_option
def run(**flags: Any) -> None:
    """Serve what manifests or a cluster ask for, until SIGTERM or SIGINT; then finish the connections under way.

    With --watch, edits of manifests go live as they are made; a file that is broken or half written keeps its last good
    state. A cluster is followed as it changes; while its API server is away, what was last read is served. If no flag
    names manifests or a cluster, it is the cluster of the variable KUBECONFIG, or the one in which this is a pod.

    Controller and data plane are one process tree here; `sevengate controller` and `sevengate dataplane` are the two
    apart.
    """
    from sevengate.run import ConfigError, RunOptions, serve

    listen = take_listen(flags)
    serving(serve(RunOptions(listen=listen, **take_gate(flags)), say), ConfigError)
