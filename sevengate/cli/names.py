"""Names of objects and annotations on the command line."""

import re

import click

from sevengate.kube.names import is_subdomain


def object_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check the name of an object."""
    if value and not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", value):
        raise click.BadParameter(f"{value!r} is not namespace/name")
    return value


def prefix(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check what stands before the slash in names of annotations."""
    if not is_subdomain(value):
        raise click.BadParameter(f"{value!r} is not a DNS name, such as nginx.ingress.kubernetes.io")
    return value
