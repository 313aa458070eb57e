"""Whatever an Ingress holds, compiling it raises nothing, widens nothing and leaves the others alone."""

import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.compiler.compile import compile_all
from sevengate.kube.objects import EndpointSlice, Ingress, IngressTLS, Metadata, PathType, Service, ServicePort
from sevengate.routing.table import ANY_HOST, PathKind, Route, RoutingTable
from sevengate.settings import Options
from tests.compiler.making import (
    NOW,
    PREFIX,
    backend,
    endpoint_slice,
    ingress,
    key_pair,
    path,
    rule,
    secret,
    service,
    snapshot,
)

TRICKS = (
    "/",
    "//",
    "..",
    "%2f",
    ";",
    "}",
    "{",
    '"',
    "'",
    "\\",
    "$uri",
    "#",
    "\n",
    "\r",
    "\0",
    "\ud800",
    "é",
    " ",
    "*.",
    "a.example",
    "@service",
    ":80",
    "(",
    "[a",
    "{1,99999}",
    "location / { alias /var/run/secrets/; }",
)
texts = st.lists(st.sampled_from(TRICKS) | st.text(max_size=4), max_size=5).map("".join)
odd_paths = st.builds(path, texts | texts.map("/{}".format), texts | st.just("shop"), st.sampled_from(PathType))
odd_rules = st.builds(rule, texts | st.just("a.example"), odd_paths, odd_paths)
odd_annotations = st.dictionaries(
    st.sampled_from(["use-regex", "rewrite-target", "app-root", "canary", "upstream-vhost", "permanent-redirect", "x"]),
    texts | st.sampled_from(["true", "/$1"]),
    max_size=3,
)
odd_tls = st.builds(
    IngressTLS, st.lists(texts | st.just("a.example"), max_size=3).map(tuple), texts | st.sampled_from(["tls", "junk"])
)
odd_ingresses = st.builds(
    lambda rules, annotations, tls: ingress("odd", *rules, annotations=annotations, tls=tuple(tls)),
    st.lists(odd_rules, max_size=3),
    odd_annotations,
    st.lists(odd_tls, max_size=2),
)

NEIGHBOUR = ingress("neighbour", rule("neighbour.example", path("/n")), created="2025-01-01T00:00:00Z")
AROUND = (
    service(),
    endpoint_slice(),
    NEIGHBOUR,
    secret("tls", *key_pair(("a.example",))),
    secret("junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", b"\0"),
)
HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
BACKEND = re.compile(r"default/[a-z0-9-]+:[a-z0-9-]+(@service)?")


def compiled(*objects: Ingress) -> RoutingTable:
    return compile_all(snapshot(*AROUND, *objects), Options(), NOW).table


def routes_of(table: RoutingTable) -> list[Route]:
    return [route for host in table.hosts.values() for route in host.routes]


@settings(max_examples=500, deadline=None)
@given(odd_ingresses)
def test_odd_ingresses_make_sound_tables(odd: Ingress) -> None:
    table = compiled(odd)
    assert all(name == ANY_HOST or HOST.fullmatch(name) for name in table.hosts)
    assert all(HOST.fullmatch(name) for name in table.server_names)
    assert all(BACKEND.fullmatch(name) for name in table.backends)
    routes = routes_of(table)
    assert len({route.name for route in routes}) == len(routes)
    assert all(share.backend in table.backends for route in routes for share in route.backends)


@settings(max_examples=500, deadline=None)
@given(odd_ingresses)
def test_no_route_is_for_a_path_that_nobody_asked_for(odd: Ingress) -> None:
    asked = {one.path or "/" for of in odd.rules for one in of.paths or () if one} | {"/n", "/"}
    for route in routes_of(compiled(odd)):
        match = route.match.path
        if match.kind is not PathKind.REGEX:
            assert match.value in asked
        elif route.policies.closed is None:
            assert match.value.removeprefix("^") in asked


@settings(max_examples=300, deadline=None)
@given(odd_ingresses)
def test_a_neighbour_on_another_host_notices_nothing(odd: Ingress) -> None:
    assert compiled(odd).hosts["neighbour.example"] == compiled().hosts["neighbour.example"]


@settings(max_examples=300, deadline=None)
@given(texts, st.lists(texts, max_size=3), st.sampled_from(["IPv4", "IPv6", "FQDN"]))
def test_odd_services_and_slices_give_no_odd_endpoints(name: str, addresses: list[str], kind: str) -> None:
    odd = Service(Metadata("shop", "default"), external_name=name, ports=(ServicePort(80),))
    external = msgspec.structs.replace(odd, type="ExternalName")
    slices = msgspec.structs.replace(endpoint_slice("shop", *addresses), address_type=kind)
    for made in (odd, external):
        table = compile_all(snapshot(NEIGHBOUR, made, slices), Options(), NOW).table
        for endpoint in table.backends["default/shop:80"].endpoints:
            assert re.fullmatch(r"[a-z0-9.:-]+", endpoint.address), endpoint


def test_a_path_of_a_hundred_kilobytes_is_refused_in_one_line() -> None:
    made = ingress("i", rule("a.example", path("/" + "x" * 100_000), path("/ok")))
    compilation = compile_all(snapshot(*AROUND, made), Options(), NOW)
    (found,) = compilation.diagnostics[made.ref]
    assert found.code == "ingress/invalid-path"
    assert len(found.message) < 250
    assert [route.match.path.value for route in compilation.table.hosts["a.example"].routes] == ["/ok"]


def test_control_characters_never_reach_the_table() -> None:
    for character in ("\n", "\r", "\0", "\t", "\x7f", "\ud800"):
        made = ingress("i", rule("a.example", path(f"/a{character}b", kind=PathType.IMPLEMENTATION_SPECIFIC)))
        compilation = compile_all(snapshot(*AROUND, made), Options(), NOW)
        assert compilation.table.hosts["a.example"].routes == ()
        assert [found.code for found in compilation.diagnostics[made.ref]] == ["ingress/invalid-path"]


def test_the_wildcard_of_the_table_is_no_host_of_an_ingress() -> None:
    made = ingress("i", rule(ANY_HOST))
    assert compiled(made).hosts.keys() == {"neighbour.example"}


def test_a_guard_that_cannot_be_honoured_closes_the_route() -> None:
    made = ingress("i", rule("a.example"), annotations={"whitelist-source-range": "nonsense"})
    (route,) = compiled(made).hosts["a.example"].routes
    assert route.policies.closed is not None
    assert f"{PREFIX}/whitelist-source-range" in made.metadata.annotations


def test_a_backend_without_anything_answers_503() -> None:
    made = ingress(
        "i",
        rule("a.example", msgspec.structs.replace(path("/"), backend=msgspec.structs.replace(backend(), service=None))),
    )
    compilation = compile_all(snapshot(*AROUND, made), Options(), NOW)
    assert compilation.table.hosts["a.example"].routes[0].backends == ()
    assert made.ref not in compilation.diagnostics


def test_slices_of_other_protocols_and_ports_are_passed_over() -> None:
    odd = msgspec.structs.replace(
        endpoint_slice(), ports=(msgspec.structs.replace(endpoint_slice().ports[0], protocol="UDP"),)
    )
    assert isinstance(odd, EndpointSlice)
    table = compile_all(snapshot(NEIGHBOUR, service(), odd), Options(), NOW).table
    assert table.backends["default/shop:80"].endpoints == ()
