"""Precedence: exact, then patterns, then prefixes; the longer first; and the Gateway API's steps after that."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.diagnostics import ObjectRef
from sevengate.routing.affinity import affinity_key
from sevengate.routing.order import in_order, precedence
from sevengate.routing.table import Match, PathKind, PathMatch, Route, RouteSource, ValueKind, ValueMatch, ValueSource

HEADER = ValueMatch(ValueSource.HEADER, "x", ValueKind.PRESENT)
QUERY = ValueMatch(ValueSource.QUERY, "x", ValueKind.PRESENT)

IN_ORDER = [
    Match(PathMatch(PathKind.EXACT, "/longer")),
    Match(PathMatch(PathKind.EXACT, "/")),
    Match(PathMatch(PathKind.REGEX, "^/long")),
    Match(PathMatch(PathKind.REGEX, "^/é")),
    Match(PathMatch(PathKind.REGEX, "^/ab")),
    Match(PathMatch(PathKind.REGEX, "^/aa")),
    Match(PathMatch(PathKind.PREFIX, "/foo/")),
    Match(PathMatch(PathKind.PREFIX, "/foo"), "GET"),
    Match(PathMatch(PathKind.PREFIX, "/foo"), values=(HEADER, HEADER)),
    Match(PathMatch(PathKind.PREFIX, "/foo"), values=(HEADER, QUERY)),
    Match(PathMatch(PathKind.PREFIX, "/foo"), values=(HEADER,)),
    Match(PathMatch(PathKind.PREFIX, "/foo"), values=(QUERY,)),
    Match(PathMatch(PathKind.PREFIX, "/foo")),
    Match(PathMatch(PathKind.PREFIX, "/")),
]


def route(name: str, match: Match) -> Route:
    return Route(name, match, RouteSource(ObjectRef("Ingress", "default", "i")))


@pytest.mark.parametrize(("first", "then"), list(itertools.pairwise(IN_ORDER)))
def test_each_goes_before_the_next(first: Match, then: Match) -> None:
    assert precedence(first) < precedence(then)


@given(st.permutations(IN_ORDER))
def test_the_order_does_not_depend_on_how_they_come(matches: list[Match]) -> None:
    assert [made.match for made in in_order(route("", match) for match in matches)] == IN_ORDER


def test_of_equal_precedence_the_first_stays_first() -> None:
    match = Match(PathMatch(PathKind.PREFIX, "/"))
    assert [made.name for made in in_order([route("older", match), route("younger", match)])] == ["older", "younger"]


def test_an_affinity_key_fits_in_a_cookie_and_is_stable() -> None:
    assert affinity_key("default/shop:80") == "a22c25a8f6353d80"
    assert affinity_key("default/next:80") != affinity_key("default/shop:80")
