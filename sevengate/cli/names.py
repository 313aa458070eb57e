"""Names of objects on the command line."""

import re

import click


def object_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Check the name of an object."""
    if value and not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", value):
        raise click.BadParameter(f"{value!r} is not namespace/name")
    return value
