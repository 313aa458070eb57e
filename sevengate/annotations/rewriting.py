"""How paths are matched, and what the backend sees of the path and of the host."""

import re
from typing import Final

from sevengate import values
from sevengate.annotations.rows import Annotation, Risk, Scope

#: A path in which the groups of the Ingress path may stand. It replaces a path alone, so it has no query.
_TARGET = re.compile(r"(?:/|\$[1-9])(?:[A-Za-z0-9\-._~/:@!&()*+,=]|\$[1-9]){0,4094}")


def _target(text: str) -> str:
    """Read a path with groups; an empty text asks for no rewrite."""
    if text and not _TARGET.fullmatch(text):
        raise ValueError(
            f"{values.shown(text)} is not a path in which $1 to $9 stand for the groups of the Ingress path"
        )
    return text


def _host(text: str) -> str:
    if "$" in text:
        raise ValueError(f"{values.shown(text)} names a variable, and only a fixed host can stand here")
    return values.authority(text)


def _prefix(text: str) -> str:
    if "$" in text:
        raise ValueError(f"{values.shown(text)} names a group, and only a fixed path can stand here")
    return values.path(text)


REWRITE_TARGET: Final = Annotation(
    name="rewrite-target",
    parse=_target,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="The path that the backend sees; `$1` to `$9` are the groups of the Ingress path. That is a regular "
    "expression then, and so are all paths of the host.",
    example="/$2",
    guards=True,
)
USE_REGEX: Final = Annotation(
    name="use-regex",
    parse=values.boolean,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="The paths are regular expressions, and so are all others of the host: caseless, anchored at the start.",
    example="true",
)
X_FORWARDED_PREFIX: Final = Annotation(
    name="x-forwarded-prefix",
    parse=_prefix,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Send this as X-Forwarded-Prefix to the backend, where rewrite-target is set too.",
    example="/shop",
)
UPSTREAM_VHOST: Final = Annotation(
    name="upstream-vhost",
    parse=_host,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="The Host header that the backend sees.",
    example="shop.internal:8080",
)

ROWS: Final = (REWRITE_TARGET, USE_REGEX, X_FORWARDED_PREFIX, UPSTREAM_VHOST)
