"""The flags that say what a gate serves: manifests or a cluster; what is compiled of them is said in compiled.py.

`gate_options` adds them to a command; `take_gate` makes the fields of GateOptions of them.
"""

from collections.abc import Callable
from typing import Any, Final

import click

from sevengate.cli.cluster import cluster_options, take_cluster
from sevengate.cli.compiled import compiled_options, take_compiled
from sevengate.cli.go import switch
from sevengate.cli.serving import adding
from sevengate.supervise import Grace

_GATE: Final = (
    click.option("--manifests", metavar="PATH", multiple=True, help="A PATH to serve; may be repeated."),
    click.argument("more", metavar="[PATH]...", nargs=-1),
    switch("--watch", "Follow edits of the manifests."),
)


def gate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say what is served."""
    return adding((*_GATE, compiled_options, cluster_options), command)


def take_gate(flags: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of GateOptions that flags make, and all other flags as they are."""
    grace = Grace(flags.pop("shutdown_grace_period"), flags.pop("post_shutdown_grace_period", 0.0))
    options = take_compiled(flags)
    paths = (*flags.pop("manifests"), *flags.pop("more"))
    cluster = take_cluster(flags, is_default=not paths)
    if bool(paths) == bool(cluster):
        raise click.UsageError("name either --manifests or a cluster: --in-cluster, --kubeconfig or --apiserver-host")
    return {"manifests": paths, "cluster": cluster, "options": options, "grace": grace, **flags}
