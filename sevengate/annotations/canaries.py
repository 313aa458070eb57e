"""Canaries: an Ingress that takes a part of another one's requests.

Such an Ingress gives a backend, says who goes there, and how endpoints are chosen there; everything else is the main
Ingress's. A condition that cannot be read is left out, so that a canary never gets more than it was meant to.
"""

from typing import Final

from sevengate import values
from sevengate.annotations import balancing
from sevengate.annotations.proxying import SERVICE_UPSTREAM
from sevengate.annotations.rows import Annotation, Asked, Risk, Scope
from sevengate.annotations.wishes import Canary
from sevengate.routing import regex

#: ingress-nginx takes a smaller total for this one (balancer.lua).
_LEAST_TOTAL: Final = 100


def _pattern(text: str) -> str:
    regex.check(text)
    return text


CANARY: Final = Annotation(
    name="canary",
    parse=values.boolean,
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="This Ingress takes requests from the one with the same host and path. Of its other annotations only "
    "canary-*, load-balance, upstream-hash-by, affinity, session-cookie-* and service-upstream count.",
    example="true",
)
CANARY_BY_HEADER: Final = Annotation(
    name="canary-by-header",
    parse=values.header_name,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="A header that decides: always goes to the canary, never does not, anything else asks on.",
    example="X-Canary",
)
CANARY_BY_HEADER_VALUE: Final = Annotation(
    name="canary-by-header-value",
    parse=values.header_value,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="The header's value that goes to the canary, in place of always and never.",
    example="beta",
)
CANARY_BY_HEADER_PATTERN: Final = Annotation(
    name="canary-by-header-pattern",
    parse=_pattern,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="A regular expression for the header's values that go to the canary.",
    example="^(beta|qa)$",
)
CANARY_BY_COOKIE: Final = Annotation(
    name="canary-by-cookie",
    parse=values.cookie_name,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="A cookie that decides: always goes to the canary, never does not.",
    example="canary",
)
CANARY_WEIGHT: Final = Annotation(
    name="canary-weight",
    parse=values.integer(0, 1_000_000_000),
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="How many of canary-weight-total requests go to the canary.",
    example="10",
)
CANARY_WEIGHT_TOTAL: Final = Annotation(
    name="canary-weight-total",
    parse=values.integer(1, 1_000_000_000),
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="What canary-weight is a part of; 100 if it is not given or less.",
    example="1000",
)

_CONDITIONS: Final = (
    CANARY_BY_HEADER,
    CANARY_BY_HEADER_VALUE,
    CANARY_BY_HEADER_PATTERN,
    CANARY_BY_COOKIE,
    CANARY_WEIGHT,
    CANARY_WEIGHT_TOTAL,
)
ROWS: Final = (CANARY, *_CONDITIONS)

#: What counts on an Ingress that is a canary.
COUNTING: Final[frozenset[str]] = frozenset(row.name for row in (*ROWS, *balancing.ROWS, SERVICE_UPSTREAM))


def is_canary(text: str) -> bool:
    """Say whether the text of `canary` makes a canary. One that cannot be read does, and gets no requests."""
    try:
        return bool(text) and values.boolean(text)
    except ValueError:
        return True


def canary(asked: Asked) -> Canary:
    """Give who goes to the canary; nobody, if it cannot be read whether it is one."""
    if not asked.get(CANARY):
        return Canary()
    total = asked.of(CANARY_WEIGHT_TOTAL, _LEAST_TOTAL)
    if total < _LEAST_TOTAL:
        asked.without_effect(f"{_LEAST_TOTAL} is the least", CANARY_WEIGHT_TOTAL)
        total = _LEAST_TOTAL
    header, value, pattern = _header(asked)
    return Canary(
        header=header,
        header_value=value,
        header_pattern=pattern,
        cookie=asked.of(CANARY_BY_COOKIE, ""),
        weight=min(asked.of(CANARY_WEIGHT, 0), total),
        weight_total=total,
    )


def without_canary(asked: Asked) -> None:
    """Say of the conditions of a canary that they do nothing on an Ingress that is none."""
    asked.without_effect("canary is not true", *_CONDITIONS)


def _header(asked: Asked) -> tuple[str, str, str]:
    """Give the header that decides, and its value or pattern; no header if what it should hold cannot be read."""
    header = asked.of(CANARY_BY_HEADER, "")
    if not header:
        asked.without_effect("there is no canary-by-header", CANARY_BY_HEADER_VALUE, CANARY_BY_HEADER_PATTERN)
        return "", "", ""
    value, pattern = asked.of(CANARY_BY_HEADER_VALUE, ""), asked.of(CANARY_BY_HEADER_PATTERN, "")
    if value:
        asked.without_effect("canary-by-header-value goes before it", CANARY_BY_HEADER_PATTERN)
        return header, value, ""
    if asked.failed(CANARY_BY_HEADER_VALUE) or asked.failed(CANARY_BY_HEADER_PATTERN):
        return "", "", ""
    return header, "", pattern
