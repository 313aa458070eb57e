"""The Lua that runs in NGINX and the reference matcher are twins: the same tables, the same requests, the same answers.

The pure Lua files run in LuaJIT without NGINX. What they ask of NGINX (a header, whether a pattern is found) is
answered by the reference matcher's own functions, so what is compared is the walk through the routes; that PCRE and re
find the same, and that NGINX reads requests the same way, is shown against a live NGINX.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa import luajit21

from sevengate.nginx.documents import StaticDefaults, host_document
from sevengate.routing.addresses import packed, verdict
from sevengate.routing.match import find_host, first_fitting, rewritten
from sevengate.routing.policies import AddressRange, AddressRules, Rewrite
from sevengate.routing.received import Received, receive
from sevengate.routing.regex import compile_bytes
from sevengate.routing.request import Request
from sevengate.routing.table import (
    ANY_HOST,
    Host,
    RoutingTable,
    ValueSource,
)
from sevengate.routing.template import Template
from sevengate.routing.uri import BadRequest, escape, to_bytes, to_text
from tests.house.sources import ROOT
from tests.matching import Group, groups
from tests.strategies import requests, tables

LUA = luajit21.LuaRuntime(encoding=None)
LUA.execute(f'package.path = "{ROOT}/?.lua;" .. package.path'.encode())


def module(name: str) -> Any:
    return LUA.require(f"sevengate.nginx.lua.{name}".encode())


ROUTER = module("router")
ADDRESSES = module("policies.addresses")
REWRITE = module("policies.rewrite")
TEMPLATE = module("policies.template")


def to_lua(value: Any) -> Any:
    """Give plain data to Lua as cjson would: text as bytes, lists and mappings as tables."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return LUA.table(*map(to_lua, value))
    if isinstance(value, dict):
        return LUA.table_from({to_lua(key): to_lua(item) for key, item in value.items()})
    return value


def lua_index(host: Host) -> Any:
    """Build the router's index of a host from its document, as lua/state.lua does."""
    routes = json.loads(host_document(host, StaticDefaults()).text)["routes"]
    for plain, route in zip(routes, host.routes, strict=True):
        plain["name"] = route.name
    return ROUTER[b"build"](to_lua(routes))


def lua_request(received: Received) -> Any:
    """Give the functions by which the router asks about a request."""

    def value(source: bytes, name: bytes) -> bytes | None:
        found = received.value(ValueSource(source.decode()), name.decode())
        return None if found is None else to_bytes(found)

    def found(text: bytes, pattern: bytes) -> bool:
        return compile_bytes(pattern.decode()).search(text) is not None

    functions: dict[str, Callable[..., object]] = {
        "method": received.request.method.encode,
        "value": value,
        "found": found,
    }
    return LUA.table_from({name.encode(): function for name, function in functions.items()})


def served_by_lua(table: RoutingTable, request: Request) -> str | None:
    """Give the name of the route that the Lua router takes, None for none or a bad request."""
    try:
        received = receive(request)
    except BadRequest:
        return None
    name = to_bytes(received.host)
    wildcard = ROUTER[b"wildcard"](name)
    candidates = (name, wildcard, ANY_HOST.encode())
    host = next((table.hosts[to_text(found)] for found in candidates if found and to_text(found) in table.hosts), None)
    entry = ROUTER[b"match"](lua_index(host), received.path, lua_request(received)) if host else None
    return entry[b"route"][b"name"].decode() if entry else None


def served_by_reference(table: RoutingTable, request: Request) -> str | None:
    try:
        received = receive(request)
    except BadRequest:
        return None
    host = find_host(table, received.host)
    route = first_fitting(host, received) if host else None
    return route.name if route else None


@pytest.mark.parametrize("group", groups(), ids=lambda group: group.about)
def test_the_lua_router_takes_the_route_that_the_table_of_cases_names(group: Group) -> None:
    for case in group.cases:
        named = case.expect.get("route")
        if named is not None:
            assert (served_by_lua(group.table, case.request) or "") == named, case.name
        assert served_by_lua(group.table, case.request) == served_by_reference(group.table, case.request), case.name


