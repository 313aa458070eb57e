"""The reference matcher: what becomes of a request, worked out plainly. The twin of nginx/lua/router.lua and policies/.

Takes a RoutingTable and a Request; gives an Outcome. It reads the routes of the request's Host from the first to the
last and keeps no index, so that one can see that it is right; the data plane's twin is built for speed, and
tests/matching.yaml and a property test hold the two together. `sevengate explain` and `sevengate test` answer from here
without NGINX. Which endpoint is chosen, and which of several weighted backends, is chance and load: the Outcome holds
what is possible.
"""

import re
from collections.abc import Iterator
from typing import Final

from sevengate.routing.addresses import verdict
from sevengate.routing.policies import HttpsRedirect, Policies, Rewrite
from sevengate.routing.received import Received, receive
from sevengate.routing.regex import compile_bytes
from sevengate.routing.request import Outcome, Request
from sevengate.routing.table import (
    ANY_HOST,
    Host,
    Match,
    PathKind,
    PathMatch,
    Route,
    RoutingTable,
    ValueKind,
    ValueMatch,
    WeightedBackend,
)
from sevengate.routing.uri import BadRequest, escape, to_bytes

_GROUP: Final = re.compile(rb"\$(\d)")


def serve(table: RoutingTable, request: Request) -> Outcome:
    """Say what becomes of a request."""
    try:
        received = receive(request)
    except BadRequest as bad:
        return Outcome(status=400, reason=str(bad))
    host = find_host(table, received.host)
    route = first_fitting(host, received) if host else None
    if host is None or route is None:
        return _unclaimed(table, host, request)
    return answer(route.policies, received, host, route) or _proxied(table, received, host, route)


def find_host(table: RoutingTable, name: str) -> Host | None:
    """Give the Host that a host name belongs to: its own, then the wildcard over its first label, then ANY_HOST.

    https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards
    """
    label, dot, rest = name.partition(".")
    candidates = (name, f"*.{rest}" if label and dot else "", ANY_HOST)
    return next((table.hosts[candidate] for candidate in candidates if candidate in table.hosts), None)


def first_fitting(host: Host, received: Received) -> Route | None:
    """Give the first Route of a Host whose Match fits. No other Host is asked: a host's name decides alone."""
    return next(fitting(host, received), None)


def fitting(host: Host, received: Received) -> Iterator[Route]:
    """Give all Routes of a Host whose Match fits, in order of precedence."""
    return (route for route in host.routes if match_fits(route.match, received))


def match_fits(match: Match, received: Received) -> bool:
    """Say whether all conditions of a Match hold."""
    return path_fits(match.path, received.path) and conditions_fit(match, received)


def conditions_fit(match: Match, received: Received) -> bool:
    """Say whether the conditions beside the path hold: the method, and all values."""
    if match.method and match.method != received.request.method:
        return False
    return all(value_fits(value, received) for value in match.values)


def path_fits(match: PathMatch, path: bytes) -> bool:
    """Say whether a normalised path fits.

    https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types
    """
    wanted = to_bytes(match.value)
    if match.kind is PathKind.EXACT:
        return path == wanted
    if match.kind is PathKind.PREFIX:
        return (path.removesuffix(b"/") + b"/").startswith(wanted.removesuffix(b"/") + b"/")
    return compile_bytes(match.value).search(path) is not None


def value_fits(match: ValueMatch, received: Received) -> bool:
    """Say whether the condition on one header, query parameter or cookie holds."""
    value = received.value(match.source, match.name)
    if value is None:
        return False
    if match.kind is ValueKind.EXACT:
        return value == match.value
    if match.kind is ValueKind.SUFFIX:
        return value.endswith(match.value)
    if match.kind is ValueKind.REGEX:
        return compile_bytes(match.value).search(to_bytes(value)) is not None
    return True


def answer(policies: Policies, received: Received, host: Host, route: Route) -> Outcome | None:
    """Give what a route's policies answer in place of a backend, or None; the first that has an answer gives it."""
    if policies.closed:
        return Outcome(policies.closed.status, host.name, route, reason=policies.closed.reason)
    if policies.redirect:
        location = received.text(policies.redirect.location)
        return Outcome(policies.redirect.code, host.name, route, location, reason="the route is a redirect")
    if policies.https and received.request.scheme == "http":
        location = https_location(policies.https, received)
        return Outcome(policies.https.code, host.name, route, location, reason="the route is served over https only")
    if policies.addresses and not verdict(policies.addresses, received.request.client).admitted:
        return Outcome(403, host.name, route, reason=f"the address {received.request.client} may not come in")
    return None


def https_location(policy: HttpsRedirect, received: Received) -> str:
    """Give the same URL under https, without the port; a slash at its end is cut unless it is to be kept, or all."""
    target = received.request.target
    if not policy.keep_trailing_slash and target != "/":
        target = target.removesuffix("/")
    return f"https://{received.host}{target}"


def rewritten(rule: Rewrite | None, received: Received) -> str:
    """Give the target that the backend sees: as sent, or with its path replaced where the rule's pattern is found.

    https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#rewrite
    """
    found = compile_bytes(rule.pattern).search(received.path) if rule else None
    if rule is None or found is None:
        return received.request.target
    path = _GROUP.sub(lambda group: _group(found, int(group[1])), to_bytes(rule.replacement))
    rooted = path if path.startswith(b"/") else b"/" + path
    return escape(rooted) + (f"?{received.args}" if received.args else "")


def possible(table: RoutingTable, backends: tuple[WeightedBackend, ...]) -> tuple[WeightedBackend, ...]:
    """Give the backends that may be chosen: those that have a weight and endpoints."""
    return tuple(
        choice
        for choice in backends
        if choice.weight > 0 and choice.backend in table.backends and table.backends[choice.backend].endpoints
    )


def _group(found: re.Match[bytes], number: int) -> bytes:
    return found[number] or b"" if number <= found.re.groups else b""


def _proxied(table: RoutingTable, received: Received, host: Host, route: Route) -> Outcome:
    choices = possible(table, route.backends)
    if not choices:
        return Outcome(503, host.name, route, reason="no backend of the route has endpoints")
    return Outcome(
        host=host.name,
        route=route,
        backends=choices,
        target=rewritten(route.policies.rewrite, received),
        upstream_host=route.policies.upstream_host,
    )


def _unclaimed(table: RoutingTable, host: Host | None, request: Request) -> Outcome:
    name = host.name if host else ""
    reason = f"no route of the host {name} fits" if host else "no host of the table fits"
    if table.default_backend not in table.backends:
        return Outcome(404, name, reason=reason)
    choices = possible(table, (WeightedBackend(table.default_backend),))
    if not choices:
        return Outcome(503, name, reason=f"{reason}, and the default backend has no endpoints")
    return Outcome(0, name, backends=choices, target=request.target, reason=f"{reason}: the default backend serves")
