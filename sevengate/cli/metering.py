"""The flags that say what is counted of requests, under ingress-nginx's names.

`metering_options` adds them to a command; `take_metering` makes a Metering of them.
"""

from collections.abc import Callable
from typing import Any, Final

import click

from sevengate.cli.go import switch
from sevengate.metrics import REQUESTS, bound_text
from sevengate.settings import Metering

#: Bounds that a histogram may have: each is a series for every other label.
MOST_BOUNDS: Final = 100
_DEFAULT: Final = Metering()


def _bounds(_context: click.Context, _option: click.Parameter, value: str) -> tuple[float, ...]:
    """Read bounds of buckets, which rise."""
    try:
        bounds = tuple(float(text) for text in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers, such as 0.1,1,10") from None
    rises = all(low < high for low, high in zip((0.0, *bounds), (*bounds, float("inf")), strict=True))
    if not rises or len({bound_text(bound) for bound in bounds}) < len(bounds):
        raise click.BadParameter(f"{value!r} does not rise from above 0")
    if len(bounds) > MOST_BOUNDS:
        raise click.BadParameter(f"there may be {MOST_BOUNDS} bounds, and these are {len(bounds)}")
    return bounds


def _families(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    """Read names of families; those of others than of requests cost nothing and are always served."""
    named = {text.strip() for text in value.split(",")}
    return tuple(name for name in REQUESTS if name in named)


def _buckets(name: str, default: tuple[float, ...], explanation: str) -> Callable[[Any], Any]:
    return click.option(
        name,
        default=",".join(map(bound_text, default)),
        show_default=True,
        callback=_bounds,
        metavar="N,N",
        help=explanation,
    )


_OPTIONS: Final = (
    switch("--enable-metrics", "Count requests by Ingress and Service."),
    switch("--metrics-per-host", "Count them by host, too.", default=True),
    switch("--metrics-per-undefined-host", "Name hosts that no Ingress names, too."),
    switch("--report-status-classes", "Count by 2xx, 4xx and so on, not by the very status."),
    _buckets("--time-buckets", _DEFAULT.time_buckets, "Bounds of the buckets for times, in seconds."),
    _buckets("--length-buckets", _DEFAULT.length_buckets, "Bounds for sizes of requests and answers, in bytes."),
    _buckets("--size-buckets", _DEFAULT.size_buckets, "Bounds for bytes sent."),
    click.option(
        "--exclude-socket-metrics",
        default="",
        callback=_families,
        metavar="NAME,NAME",
        help="Metrics of requests that are not to be counted.",
    ),
)


def metering_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_metering(flags: dict[str, Any]) -> Metering:
    """Take the flags of this file out of all flags, and give what they say."""
    return Metering(
        enabled=flags.pop("enable_metrics"),
        per_host=flags.pop("metrics_per_host"),
        per_undefined_host=flags.pop("metrics_per_undefined_host"),
        status_classes=flags.pop("report_status_classes"),
        time_buckets=flags.pop("time_buckets"),
        length_buckets=flags.pop("length_buckets"),
        size_buckets=flags.pop("size_buckets"),
        excluded=flags.pop("exclude_socket_metrics"),
    )
