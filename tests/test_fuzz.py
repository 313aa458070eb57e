"""Whatever Ingresses hold: nothing raises, nginx.conf keeps its tree, NGINX takes it, and the twins agree."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.cli.expectations import Case
from sevengate.cli.live import ask_through
from sevengate.compiler.compile import Compilation, compile_all
from sevengate.diagnostics import Report
from sevengate.kube.decode import decode
from sevengate.kube.objects import AnyObject
from sevengate.nginx.conf import write
from sevengate.nginx.documents import StaticDefaults, documents
from sevengate.nginx.installation import find_installation
from sevengate.nginx.listening import Listen
from sevengate.nginx.live import Live, live
from sevengate.nginx.runtime import Runtime
from sevengate.nginx.static import default_profile, static_conf
from sevengate.nginx.supervisor import place
from sevengate.routing.explain import explain
from sevengate.routing.policies import Profile
from sevengate.routing.request import Request
from sevengate.routing.table import ANY_HOST, Route, RoutingTable, ValueMatch, ValueSource
from sevengate.routing.text import table_text
from sevengate.settings import Options, Settings
from tests.compiler.making import NOW, endpoint_slice, ingress, key_pair, path, rule, secret, service, snapshot
from tests.conf_reader import Tree, read_conf
from tests.hostile import ingresses
from tests.nginx.test_twins import served_by_lua, served_by_reference

Plain = dict[str, Any]

NEIGHBOUR: Final = ingress("neighbour", rule("neighbour.test", path("/n")), created="2025-01-01T00:00:00Z")
AROUND: Final[tuple[AnyObject, ...]] = (
    service(),
    endpoint_slice(),
    service("other"),
    endpoint_slice("other"),
    NEIGHBOUR,
    secret("tls", *key_pair(("a.example", "*.example"))),
    secret("junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", b"\0"),
)
PLACE: Final = place(find_installation(), Runtime(Path("/run/gate")), Listen(("127.0.0.1",), 80, 443, 8181))
NAMED: Final = re.compile(r"@(?:http|https|grpc|grpcs)-\d+-(?:on|off)-(?:on|off)")


def compiled(odd: list[Plain]) -> Compilation:
    report = Report()
    decoded = [found for plain in odd if (found := decode(plain, report)) is not None]
    assert len(decoded) == len(odd) or len(report) > 0
    return compile_all(snapshot(*AROUND, *decoded), Options(), NOW)


def tree_with(profiles: frozenset[Profile]) -> Tree:
    return read_conf(write(static_conf(Settings(), profiles, PLACE)))


def without_profiles(tree: Tree) -> Tree:
    """Take out of a configuration what depends on Profiles: their locations, and the largest body of all of them."""
    return [
        (
            tuple(re.sub(r"front_body_size:\d+", "front_body_size:0", word) for word in words),
            without_profiles(block) if block else block,
        )
        for words, block in tree
        if words[0] != "client_max_body_size" and not NAMED.fullmatch(words[-1])
    ]


def profile_locations(tree: Tree) -> Iterator[Tree]:
    for words, block in tree:
        if block and words[0] == "location" and NAMED.fullmatch(words[-1]):
            yield block
        elif block:
            yield from profile_locations(block)


STAYS: Final = without_profiles(tree_with(frozenset()))
#: All that may stand in the location of a Profile: every argument is a number or one of a few words.
IN_A_PROFILE: Final = re.compile(
    r"client_max_body_size \d+|log_by_lua_block|proxy_(?:request_)?buffering (?:on|off)"
    r"|(?:proxy|grpc)_pass (https?|grpcs?)://sevengate_\1"
)


@settings(max_examples=400)
@given(ingresses)
def test_ingresses_change_nothing_in_nginx_conf_but_the_number_of_profiles(odd: list[Plain]) -> None:
    table = compiled(odd).table
    tree = tree_with(table.profiles)
    assert without_profiles(tree) == STAYS
    locations = list(profile_locations(tree))
    servers = 2  # plain and TLS
    assert len(locations) == servers * len({default_profile(Settings()), *table.profiles})
    assert [words for block in locations for words, _ in block if not IN_A_PROFILE.fullmatch(" ".join(words))] == []


@settings(max_examples=200)
@given(ingresses)
def test_whatever_ingresses_hold_documents_are_json_and_the_table_can_be_printed(odd: list[Plain]) -> None:
    compilation = compiled(odd)
    found = list(documents(compilation.table, StaticDefaults(), {}))
    assert all(isinstance(json.loads(document.text), dict) for document in found)
    assert len({document.name for document in found}) == len(found)
    assert all(line.isascii() and line.isprintable() for line in table_text(compilation.table).splitlines())


@settings(max_examples=200)
@given(ingresses)
def test_a_neighbour_notices_nothing(odd: list[Plain]) -> None:
    table = compiled(odd).table
    assert table.hosts["neighbour.test"] == compiled([]).table.hosts["neighbour.test"]


# --- the twins


def targets(path: str) -> list[str]:
    """Give requests' targets near the path of a route."""
    quoted = quote(path, safe="/:@!$&'()*+,;=~\"<>[]^`{|}\\", errors="replace")[:500]
    near = [quoted, quoted + "/", quoted + "/x", quoted.rstrip("/"), quoted[:-1], quoted.upper(), "/a/b", "/b/a"]
    return [target for target in near if target.startswith("/")]


