"""The flags of the admission webhook; the first three are ingress-nginx's.

`webhook_options` adds them to a command; `take_webhook` makes WebhookOptions of them, or None where no webhook is asked
for.
"""

from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import click

from sevengate.cli.names import object_name
from sevengate.values import integer

if TYPE_CHECKING:
    from sevengate.web.webhook import WebhookOptions


def _place(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, int] | None:
    """Read where to listen, as Go's flags have it: `:8443`, `192.0.2.1:8443` or `[::1]:8443`."""
    if not value:
        return None
    address, _, port = value.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    try:
        place = str(ip_address(address)) if address else "", integer(1, 65535)(port)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a port such as :8443, nor an address with one") from None
    return place


_OPTIONS: Final = (
    click.option(
        "--validating-webhook",
        default="",
        callback=_place,
        metavar=":PORT",
        help="Where the API server may ask about Ingresses before it stores them.",
    ),
    click.option("--validating-webhook-certificate", default="", metavar="FILE", help="The webhook's certificate."),
    click.option("--validating-webhook-key", default="", metavar="FILE", help="Its private key."),
    click.option(
        "--validating-webhook-secret",
        default="",
        callback=object_name,
        metavar="NS/NAME",
        help="Where Sevengate keeps a certificate that it makes itself, if no file is named.",
    ),
    click.option(
        "--validating-webhook-configuration",
        default="",
        metavar="NAME",
        help="The ValidatingWebhookConfiguration in which it says so.",
    ),
)


def webhook_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_webhook(flags: dict[str, Any]) -> "WebhookOptions | None":
    """Take the flags of this file out of all flags, and give what they say."""
    from sevengate.web.webhook import WebhookOptions

    place = flags.pop("validating_webhook")
    certificate, key, secret, configuration = (
        flags.pop(f"validating_webhook_{name}") for name in ("certificate", "key", "secret", "configuration")
    )
    if place is None:
        return None
    if bool(certificate) != bool(key):
        raise click.UsageError("--validating-webhook-certificate and --validating-webhook-key go together")
    if not certificate and not configuration:
        raise click.UsageError(
            "--validating-webhook needs --validating-webhook-certificate and --validating-webhook-key, "
            "or --validating-webhook-configuration for a certificate that is made here"
        )
    address, port = place
    return WebhookOptions(port, address, certificate, key, secret, configuration)