@settings(max_examples=500, deadline=None)
@given(tables, st.lists(requests, min_size=1, max_size=5))
def test_router_and_reference_take_the_same_route(table: RoutingTable, asked: list[Request]) -> None:
    for request in asked:
        assert served_by_lua(table, request) == served_by_reference(table, request)


# --- policies


def ranges(found: list[tuple[int, int]]) -> Iterator[AddressRange]:
    """Make sorted ranges that do not overlap, of few IPv4 and IPv6 addresses that are near each other."""
    end = -1
    for gap, length in found:
        first = end + 1 + gap
        end = first + length
        yield AddressRange(f"{first:08x}", f"{end:08x}")
        yield AddressRange(f"{first:032x}", f"{end:032x}")


range_lists = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=4).map(
    lambda found: tuple(sorted(ranges(found)))
)
near = st.one_of(
    st.integers(0, 2000).map(lambda number: packed(f"0.0.{number // 256}.{number % 256}")),
    st.integers(0, 2000).map(lambda number: f"{number:032x}"),
    st.integers(0, 2000).map(lambda number: f"{0xFFFF00000000 + number:032x}"),
)


def address_text(hexadecimal: str) -> str:
    raw = bytes.fromhex(hexadecimal)
    if len(raw) == 4:
        return ".".join(map(str, raw))
    return ":".join(raw[at : at + 2].hex() for at in range(0, 16, 2))


@given(st.one_of(st.none(), range_lists), range_lists, near)
def test_the_same_addresses_may_come_in(
    allow: tuple[AddressRange, ...] | None, deny: tuple[AddressRange, ...], address: str
) -> None:
    plain = {"deny": [[held.first, held.last] for held in deny]}
    if allow is not None:
        plain["allow"] = [[held.first, held.last] for held in allow]
    admitted = ADDRESSES[b"admits"](ADDRESSES[b"build"](to_lua(plain)), bytes.fromhex(address))
    assert admitted == verdict(AddressRules(allow, deny), address_text(address)).admitted


def captures(text: bytes, pattern: bytes) -> Any:
    """Find a pattern as ngx.re.match does: groups by number, all of it at 0, false for a group without part."""
    found = compile_bytes(pattern.decode()).search(text)
    if not found:
        return None
    return LUA.table_from({number: found[number] or False for number in range(found.re.groups + 1)})


@given(
    st.sampled_from(["/api(/|$)(.*)", "^/(a)?(b)?", "(b+)", "/x"]),
    st.text(alphabet="/ab$1230 ?é", max_size=8),
    st.text(alphabet="/abx_é").map(lambda path: f"/{path}"),
)
def test_the_same_path_is_written(pattern: str, replacement: str, target: str) -> None:
    rule, received = Rewrite(pattern, f"/{replacement}"), receive(Request("h", target))
    plain = to_lua({"pattern": pattern, "replacement": f"/{replacement}"})
    path = REWRITE[b"path"](plain, received.path, captures)
    assert (target if path is None else escape(path)) == rewritten(rule, received)


@pytest.mark.parametrize(
    "text", ["https://new.example$request_uri", "$scheme://$host/${arg_x}y", "plain", "$http_x_y-$cookie_id$args"]
)
def test_the_same_template_says_the_same(text: str) -> None:
    received = receive(Request("H.example:80", "/a/b?x=1", headers=(("x-y", "v"), ("cookie", "id=3"))))
    parts = [part if isinstance(part, str) else [part.name] for part in Template.parse(text).parts]

    def variable(name: bytes) -> bytes | None:
        value = received.variable(name.decode())
        return None if value is None else value.encode()

    assert TEMPLATE[b"text"](to_lua(parts), variable).decode() == received.text(Template.parse(text))
