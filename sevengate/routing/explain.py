"""Why a request is served as it is: the rule that takes it, what it was preferred to, and what happens on the way.

Takes a RoutingTable and a Request, and if there are any the diagnostics of claims that lost a conflict; gives an
Explanation, made of values that `sevengate explain` prints as text or JSON. What becomes of the request is match.py's
verdict and is not worked out anew here; this module only says in words what the matcher decided by comparing. For a
request that nobody serves, misses.py finds what came nearest.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from sevengate.diagnostics import Diagnostic
from sevengate.routing.addresses import range_text, verdict
from sevengate.routing.match import (
    answer,
    conditions_fit,
    find_host,
    first_fitting,
    fitting,
    path_fits,
    rewritten,
    serve,
)
from sevengate.routing.misses import Miss, condition_misses, nearest_misses
from sevengate.routing.policies import AddressRules
from sevengate.routing.received import Received, receive
from sevengate.routing.request import Outcome, Request
from sevengate.routing.table import (
    ANY_HOST,
    Host,
    Match,
    PathKind,
    Route,
    RoutingTable,
    WeightedBackend,
)
from sevengate.routing.text import backends_text, host_text, share_text, value_text
from sevengate.routing.uri import BadRequest, to_text

#: How many routes that were beaten are worth reading.
_SHOWN: Final = 8

_ORDER: Final = (PathKind.EXACT, PathKind.REGEX, PathKind.PREFIX)


class Beaten(msgspec.Struct, frozen=True):
    """A Route that fits the request too, and why another one was preferred."""

    host: str
    route: Route
    reason: str


class Destination(msgspec.Struct, frozen=True):
    """A Backend that may get the request, its share of such requests, and its endpoints as `address:port`."""

    backend: str
    share: str
    endpoints: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """What becomes of a request and why. `path` is the normalised path; `host` says how the host was found.

    `beaten` are the runners-up, the next first; `steps` are what happens on the way, in order; `conflicts` are claims
    to the same place that lost to the same object; `misses` are there only where no route serves.
    """

    request: Request
    outcome: Outcome
    path: str = ""
    host: str = ""
    beaten: tuple[Beaten, ...] = ()
    steps: tuple[str, ...] = ()
    destinations: tuple[Destination, ...] = ()
    conflicts: tuple[Diagnostic, ...] = ()
    misses: tuple[Miss, ...] = ()


def explain(table: RoutingTable, request: Request, conflicts: Iterable[Diagnostic] = ()) -> Explanation:
    """Say what becomes of a request and why."""
    outcome = serve(table, request)
    try:
        received = receive(request)
    except BadRequest:
        return Explanation(request, outcome)
    host, route = find_host(table, received.host), outcome.route
    served = host is not None and route is not None
    return Explanation(
        request,
        outcome,
        path=to_text(received.path),
        host=_host_reason(host, received),
        beaten=tuple(_beaten(table, host, route, received))[:_SHOWN] if host and route else (),
        steps=tuple(_steps(table, host, route, received)) if host and route else (),
        destinations=_destinations(table, outcome.backends),
        conflicts=tuple(lost for lost in conflicts if host and route and _lost_to(lost, host, route)),
        misses=() if served else nearest_misses(table, received),
    )


def _lost_to(lost: Diagnostic, host: Host, route: Route) -> bool:
    """Say whether a conflict was about a route's place; it names the host and the path in its message."""
    named = repr(route.match.path.value) in lost.message and (host.name == ANY_HOST or host.name in lost.message)
    return lost.winner == route.source.object and named


def _host_reason(host: Host | None, received: Received) -> str:
    if host is None:
        return f"no rule is for {received.host}"
    if host.name == received.host:
        return f"{host.name} is named exactly"
    if host.name == ANY_HOST:
        return f"no rule names {received.host}, so the rules for any host apply"
    return f"{host.name} covers {received.host}, which no rule names"


