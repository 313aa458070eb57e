"""The flags that say which cluster is followed and what is written to it, under ingress-nginx's names.

`cluster_options` adds them to a command; `take_cluster` makes ClusterOptions of them and gives None where none of them
names a cluster. Who we are inside of a cluster is told by the environment: POD_NAME and POD_NAMESPACE, as deployments
of ingress-nginx set them.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from sevengate import values
from sevengate.cli.go import switch
from sevengate.cli.names import object_name
from sevengate.cli.webhook import take_webhook, webhook_options

if TYPE_CHECKING:
    from sevengate.run import ClusterOptions


def _duration(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """Read a duration in seconds; a Lease holds whole seconds, and less than three are no time to renew it."""
    try:
        seconds = values.timeout(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if seconds < 3:
        raise click.BadParameter("it must be three seconds or more")
    return seconds


_OPTIONS: Final = (
    switch("--in-cluster", "Serve what the cluster asks for in which this is a pod."),
    click.option(
        "--kubeconfig", default="", metavar="FILE", help="Serve what the cluster of this kubeconfig asks for."
    ),
    click.option("--apiserver-host", default="", metavar="URL", help="The API server, where no kubeconfig names it."),
    click.option("--certificate-authority", default="", metavar="FILE", help="Whom to trust about --apiserver-host."),
    click.option("--watch-namespace", default="", metavar="NS", help="The only namespace to watch."),
    click.option(
        "--watch-namespace-selector", default="", metavar="LABELS", help="Watch the namespaces with these labels."
    ),
    click.option(
        "--publish-service",
        default="",
        callback=object_name,
        metavar="NS/NAME",
        help="The Service whose addresses go into statuses.",
    ),
    click.option("--publish-status-address", default="", metavar="A,B", help="The addresses that go into statuses."),
    switch("--report-node-internal-ip-address", "Put nodes' internal addresses into statuses, not the external ones."),
    switch("--update-status", "Write the addresses of this gate into statuses.", default=True),
    switch("--update-status-on-shutdown", "Take them out again when the last controller ends.", default=True),
    click.option(
        "--election-id",
        default="ingress-controller-leader",
        show_default=True,
        help="The Lease that elects who writes.",
    ),
    click.option("--election-ttl", default="30s", show_default=True, callback=_duration, help="How long it lasts."),
    switch("--disable-leader-election", "Write without being elected: there is only this controller."),
    switch("--disable-sync-events", "Write no Events about what is wrong with objects."),
)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command."""
    command = webhook_options(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_cluster(flags: dict[str, Any], *, is_default: bool) -> "ClusterOptions | None":
    """Take the flags of this file out of all flags, and give what they say.

    `is_default`: nothing else is to be served, so that the environment may name the cluster.
    """
    from sevengate.cluster.addresses import Publishing
    from sevengate.cluster.publisher import PublisherOptions
    from sevengate.run import ClusterOptions

    service, address = flags.pop("publish_service"), flags.pop("publish_status_address")
    in_cluster, kubeconfig, host = (flags.pop(name) for name in ("in_cluster", "kubeconfig", "apiserver_host"))
    authority = flags.pop("certificate_authority")
    namespace, selector = flags.pop("watch_namespace"), flags.pop("watch_namespace_selector")
    if service and address:
        raise click.UsageError("--publish-service and --publish-status-address exclude each other")
    if namespace and selector:
        raise click.UsageError("--watch-namespace and --watch-namespace-selector exclude each other")
    if in_cluster and (kubeconfig or host):
        raise click.UsageError("--in-cluster excludes --kubeconfig and --apiserver-host")
    publishing = Publishing(address, service, flags.pop("report_node_internal_ip_address"))
    rest = {name: flags.pop(name) for name in PublisherOptions.__struct_fields__ if name in flags}
    publisher = PublisherOptions(publishing, pod=_pod(), **rest)
    webhook = take_webhook(flags)
    named = in_cluster or kubeconfig or host
    if not named and not (is_default and {"KUBECONFIG", "KUBERNETES_SERVICE_HOST"} & os.environ.keys()):
        if webhook:
            raise click.UsageError("--validating-webhook needs a cluster, whose API server asks")
        return None
    return ClusterOptions(kubeconfig, host, authority, namespace, selector, in_cluster, publisher, webhook)


def _pod() -> str:
    name, namespace = os.environ.get("POD_NAME", ""), os.environ.get("POD_NAMESPACE", "")
    return f"{namespace}/{name}" if name and namespace else ""
