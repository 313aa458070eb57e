"""Why nobody serves a request: the hosts and routes that come nearest to it, and what keeps each from fitting.

Takes a RoutingTable and a Received request that no route serves; gives Misses, the nearest first. The usual slips are
known by name: a letter in another case, a slash too many, `/foo` that does not cover `/foobar`, a wildcard that stands
for one label only. What merely looks alike comes after them. Only `sevengate explain` asks, so nothing here is built
for speed.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final

import msgspec

from sevengate.routing.match import conditions_fit, find_host, first_fitting, path_fits, value_fits
from sevengate.routing.received import Received
from sevengate.routing.table import ANY_HOST, Host, Match, PathKind, PathMatch, Route, RoutingTable, ValueMatch
from sevengate.routing.text import host_text, value_text
from sevengate.routing.uri import to_bytes, to_text

#: How many misses are worth reading.
_SHOWN: Final = 3
#: Names less alike than this have nothing to do with each other (0 to 1).
_ALIKE: Final = 0.7

# How near a miss is: first what one small change would cure.
_CONDITIONS, _SLIP, _RELATED, _OTHER = range(4)


class Miss(msgspec.Struct, frozen=True):
    """A Host, and where the host was right a Route of it, and why it does not serve the request."""

    host: str
    reason: str
    route: Route | None = None


class _Ranked(msgspec.Struct, frozen=True):
    """A Miss and how near it is; a smaller rank is nearer, then what looks more alike."""

    rank: int
    likeness: float
    miss: Miss


def nearest_misses(table: RoutingTable, received: Received) -> tuple[Miss, ...]:
    """Give what comes nearest to serving a request that no route serves."""
    host = find_host(table, received.host)
    if host:
        found = [_route_miss(host, route, received) for route in host.routes]
        broader = _broader_hosts(table, host, received)
    else:
        found = list(_host_misses(table, received))
        broader = []
    found.sort(key=lambda ranked: (ranked.rank, -ranked.likeness))
    return (*(ranked.miss for ranked in found[:_SHOWN]), *broader)


def condition_misses(match: Match, received: Received) -> str:
    """Say which of a Match's conditions beside the path do not hold."""
    reasons = []
    if match.method and match.method != received.request.method:
        reasons.append(f"the method is not {match.method}")
    reasons += [_value_miss(value, received) for value in match.values if not value_fits(value, received)]
    return ", ".join(reasons)


def _value_miss(match: ValueMatch, received: Received) -> str:
    value = received.value(match.source, match.name)
    if value is None:
        return f"{match.source} {match.name} is absent"
    return f"{value_text(match)} does not hold, it is {value!r}"


def _route_miss(host: Host, route: Route, received: Received) -> _Ranked:
    if path_fits(route.match.path, received.path):
        rank, reason = _CONDITIONS, condition_misses(route.match, received)
    else:
        rank, reason = _path_miss(route.match.path, received.path)
        if not conditions_fit(route.match, received):
            reason = f"{reason}; besides, {condition_misses(route.match, received)}"
    likeness = _likeness(route.match.path.value, to_text(received.path))
    return _Ranked(rank, likeness, Miss(host.name, reason, route))


def _path_miss(match: PathMatch, path: bytes) -> tuple[int, str]:
    if match.kind is PathKind.REGEX:
        return _OTHER, "the pattern is not found in the path"
    if path_fits(PathMatch(match.kind, match.value.lower()), path.lower()):
        return _SLIP, "the path is the same but for upper and lower case, which count"
    wanted = to_bytes(match.value)
    return _exact_miss(wanted, path) if match.kind is PathKind.EXACT else _prefix_miss(wanted, path)


def _exact_miss(wanted: bytes, path: bytes) -> tuple[int, str]:
    if path == wanted + b"/":
        return _SLIP, "the path has a slash more at its end, and an exact path must be equal"
    if wanted == path + b"/":
        return _SLIP, "the path lacks the slash at the end, and an exact path must be equal"
    if path.startswith(wanted.removesuffix(b"/") + b"/"):
        return _RELATED, "an exact path does not cover what is below it"
    return _OTHER, "the path is another one"


def _prefix_miss(wanted: bytes, path: bytes) -> tuple[int, str]:
    element = wanted.removesuffix(b"/")
    if path.startswith(element):
        return _SLIP, "a prefix is compared element by element, and the path goes on within the last one"
    if element.startswith(path.removesuffix(b"/") + b"/"):
        return _RELATED, "the path ends above the prefix"
    return _OTHER, "the path is another one"


def _broader_hosts(table: RoutingTable, host: Host, received: Received) -> list[Miss]:
    """Name the broader Hosts that would have served the path, had the request's host no routes of its own."""
    names = (f"*.{received.host.partition('.')[2]}", ANY_HOST)
    broader = (table.hosts[name] for name in names if name in table.hosts and name != host.name)
    reason = f"it has a route that fits, but a request for {host_text(host.name)} is never handed on to a broader host"
    return [
        Miss(other.name, reason, first_fitting(other, received)) for other in broader if _would_serve(other, received)
    ]


def _would_serve(host: Host, received: Received) -> bool:
    return first_fitting(host, received) is not None


def _host_misses(table: RoutingTable, received: Received) -> Iterator[_Ranked]:
    for host in table.hosts.values():
        likeness = _likeness(host.name, received.host)
        rank, reason = _host_miss(host.name, received.host)
        if rank < _OTHER or likeness >= _ALIKE:
            yield _Ranked(rank, likeness, Miss(host.name, f"{reason}{_and_path(host, received)}"))


def _and_path(host: Host, received: Received) -> str:
    return "" if _would_serve(host, received) else "; besides, no path of it fits"


def _host_miss(name: str, asked: str) -> tuple[int, str]:
    if name.startswith("*."):
        return _wildcard_miss(name.removeprefix("*."), asked)
    if asked.endswith(f".{name}"):
        return _SLIP, f"{asked} is below {name}, and a host stands for itself only"
    if name.endswith(f".{asked}"):
        return _SLIP, f"{asked} lacks the {name.removesuffix(f'.{asked}')!r} in front"
    wanted, given = name.split("."), asked.split(".")
    differing = [pair for pair in zip(wanted, given, strict=False) if pair[0] != pair[1]]
    if len(wanted) == len(given) and len(differing) == 1:
        rank = _SLIP if _likeness(*differing[0]) >= _ALIKE else _OTHER
        return rank, f"one label differs: {differing[0][1]!r} is not {differing[0][0]!r}"
    return _OTHER, "the name is only alike"


def _wildcard_miss(rest: str, asked: str) -> tuple[int, str]:
    if asked == rest:
        return _SLIP, f"the wildcard stands for one label, and {asked} has none in its place"
    if asked.endswith(f".{rest}"):
        return _SLIP, f"the wildcard stands for one label, and {asked.removesuffix(f'.{rest}')!r} is more than one"
    return _OTHER, "the name is only alike"


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