def _beaten(table: RoutingTable, host: Host, winner: Route, received: Received) -> Iterator[Beaten]:
    for route in fitting(host, received):
        if route is not winner:
            yield Beaten(host.name, route, preference(winner.match, route.match))
    for name in (f"*.{received.host.partition('.')[2]}", ANY_HOST):
        other = table.hosts.get(name)
        loser = first_fitting(other, received) if other and name != host.name else None
        if loser and host.name != ANY_HOST:
            yield Beaten(name, loser, f"{host_text(host.name)} is more precise than {host_text(name)}")


def preference(winner: Match, loser: Match) -> str:
    """Say why one of two Matches that both fit stands before the other in a Host."""
    first, second = winner.path, loser.path
    if first.kind is not second.kind:
        before, after = sorted((first.kind, second.kind), key=_ORDER.index)
        return f"{_article(before)} path comes before {_article(after)} one"
    if len(first.value) != len(second.value):
        return f"the longer {first.kind} comes first"
    if first.value != second.value:
        return "of patterns of one length the one that sorts last comes first"
    if len(winner.values) != len(loser.values) or winner.method != loser.method:
        return "it has a condition that holds, and the other is for all the rest"
    return "it stands first among routes alike"


def _article(kind: PathKind) -> str:
    return f"an {kind}" if kind is PathKind.EXACT else f"a {kind}"


def _steps(table: RoutingTable, host: Host, route: Route, received: Received) -> Iterator[str]:
    yield from _decisions(host, route, received)
    answered = answer(route.policies, received, host, route)
    if received.request.scheme == "https" and route.policies.https:
        yield "the request is https already"
    if route.policies.addresses and (answered is None or answered.status == 403):
        yield _address_step(route.policies.addresses, received.request.client)
    if answered:
        yield _answer_step(answered)
    else:
        yield from _proxy_steps(table, route, received)


def _decisions(host: Host, winner: Route, received: Received) -> Iterator[str]:
    """Tell the conditions that were asked on the way to the winner: a canary's header and cookie, methods."""
    for route in host.routes:
        if route is winner:
            break
        if path_fits(route.match.path, received.path) and not conditions_fit(route.match, received):
            yield f"not to {backends_text(route.backends)}: {condition_misses(route.match, received)}"
    if winner.match.values:
        yield f"to {backends_text(winner.backends)}: " + ", ".join(
            f"{value_text(v)} holds" for v in winner.match.values
        )


def _address_step(rules: AddressRules, client: str) -> str:
    judged = verdict(rules, client)
    if judged.admitted:
        return f"{client} may come in: " + (
            f"{range_text(judged.range)} is allowed" if judged.range else "it is not denied"
        )
    return f"{client} may not come in: " + (
        f"{range_text(judged.range)} is denied" if judged.range else "no allowed range holds it"
    )


def _answer_step(answered: Outcome) -> str:
    target = f" to {answered.location}" if answered.location else ""
    return f"answered with {answered.status}{target}: {answered.reason}"


def _proxy_steps(table: RoutingTable, route: Route, received: Received) -> Iterator[str]:
    rule = route.policies.rewrite
    if rule:
        target = rewritten(rule, received)
        changed = f"rewritten to {target}" if target != received.request.target else "left as it is"
        yield f"the path is {changed} by {rule.pattern} -> {rule.replacement}"
    if route.policies.upstream_host:
        yield f"the backend sees the host {route.policies.upstream_host}"
    if len(route.backends) > 1:
        yield f"by weight: {backends_text(route.backends)}"
    for choice in route.backends:
        backend = table.backends.get(choice.backend)
        if not backend or not backend.endpoints:
            yield f"{choice.backend} has no endpoints, so it gets no request"
    if not route.backends:
        yield "the route has no backend, so the answer is 503"


def _destinations(table: RoutingTable, choices: tuple[WeightedBackend, ...]) -> tuple[Destination, ...]:
    return tuple(
        Destination(
            choice.backend, share_text(choice, choices), tuple(map(str, table.backends[choice.backend].endpoints))
        )
        for choice in choices
    )
