"""The flags that say what a gate serves: manifests or a cluster, and what is compiled of them.

`gate_options` adds them to a command; `take_gate` makes the fields of GateOptions of them.
"""

from collections.abc import Callable
from typing import Any, Final

import click

from sevengate.cli.cluster import cluster_options, take_cluster
from sevengate.cli.go import switch
from sevengate.cli.metering import metering_options, take_metering
from sevengate.cli.names import object_name, prefix
from sevengate.cli.serving import adding
from sevengate.settings import Options
from sevengate.supervise import Grace

_GATE: Final = (
    click.option("--manifests", metavar="PATH", multiple=True, help="A PATH to serve; may be repeated."),
    click.argument("more", metavar="[PATH]...", nargs=-1),
    switch("--watch", "Follow edits of the manifests."),
    click.option("--ingress-class", default="nginx", show_default=True, help="The class of the Ingresses to serve."),
    click.option(
        "--controller-class",
        default="k8s.io/ingress-nginx",
        show_default=True,
        help="The controller that an IngressClass of ours names.",
    ),
    switch("--ingress-class-by-name", "Take the IngressClass of that name for ours, whatever controller it names."),
    switch("--watch-ingress-without-class", "Serve Ingresses that name no class, too."),
    click.option(
        "--annotations-prefix",
        default="nginx.ingress.kubernetes.io",
        show_default=True,
        callback=prefix,
        help="What stands before the slash in names of annotations.",
    ),
    switch("--disable-catch-all", "Refuse Ingresses with a default backend."),
    switch("--disable-svc-external-name", "Send no request to Services of type ExternalName."),
    click.option(
        "--default-backend-service",
        default="",
        callback=object_name,
        metavar="NS/NAME",
        help="The Service for requests that no Ingress wants.",
    ),
    click.option(
        "--default-ssl-certificate",
        default="",
        callback=object_name,
        metavar="NS/NAME",
        help="The Secret of the default certificate.",
    ),
    click.option(
        "--configmap",
        default="",
        callback=object_name,
        metavar="NS/NAME",
        help="The ConfigMap that holds the settings.",
    ),
)


def gate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say what is served."""
    return adding((*_GATE, metering_options, cluster_options), command)


def take_gate(flags: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of GateOptions that flags make, and all other flags as they are."""
    grace = Grace(flags.pop("shutdown_grace_period"), flags.pop("post_shutdown_grace_period", 0.0))
    metering = take_metering(flags)
    compiled = {name: flags.pop(name) for name in Options.__struct_fields__ if name in flags}
    paths = (*flags.pop("manifests"), *flags.pop("more"))
    cluster = take_cluster(flags, is_default=not paths)
    if bool(paths) == bool(cluster):
        raise click.UsageError("name either --manifests or a cluster: --in-cluster, --kubeconfig or --apiserver-host")
    options = Options(metering=metering, **compiled)
    return {"manifests": paths, "cluster": cluster, "options": options, "grace": grace, **flags}