def headers_for(values: tuple[ValueMatch, ...]) -> tuple[tuple[str, str], ...]:
    lines = []
    for value in values:
        text = value.value if value.value.isascii() and value.value.isprintable() else "x"
        if value.source is ValueSource.HEADER:
            lines.append((value.name.replace("_", "-"), text))
        elif value.source is ValueSource.COOKIE:
            lines.append(("cookie", f"{value.name}={text}"))
    return tuple(lines)


def requests_near(table: RoutingTable) -> st.SearchStrategy[Request]:
    """Draw requests that mean one of the table's routes, or just miss it."""
    routes = [(host.name, route) for host in table.hosts.values() for route in host.routes]
    # The neighbour's is asked for only where there is no other.
    odd = [(name, route) for name, route in routes if name != NEIGHBOUR.rules[0].host] or routes

    def of(chosen: tuple[str, Route], at: int, scheme: str) -> Request:
        name, route = chosen
        host = "elsewhere.test" if name == ANY_HOST else name.replace("*", "x")
        found = targets(route.match.path.value.removeprefix("^"))
        return Request(host, found[at % len(found)], scheme=scheme, headers=headers_for(route.match.values))

    return st.builds(of, st.sampled_from(odd), st.integers(0, 7), st.sampled_from(["http", "https"]))


@settings(max_examples=200)
@given(st.data(), ingresses)
def test_the_lua_router_and_the_matcher_agree_near_odd_routes(data: st.DataObject, odd: list[Plain]) -> None:
    table = compiled(odd).table
    for request in data.draw(st.lists(requests_near(table), min_size=3, max_size=6)):
        assert served_by_lua(table, request) == served_by_reference(table, request)
        explain(table, request)


# --- NGINX


@pytest.fixture(scope="module")
def gate() -> Iterator[Live]:
    with live() as running:
        yield running


@settings(max_examples=60)
@given(st.data(), ingresses)
def test_nginx_serves_odd_routes_as_the_matcher_says(gate: Live, data: st.DataObject, odd: list[Plain]) -> None:
    table = compiled(odd).table
    asked = data.draw(st.lists(requests_near(table), min_size=8, max_size=12))
    cases = [Case(str(request), 0, request, {}) for request in asked]
    answers = ask_through(gate, table, cases)
    assert {case.name: found for case, found in zip(cases, answers, strict=True) if found} == {}


@pytest.fixture(scope="module")
def taken() -> set[frozenset[Profile]]:
    """Profiles with which NGINX was asked already: the same ones make the same configuration."""
    return set()


@settings(max_examples=100)
@given(ingresses)
def test_nginx_takes_the_configuration_of_odd_ingresses(
    refusal: Callable[[Settings, Iterable[Profile]], str], taken: set[frozenset[Profile]], odd: list[Plain]
) -> None:
    profiles = compiled(odd).table.profiles
    if profiles not in taken:
        assert refusal(Settings(), profiles) == ""
        taken.add(profiles)
