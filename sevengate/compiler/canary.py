"""A canary divides one route into several.

Takes the route of the primary Ingress and the canary's claim on the same path, and gives the routes that stand in its
place, in the order in which they are tried: whom a cookie keeps where he was, whom a header or another cookie sends,
and last of all the dice. To the data plane these are routes like others, with conditions and weights. The order is
ingress-nginx's (balancer.lua, route_to_alternative_balancer); a condition that does not hold falls through to the
next.
"""

from collections.abc import Iterator

import msgspec

from sevengate.annotations.wishes import Canary
from sevengate.compiler.claims import BackendRef, Claim
from sevengate.routing.affinity import SEPARATOR, affinity_key
from sevengate.routing.policies import Balance
from sevengate.routing.table import Route, RouteSource, ValueKind, ValueMatch, ValueSource, WeightedBackend


def divide(route: Route, primary: Claim, canary: Claim) -> list[Route]:
    """Give the routes that stand in the place of `route` once the canary takes its part."""
    asked = canary.claimant.wishes.canary
    if asked is None or primary.backend is None or canary.backend is None:
        return [route]
    division = _Division(route, primary, canary)
    return [
        *division.sticky(primary.backend, canary.backend),
        *division.by_header(asked),
        *division.by_cookie(asked),
        division.by_weight(asked, primary.backend, canary.backend),
    ]


class _Division:
    """The two sides of one division: what a route to either looks like."""

    def __init__(self, route: Route, primary: Claim, canary: Claim) -> None:
        self._route = route
        wishes = primary.claimant.wishes
        keeps = wishes.affinity_canary_sticky and canary.claimant.wishes.affinity_canary_sticky
        self._affinity = wishes.balance.affinity if keeps else None
        self._canary = _to_canary(route, canary, self._canary_balance(canary.claimant.wishes.balance))

    def sticky(self, primary: BackendRef, canary: BackendRef) -> Iterator[Route]:
        """Give the routes for clients whose cookie was made at one side or the other."""
        if self._affinity:
            cookie = self._affinity.cookie
            yield _when(self._route, "canary-sticky-primary", _made_at(cookie, primary))
            yield _when(self._canary, "canary-sticky", _made_at(cookie, canary))

    def by_header(self, asked: Canary) -> Iterator[Route]:
        """Give the routes that a header decides."""
        if not asked.header:
            return
        if asked.header_value:
            condition = ValueMatch(ValueSource.HEADER, asked.header, ValueKind.EXACT, asked.header_value)
            yield _when(self._canary, "canary-header", condition)
        elif asked.header_pattern:
            condition = ValueMatch(ValueSource.HEADER, asked.header, ValueKind.REGEX, asked.header_pattern)
            yield _when(self._canary, "canary-header", condition)
        else:
            yield from self._always_and_never("canary-header", ValueSource.HEADER, asked.header)

    def by_cookie(self, asked: Canary) -> Iterator[Route]:
        """Give the routes that a cookie decides."""
        if asked.cookie:
            yield from self._always_and_never("canary-cookie", ValueSource.COOKIE, asked.cookie)

    def by_weight(self, asked: Canary, primary: BackendRef, canary: BackendRef) -> Route:
        """Give the route for everybody else."""
        rest = asked.weight_total - asked.weight
        shares = (WeightedBackend(primary.name, rest), WeightedBackend(canary.name, asked.weight))
        backends = tuple(share for share in shares if share.weight)
        return msgspec.structs.replace(self._route, backends=backends, canary=canary.name)

    def _always_and_never(self, suffix: str, source: ValueSource, name: str) -> Iterator[Route]:
        yield _when(self._canary, suffix, ValueMatch(source, name, ValueKind.EXACT, "always"))
        yield _when(self._route, f"{suffix}-never", ValueMatch(source, name, ValueKind.EXACT, "never"))

    def _canary_balance(self, balance: Balance) -> Balance:
        # A client whom the canary has served once can only come back to it if he gets the cookie that says so.
        if balance.affinity is None and self._affinity:
            return msgspec.structs.replace(balance, affinity=self._affinity)
        return balance


def _to_canary(route: Route, canary: Claim, balance: Balance) -> Route:
    """Give the primary's route with the canary's backend and balance: its other annotations do not count."""
    backend = canary.backend
    return msgspec.structs.replace(
        route,
        source=source_of(canary),
        backends=(WeightedBackend(backend.name),) if backend else (),
        policies=msgspec.structs.replace(route.policies, balance=balance),
        canary=backend.name if backend else "",
        counts_for=route.source,
    )


def source_of(claim: Claim) -> RouteSource:
    """Say whose wish a route is."""
    backend = claim.backend
    return RouteSource(
        claim.claimant.ref, claim.field, backend.service if backend else "", backend.port if backend else ""
    )


def _when(route: Route, suffix: str, condition: ValueMatch) -> Route:
    match = msgspec.structs.replace(route.match, values=(condition,))
    return msgspec.structs.replace(route, name=f"{route.name}/{suffix}", match=match)


def _made_at(cookie: str, backend: BackendRef) -> ValueMatch:
    return ValueMatch(ValueSource.COOKIE, cookie, ValueKind.SUFFIX, SEPARATOR + affinity_key(backend.name))
