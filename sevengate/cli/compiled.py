"""The flags that decide what is compiled: whose Ingresses, with which settings, and what stands behind all of them.

`compiled_options` adds them to a command, whether it serves or answers a question, so that a question gets the answer
that a gate with these flags would give. `take_compiled` makes Options of them.
"""

from collections.abc import Callable
from typing import Any, Final

import click

from sevengate.cli.go import switch
from sevengate.cli.metering import metering_options, take_metering
from sevengate.cli.names import object_name, prefix
from sevengate.settings import Options

_COMPILED: Final = (
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


def compiled_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command, which must be a GoCommand."""
    for option in reversed((*_COMPILED, metering_options)):
        command = option(command)
    return command


def take_compiled(flags: dict[str, Any]) -> Options:
    """Take the flags of this file out of all flags, and give what they say."""
    metering = take_metering(flags)
    return Options(metering=metering, **{name: flags.pop(name) for name in Options.__struct_fields__ if name in flags})
