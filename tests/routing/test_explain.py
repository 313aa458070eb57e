"""An explanation names the rule, why it was preferred, what happens on the way, or what came nearest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.diagnostics import Diagnostic, ObjectRef, Severity, Where
from sevengate.routing.explain import explain
from sevengate.routing.match import serve
from sevengate.routing.request import Request
from sevengate.routing.table import RoutingTable
from tests.matching import groups, table_of

MIXED = table_of(
    {
        "shop.example": [
            {"name": "exact", "exact": "/cart"},
            {"name": "prefix", "prefix": "/cart/items"},
            {"name": "cart", "prefix": "/cart"},
            {"name": "root", "prefix": "/"},
        ],
        "*.example": [{"name": "wildcard", "prefix": "/"}],
        "*": [{"name": "any", "prefix": "/"}],
    }
)

CANARY = table_of(
    {
        "shop.example": [
            {"name": "always", "prefix": "/", "when": ["header x-canary exact always"]},
            {"name": "never", "prefix": "/", "when": ["header x-canary exact never"]},
            {"name": "split", "prefix": "/", "weights": {"main": 80, "canary": 20}},
        ]
    }
)


def beaten(table: RoutingTable, request: Request) -> dict[str, str]:
    return {loser.route.name: loser.reason for loser in explain(table, request).beaten}


def test_the_rule_and_each_runner_up_are_named_with_the_reason() -> None:
    assert beaten(MIXED, Request("shop.example", "/cart")) == {
        "cart": "an exact path comes before a prefix one",
        "root": "an exact path comes before a prefix one",
        "wildcard": "host shop.example is more precise than host *.example",
        "any": "host shop.example is more precise than any host",
    }


def test_the_longer_prefix_beats_the_shorter() -> None:
    assert beaten(MIXED, Request("shop.example", "/cart/items/1"))["cart"] == "the longer prefix comes first"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("shop.example", "shop.example is named exactly"),
        ("blog.example", "*.example covers blog.example, which no rule names"),
        ("elsewhere", "no rule names elsewhere, so the rules for any host apply"),
    ],
)
def test_it_is_said_how_the_host_was_found(host: str, reason: str) -> None:
    assert explain(MIXED, Request(host)).host == reason


def test_a_route_for_any_host_is_no_runner_up_of_itself() -> None:
    assert beaten(MIXED, Request("a.b.c")) == {}


def test_a_canary_decision_is_told_step_by_step() -> None:
    explanation = explain(CANARY, Request("shop.example"))
    assert explanation.steps == (
        "not to test/always:80: header x-canary is absent",
        "not to test/never:80: header x-canary is absent",
        "by weight: test/main:80 80%, test/canary:80 20%",
    )
    assert [(found.backend, found.share) for found in explanation.destinations] == [
        ("test/main:80", "80%"),
        ("test/canary:80", "20%"),
    ]


def test_a_header_that_decides_is_named() -> None:
    explanation = explain(CANARY, Request("shop.example", headers=(("x-canary", "never"),)))
    assert explanation.steps == (
        "not to test/always:80: header x-canary = always does not hold, it is 'never'",
        "to test/never:80: header x-canary = never holds",
    )
    assert beaten(CANARY, Request("shop.example", headers=(("x-canary", "never"),))) == {
        "split": "it has a condition that holds, and the other is for all the rest"
    }


ON_THE_WAY = {
    "answered with 301 to https://new.example/a: the route is a redirect": (
        {"redirect": [301, "https://new.example$request_uri"]},
        "http",
    ),
    "answered with 308 to https://h/a: the route is served over https only": ({"https": 308}, "http"),
    "the request is https already": ({"https": 308}, "https"),
    "answered with 503: it is closed": ({"closed": 503}, "http"),
    "127.0.0.1 may come in: 127.0.0.0/8 is allowed": ({"allow": ["10.0.0.0/8", "127.0.0.0/8"]}, "http"),
    "127.0.0.1 may come in: it is not denied": ({"deny": ["10.0.0.0/8"]}, "http"),
    "127.0.0.1 may not come in: no allowed range holds it": ({"allow": ["10.0.0.0/8"]}, "http"),
    "127.0.0.1 may not come in: 127.0.0.1/32 is denied": ({"deny": ["127.0.0.1/32"]}, "http"),
    "the path is rewritten to /b by /a -> /b": ({"rewrite": ["/a", "/b"]}, "http"),
    "the path is left as it is by /x -> /b": ({"rewrite": ["/x", "/b"]}, "http"),
    "the backend sees the host inner.example": ({"upstream-host": "inner.example"}, "http"),
    "test/gone:80 has no endpoints, so it gets no request": ({"weights": {"one": 1, "gone": 1}}, "http"),
    "the route has no backend, so the answer is 503": ({"weights": {}}, "http"),
}


@pytest.mark.parametrize(("step", "case"), ON_THE_WAY.items(), ids=ON_THE_WAY)
def test_each_policy_says_what_it_does(step: str, case: tuple[dict[str, object], str]) -> None:
    policies, scheme = case
    table = table_of({"h": [{"name": "only", "prefix": "/", **policies}]})
    assert step in explain(table, Request("h", "/a", scheme=scheme)).steps


NEAR = table_of(
    {
        "shop.example": [
            {"name": "exact", "exact": "/login"},
            {"name": "slash", "exact": "/done/"},
            {"name": "deep", "prefix": "/api/v1/users"},
            {"name": "prefix", "prefix": "/foo"},
            {"name": "post", "prefix": "/post", "method": "POST"},
            {"name": "header", "prefix": "/header", "when": ["header x-beta present"]},
            {"name": "regex", "regex": "^/item/[0-9]+$"},
        ],
        "*.wild.example": [{"name": "wild", "prefix": "/"}],
        "www.long.example": [{"name": "long", "prefix": "/only"}],
    }
)

MISSES = {
    "http://shop.example/LOGIN": "the path is the same but for upper and lower case, which count",
    "http://shop.example/login/": "the path has a slash more at its end, and an exact path must be equal",
    "http://shop.example/done": "the path lacks the slash at the end, and an exact path must be equal",
    "http://shop.example/login/x": "an exact path does not cover what is below it",
    "http://shop.example/foobar": "a prefix is compared element by element, and the path goes on within the last one",
    "http://shop.example/api/v1": "the path ends above the prefix",
    "http://shop.example/post": "the method is not POST",
    "http://shop.example/header/x": "header x-beta is absent",
    "http://shop.example/item/4x": "the pattern is not found in the path",
    "http://shap.example/": "one label differs: 'shap' is not 'shop'; besides, no path of it fits",
    "http://wild.example/": "the wildcard stands for one label, and wild.example has none in its place",
    "http://a.b.wild.example/": "the wildcard stands for one label, and 'a.b' is more than one",
    "http://x.shop.example/login": "x.shop.example is below shop.example, and a host stands for itself only",
    "http://long.example/": "long.example lacks the 'www' in front; besides, no path of it fits",
}


@pytest.mark.parametrize(("url", "reason"), MISSES.items(), ids=MISSES)
def test_what_nobody_serves_is_told_what_comes_nearest(url: str, reason: str) -> None:
    host, _, path = url.removeprefix("http://").partition("/")
    explanation = explain(NEAR, Request(host, f"/{path}"))
    assert explanation.outcome.status == 404
    assert explanation.misses[0].reason == reason


def test_a_broader_host_that_would_have_served_is_named() -> None:
    table = table_of({"a.example": [{"name": "a", "prefix": "/a"}], "*": [{"name": "any", "prefix": "/"}]})
    miss = explain(table, Request("a.example", "/b")).misses[-1]
    assert miss.route is not None
    assert (miss.host, miss.route.name) == ("*", "any")
    assert miss.reason == (
        "it has a route that fits, but a request for host a.example is never handed on to a broader host"
    )


def test_a_host_like_no_other_has_no_nearest() -> None:
    assert explain(NEAR, Request("zzz")).misses == ()


def test_a_bad_request_is_explained_by_its_answer() -> None:
    explanation = explain(MIXED, Request("shop.example", "/%zz"))
    assert explanation.outcome.status == 400
    assert explanation.outcome.reason == "a % in the path is not followed by two hexadecimal digits"


def conflict(winner: str, message: str) -> Diagnostic:
    loser = Where(ObjectRef("Ingress", "test", "younger"), "spec")
    return Diagnostic(Severity.WARNING, "ingress/conflict", loser, message, winner=ObjectRef("Ingress", "test", winner))


def test_claims_that_lost_the_same_place_to_the_same_object_are_told() -> None:
    lost = conflict("root", "Prefix path '/' of host shop.example belongs to root")
    others = [
        conflict("root", "Prefix path '/z' of host shop.example belongs to root"),
        conflict("root", "Prefix path '/' of host other.example belongs to root"),
        conflict("cart", "Prefix path '/' of host shop.example belongs to cart"),
    ]
    assert explain(MIXED, Request("shop.example", "/z"), [lost, *others]).conflicts == (lost,)


@given(
    st.sampled_from([MIXED, CANARY, NEAR, *(group.table for group in groups())]),
    st.sampled_from(["shop.example", "h.example", "a.wild.example", "foo.com", "x", ""]),
    st.text(alphabet="/abcfo.%2Fé?"),
)
def test_an_explanation_never_says_other_than_the_matcher(table: RoutingTable, host: str, path: str) -> None:
    request = Request(host, f"/{path}")
    explanation = explain(table, request)
    assert explanation.outcome == serve(table, request)
    assert not (explanation.misses and explanation.outcome.route)
