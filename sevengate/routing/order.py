"""Precedence: which of two routes of one host is asked first. The only place where this is decided.

Takes a host's routes, the oldest object's first, and gives them in the order in which the data plane tries them. The
steps are those of Ingress, and between them those of the Gateway API's HTTPRoute rules, which agree where both speak;
method, header and query conditions come with HTTPRoutes. Age and name are no part of the key: the sort is stable, and
routes come in by age (compiler/claims.py says how ties are broken). A canary's routes are not sorted:
compiler/canary.py puts them, in an order of their own, in the place of the one route that they divide.
"""

from collections.abc import Iterable

from sevengate.routing.table import Match, PathKind, Route, ValueSource

_KIND_RANK = {PathKind.EXACT: 0, PathKind.REGEX: 1, PathKind.PREFIX: 2}

#: What `precedence` gives; the smaller one goes first.
Precedence = tuple[int, int, tuple[int, ...], bool, int, int]


def precedence(match: Match) -> Precedence:
    """Give the sort key of a match: what sorts first is tried first."""
    kind, value = match.path.kind, match.path.value
    text = value.encode(errors="surrogateescape")
    return (
        # Exact goes before everything: Kubernetes, "Ingress", section "Multiple matches"; Gateway API, HTTPRouteRule.
        _KIND_RANK[kind],
        # Then the longest path, in bytes, as ingress-nginx counts for regular expressions too.
        -len(text),
        # Of regular expressions of one length, more than one may fit: ingress-nginx takes the greatest text first.
        # Exact paths and prefixes of one length exclude each other.
        tuple(-byte for byte in text) if kind is PathKind.REGEX else (),
        # From here on HTTPRouteRule: a method match, the most header matches, the most query matches.
        not match.method,
        -_count(match, ValueSource.HEADER),
        -_count(match, ValueSource.QUERY),
    )


def in_order(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Sort routes by precedence; those of equal precedence stay as they come, which is by age."""
    return tuple(sorted(routes, key=lambda route: precedence(route.match)))


def _count(match: Match, source: ValueSource) -> int:
    return sum(condition.source is source for condition in match.values) if match.values else 0
