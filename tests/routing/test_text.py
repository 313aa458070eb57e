"""The text of a routing table is what people compare, so it is written down here letter by letter."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.diagnostics import ObjectRef
from sevengate.routing.plain import plain_table
from sevengate.routing.policies import (
    NO_POLICIES,
    AddressRange,
    AddressRules,
    Affinity,
    AffinityMode,
    Algorithm,
    Balance,
    Closed,
    HttpsRedirect,
    Policies,
    Profile,
    Redirect,
    Rewrite,
    Timeouts,
)
from sevengate.routing.table import (
    Backend,
    Certificate,
    Endpoint,
    Host,
    Match,
    PathKind,
    PathMatch,
    PrivateKey,
    Route,
    RouteSource,
    RoutingTable,
    ValueKind,
    ValueMatch,
    ValueSource,
    WeightedBackend,
)
from sevengate.routing.template import Template
from sevengate.routing.text import match_text, policies_text, route_text, table_text

SHOP = ObjectRef("Ingress", "default", "shop")
TEN = AddressRange("0a000000", "0affffff")


def route(path: PathMatch, backends: Mapping[str, int], policies: Policies = NO_POLICIES) -> Route:
    source = RouteSource(SHOP, "spec.rules[0].http.paths[0]", "shop", "80")
    choices = tuple(WeightedBackend(name, weight) for name, weight in backends.items())
    return Route("default/shop/rules/0/paths/0", Match(path), source, choices, policies)


CART = route(PathMatch(PathKind.EXACT, "/cart"), {"default/cart:80": 1})
ROOT = route(
    PathMatch(PathKind.PREFIX, "/"),
    {"default/shop:80": 90, "default/canary:80": 10},
    Policies(https=HttpsRedirect()),
)
TABLE = RoutingTable(
    hosts={
        "shop.example": Host("shop.example", (CART, ROOT), "default/tls"),
        "*": Host("*", (route(PathMatch(PathKind.PREFIX, "/"), {}),)),
    },
    backends={
        "default/shop:80": Backend(
            "default/shop:80", "default-shop-80", (Endpoint("10.0.0.1", 80), Endpoint("fd00::1", 80))
        ),
        "default/cart:80": Backend("default/cart:80", "default-cart-80"),
    },
    certificates={
        "": Certificate("", b"", PrivateKey(b"SECRET")),
        "default/tls": Certificate(
            "default/tls", b"", PrivateKey(b"SECRET"), ("shop.example",), "2027-01-01T00:00:00Z"
        ),
    },
    server_names={"shop.example": "default/tls", "*.shop.example": "default/tls", "other.example": ""},
    default_backend="default/cart:80",
)


def test_a_table_is_written_host_by_host_in_aligned_columns() -> None:
    assert table_text(TABLE) == (
        "any host\n"
        "  prefix /  -> nowhere  Ingress default/shop spec.rules[0].http.paths[0]\n"
        "\n"
        "host shop.example, certificate default/tls\n"
        "  exact /cart  -> default/cart:80                             "
        "Ingress default/shop spec.rules[0].http.paths[0]\n"
        "  prefix /     -> default/shop:80 90%, default/canary:80 10%  Ingress default/shop spec.rules[0].http.paths[0]"
        "  https 308\n"
        "\n"
        "backends\n"
        "  default/cart:80  no endpoints\n"
        "  default/shop:80  10.0.0.1:80 [fd00::1]:80\n"
        "  what no route serves goes to default/cart:80\n"
        "\n"
        "certificates\n"
        "  (default)                                for other.example\n"
        "  default/tls  until 2027-01-01T00:00:00Z  for *.shop.example shop.example\n"
    )


def test_the_empty_table_has_no_text() -> None:
    assert table_text(RoutingTable()) == ""


def test_a_route_is_one_line() -> None:
    assert route_text(CART) == "exact /cart  -> default/cart:80  Ingress default/shop spec.rules[0].http.paths[0]"


STICKY = Affinity(
    cookie="c",
    mode=AffinityMode.PERSISTENT,
    path="/x",
    domain="d",
    expires=1,
    max_age=0,
    same_site="Lax",
    secure=False,
    change_on_failure=True,
)

POLICIES = {
    "": Policies(),
    'closed 503 ("auth-url is not supported")': Policies(closed=Closed(503, "auth-url is not supported")),
    "redirect 301 to https://x${request_uri}": Policies(
        redirect=Redirect(301, Template.parse("https://x$request_uri"))
    ),
    "https 307 with its trailing slash": Policies(https=HttpsRedirect(307, keep_trailing_slash=True)),
    "deny 10.0.0.0/8": Policies(addresses=AddressRules(deny=(TEN,))),
    "allow nobody": Policies(addresses=AddressRules(allow=())),
    "allow 10.0.0.0/8 ::1/128": Policies(addresses=AddressRules((TEN, AddressRange(f"{1:032x}", f"{1:032x}")))),
    r"rewrite ^/a(\.b)$ to /$1": Policies(rewrite=Rewrite(r"^/a(\.b)$", "/$1")),
    'rewrite "/a b" to "\\u00e9"': Policies(rewrite=Rewrite("/a b", "é")),
    "forwarded-prefix /api; upstream-host in.example": Policies(forwarded_prefix="/api", upstream_host="in.example"),
    "timeouts 5s 60s 2.5s": Policies(timeouts=Timeouts(read=2.5)),
    "balance ewma": Policies(balance=Balance(Algorithm.EWMA)),
    "hash ${arg_user}-x": Policies(balance=Balance(Algorithm.HASH, Template.parse("$arg_user-x"))),
    "affinity balanced cookie=INGRESSCOOKIE": Policies(balance=Balance(affinity=Affinity())),
    "affinity persistent cookie=c path=/x domain=d expires=1 max-age=0 same-site=Lax secure=false change-on-failure": (
        Policies(balance=Balance(affinity=STICKY))
    ),
    "profile http-0-off-on": Policies(profile=Profile(body_size=0)),
}


@pytest.mark.parametrize(("text", "policies"), POLICIES.items(), ids=POLICIES)
def test_only_policies_that_differ_from_the_default_are_written(text: str, policies: Policies) -> None:
    assert policies_text(policies) == text


MATCHES = {
    "prefix /a GET": Match(PathMatch(PathKind.PREFIX, "/a"), "GET"),
    "regex ^/a header x = 1 cookie y ends with |f query z is there": Match(
        PathMatch(PathKind.REGEX, "^/a"),
        values=(
            ValueMatch(ValueSource.HEADER, "x", ValueKind.EXACT, "1"),
            ValueMatch(ValueSource.COOKIE, "y", ValueKind.SUFFIX, "|f"),
            ValueMatch(ValueSource.QUERY, "z", ValueKind.PRESENT),
        ),
    ),
    'exact "" header x ~ ^a': Match(
        PathMatch(PathKind.EXACT, ""), values=(ValueMatch(ValueSource.HEADER, "x", ValueKind.REGEX, "^a"),)
    ),
}


@pytest.mark.parametrize(("text", "match"), MATCHES.items(), ids=MATCHES)
def test_a_match_says_all_its_conditions(text: str, match: Match) -> None:
    assert match_text(match) == text


@given(st.text(), st.text(), st.text())
def test_whatever_the_words_are_a_route_stays_one_printable_line(path: str, pattern: str, reason: str) -> None:
    policies = Policies(closed=Closed(503, reason), rewrite=Rewrite(pattern, path), upstream_host=path)
    text = route_text(route(PathMatch(PathKind.PREFIX, path), {}, policies))
    assert text.isascii()
    assert text.isprintable()


def test_json_tells_everything_but_secrets() -> None:
    text = json.dumps(plain_table(TABLE))
    assert "SECRET" not in text
    plain = json.loads(text)
    assert plain["hosts"][1]["routes"][1]["policies"] == {"https": {"code": 308, "keep_trailing_slash": False}}
    assert plain["hosts"][1]["routes"][1]["backends"] == [
        {"backend": "default/shop:80", "weight": 90},
        {"backend": "default/canary:80", "weight": 10},
    ]
    assert plain["server_names"]["other.example"] == ""


@pytest.mark.parametrize("policies", POLICIES.values(), ids=POLICIES)
def test_every_policy_can_be_written_as_json(policies: Policies) -> None:
    table = RoutingTable(hosts={"h": Host("h", (route(PathMatch(PathKind.PREFIX, "/"), {}, policies),))})
    plain = plain_table(table)["hosts"][0]["routes"][0]["policies"]
    assert json.loads(json.dumps(plain)) == plain
    assert bool(plain) == (policies != NO_POLICIES)
