"""Random routing tables and requests, of so few hosts, paths and values that they often meet."""

from hypothesis import strategies as st

from sevengate.diagnostics import ObjectRef
from sevengate.routing.order import in_order
from sevengate.routing.policies import (
    NO_POLICIES,
    AddressRange,
    AddressRules,
    Closed,
    HttpsRedirect,
    Policies,
    Redirect,
    Rewrite,
)
from sevengate.routing.request import Request
from sevengate.routing.table import (
    ANY_HOST,
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

_HOME = AddressRange("7f000000", "7fffffff")
_ELSEWHERE = AddressRange("0a000000", "0affffff")

#: Only these have endpoints.
_SERVED = ("test/one:80", "test/two:80")
_BACKENDS = {
    name: Backend(name, name, (Endpoint("127.0.0.1", 80),) if name in _SERVED else ())
    for name in (*_SERVED, "test/gone:80")
}

_elements = st.sampled_from(["a", "b", "ab", "A", "é", "a.b"])
_paths = st.lists(_elements, max_size=3).flatmap(
    lambda found: st.sampled_from(["/" + "/".join(found), "/" + "/".join(found) + ("/" if found else "")])
)
_patterns = st.sampled_from(["^/a", "^/a/", "^/[ab]+$", "b$", "^/", "^/(a|b)/(.*)", r"\.b", "^/é"])
_path_matches = st.one_of(
    st.builds(PathMatch, st.sampled_from([PathKind.EXACT, PathKind.PREFIX]), _paths),
    st.builds(PathMatch, st.just(PathKind.REGEX), _patterns),
)
_value_matches = st.builds(
    ValueMatch,
    st.sampled_from(ValueSource),
    st.sampled_from(["x", "y"]),
    st.sampled_from(ValueKind),
    st.sampled_from(["1", "a1", "always"]),
)
_matches = st.builds(
    Match, _path_matches, st.sampled_from(["", "", "GET", "POST"]), st.lists(_value_matches, max_size=2).map(tuple)
)
_policies = st.one_of(
    st.just(NO_POLICIES),
    st.builds(
        Policies,
        closed=st.sampled_from([None, None, None, Closed(503, "closed")]),
        redirect=st.sampled_from([None, None, Redirect(302, Template.parse("http://x.example$request_uri/$arg_x"))]),
        https=st.sampled_from([None, None, HttpsRedirect(), HttpsRedirect(307, keep_trailing_slash=True)]),
        addresses=st.sampled_from(
            [None, AddressRules((_HOME,)), AddressRules((_ELSEWHERE,)), AddressRules(deny=(_HOME,))]
        ),
        rewrite=st.sampled_from([None, Rewrite("/(a|b)(/|$)(.*)", "/z/$3"), Rewrite("b", "/b$0")]),
        upstream_host=st.sampled_from(["", "inner.example"]),
    ),
)
_choices = st.lists(
    st.builds(WeightedBackend, st.sampled_from(sorted(_BACKENDS)), st.sampled_from([0, 1, 9])),
    max_size=2,
    unique_by=lambda choice: choice.backend,
).map(tuple)
_routes = st.builds(
    Route,
    name=st.just(""),
    match=_matches,
    source=st.just(RouteSource(ObjectRef("Ingress", "test", "random"))),
    backends=_choices,
    policies=_policies,
)
_host_names = st.sampled_from(["a.example", "b.example", "*.example", "*.b.example", ANY_HOST])
_values = st.sampled_from(["1", "a1", "xa1", "always", "A1", ""])
_cookies = st.sampled_from(["x=1", "y=1; x=a1", "xx=always", "x=always;y=2", "x"])
_targets = st.lists(st.sampled_from(["/", "a", "b", "%C3%A9", "A", ".", "..", "%2F", "%61", "//"]), max_size=6).map(
    lambda found: "/" + "".join(found)
)


def _host(name: str, found: list[Route]) -> Host:
    named = (Route(f"{name}/{number}", *_parts(route)) for number, route in enumerate(found))
    return Host(name, in_order(named))


def _parts(route: Route) -> tuple[Match, RouteSource, tuple[WeightedBackend, ...], Policies]:
    return route.match, route.source, route.backends, route.policies


#: Tables whose routes have names `host/number` and stand in order of precedence.
tables = st.dictionaries(_host_names, st.lists(_routes, max_size=8), max_size=4).map(
    lambda hosts: RoutingTable(hosts={name: _host(name, found) for name, found in hosts.items()}, backends=_BACKENDS)
)

#: Requests that any client on this machine can send.
requests = st.builds(
    Request,
    host=st.sampled_from(["a.example", "b.example", "c.b.example", "example", "x", "A.example.:80"]),
    target=st.builds(lambda path, query: path + query, _targets, st.sampled_from(["", "?x=1", "?y=a1&x=always"])),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    headers=st.lists(
        st.tuples(st.sampled_from(["x", "x", "y"]), _values) | st.tuples(st.just("cookie"), _cookies), max_size=4
    ).map(tuple),
)
