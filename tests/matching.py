"""Reads tests/matching.yaml: routing tables, and cases of requests with what must become of them.

The reference matcher, the Lua router and the live data plane are all asked the same cases, so each of their tests takes
its Groups from here.
"""

import ipaddress
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from sevengate.cli.expectations import Case
from sevengate.cli.urls import request_of
from sevengate.diagnostics import ObjectRef
from sevengate.routing.policies import (
    AddressRange,
    AddressRules,
    Closed,
    HttpsRedirect,
    Policies,
    Profile,
    Redirect,
    Rewrite,
)
from sevengate.routing.table import (
    Backend,
    Endpoint,
    Host,
    Match,
    PathKind,
    PathMatch,
    Route,
    RouteSource,
    RoutingTable,
    ValueKind,
    ValueMatch,
    ValueSource,
    WeightedBackend,
)
from sevengate.routing.template import Template

FILE: Final = Path(__file__).with_name("matching.yaml")

#: The Service that never has endpoints.
GONE: Final = "gone"

Plain = Mapping[str, Any]


class Group(msgspec.Struct, frozen=True):
    """A routing table and the cases that are asked of it."""

    about: str
    table: RoutingTable
    cases: tuple[Case, ...]


def groups() -> list[Group]:
    """Read the file."""
    return [_group(plain) for plain in yaml.safe_load(FILE.read_text(encoding="utf-8"))]


def table_of(hosts: Mapping[str, Any], default: str = "") -> RoutingTable:
    """Make a table of what the file holds under `hosts` and `default`."""
    made = {name: Host(name, tuple(map(_route, routes))) for name, routes in hosts.items()}
    names = {choice.backend for host in made.values() for route in host.routes for choice in route.backends}
    fallback = _backend_name(default) if default else ""
    backends = {name: _backend(name) for name in sorted({*names, fallback} - {""})}
    return RoutingTable(hosts=made, backends=backends, default_backend=fallback)


def _group(plain: Plain) -> Group:
    table = table_of(plain["hosts"], plain.get("default", ""))
    return Group(plain["about"], table, tuple(map(_case, plain["cases"])))


def _backend_name(service: str) -> str:
    return f"test/{service}:80"


def _backend(name: str) -> Backend:
    endpoints = () if name == _backend_name(GONE) else (Endpoint("127.0.0.1", 80),)
    return Backend(name, name.replace("/", "-").replace(":", "-"), endpoints)


def _route(plain: Plain) -> Route:
    name = plain["name"]
    kind = next(kind for kind in PathKind if kind.value in plain)
    source = RouteSource(ObjectRef("Ingress", "test", name), "spec.rules[0].http.paths[0]", name, "80")
    values = tuple(map(_value, plain.get("when", ())))
    weights = plain.get("weights", {GONE if plain.get("empty") else name: 1})
    return Route(
        name=name,
        match=Match(PathMatch(kind, plain[kind.value]), plain.get("method", ""), values),
        source=source,
        backends=tuple(WeightedBackend(_backend_name(service), weight) for service, weight in weights.items()),
        policies=_policies(plain),
    )


def _value(text: str) -> ValueMatch:
    source, name, kind, *value = shlex.split(text)
    return ValueMatch(ValueSource(source), name, ValueKind(kind), *value)


def _policies(plain: Plain) -> Policies:
    redirect, rewrite = plain.get("redirect"), plain.get("rewrite")
    return Policies(
        closed=Closed(plain["closed"], "it is closed") if "closed" in plain else None,
        redirect=Redirect(redirect[0], Template.parse(redirect[1])) if redirect else None,
        https=HttpsRedirect(plain["https"], plain.get("keep-trailing-slash", False)) if "https" in plain else None,
        addresses=_addresses(plain),
        rewrite=Rewrite(*rewrite) if rewrite else None,
        upstream_host=plain.get("upstream-host", ""),
        profile=Profile(buffering=plain.get("buffering", False)),
    )


def _addresses(plain: Plain) -> AddressRules | None:
    if "allow" not in plain and "deny" not in plain:
        return None
    allow = tuple(map(_range, plain["allow"])) if "allow" in plain else None
    return AddressRules(allow, tuple(map(_range, plain.get("deny", ()))))


def _range(block: str) -> AddressRange:
    network = ipaddress.ip_network(block)
    return AddressRange(network[0].packed.hex(), network[-1].packed.hex())


def _case(plain: Any) -> Case:
    if isinstance(plain, list):
        url, expected = plain
        key = "status" if isinstance(expected, int) else "route"
        return Case(url, 0, request_of(url), {key: expected})
    asked = dict(plain["request"])
    target = asked.pop("target", "")
    request = request_of(headers=_headers(asked.pop("headers", {})), **asked)
    if target:
        request = msgspec.structs.replace(request, target=target)
    return Case(str(plain["request"]), 0, request, plain["expect"])


def _headers(plain: Plain) -> list[tuple[str, str]]:
    lines = ((name, value if isinstance(value, list) else [value]) for name, value in plain.items())
    return [(name, value) for name, values in lines for value in values]
