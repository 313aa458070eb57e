"""A cookie keeps a client at one endpoint."""

import re

import pytest

from sevengate.routing.table import Endpoint
from tests.asking import Answer, ask
from tests.backends import EchoBackends
from tests.compiler.making import ingress, path, rule
from tests.features.cluster import HOST, Cluster, endpoint_slice, service_objects, without_endpoint
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends
from tests.waiting import free_port

MODES = pytest.mark.parametrize("mode", ["balanced", "persistent"])
ENDPOINT_KEY = r"[0-9a-f]{16}\|[0-9a-f]{16}"


def annotations(mode: str = "balanced", **more: str) -> dict[str, str]:
    cookie = {f"session-cookie-{name.replace('_', '-')}": value for name, value in more.items()}
    return {"affinity": "cookie", "affinity-mode": mode, **cookie}


def visit(cluster: Cluster, cookie: str = "", target: str = "/", *, tls: bool = False, agent: str = "") -> Answer:
    headers = [("Cookie", cookie)] if cookie else []
    headers += [("User-Agent", agent)] if agent else []
    port = cluster.gate.https_port if tls else cluster.gate.http_port
    return ask(port, HOST, target, headers=headers, tls=tls)


def cookie_of(answer: Answer) -> str:
    """Give what a browser would send back."""
    set_cookie = answer.header("Set-Cookie")
    assert set_cookie is not None
    return set_cookie.partition(";")[0]


def attributes(cluster: Cluster, *, tls: bool = False, agent: str = "") -> str:
    set_cookie = visit(cluster, tls=tls, agent=agent).header("Set-Cookie")
    assert set_cookie is not None
    return set_cookie.partition("; ")[2]


@pytest.fixture
def abc(backends: EchoBackends) -> list[Endpoint]:
    return [backends.start(name) for name in ("a", "b", "c")]


@MODES
def test_a_client_with_a_cookie_stays_and_gets_no_other(cluster: Cluster, abc: list[Endpoint], mode: str) -> None:
    cluster.serve(*abc, annotations=annotations(mode))
    first = visit(cluster)
    cookie = cookie_of(first)
    assert re.fullmatch(f"INGRESSCOOKIE={ENDPOINT_KEY}", cookie)
    for _ in range(20):
        again = visit(cluster, f"theme=dark; {cookie}; lang=en")
        assert (again.json["name"], again.header("Set-Cookie")) == (first.json["name"], None)


@MODES
def test_clients_without_a_cookie_are_spread(cluster: Cluster, abc: list[Endpoint], mode: str) -> None:
    cluster.serve(*abc, annotations=annotations(mode))
    assert {visit(cluster).json["name"] for _ in range(40)} == {"a", "b", "c"}


@MODES
def test_every_endpoint_can_be_stayed_at(cluster: Cluster, abc: list[Endpoint], mode: str) -> None:
    cluster.serve(*abc, annotations=annotations(mode))
    for _ in range(20):
        first = visit(cluster)
        assert visit(cluster, cookie_of(first)).json["name"] == first.json["name"]


def test_a_new_endpoint_moves_nobody_who_is_persistent(
    cluster: Cluster, backends: EchoBackends, abc: list[Endpoint]
) -> None:
    cluster.serve(*abc, annotations=annotations("persistent"))
    visits = [visit(cluster) for _ in range(20)]
    cluster.put(endpoint_slice("shop", 3, backends.start("d")))
    for before in visits:
        again = visit(cluster, cookie_of(before))
        assert (again.json["name"], again.header("Set-Cookie")) == (before.json["name"], None)


def test_a_new_endpoint_takes_over_a_share_of_those_who_are_balanced(
    cluster: Cluster, backends: EchoBackends, abc: list[Endpoint]
) -> None:
    cluster.serve(*abc, annotations=annotations())
    visits = [visit(cluster) for _ in range(80)]
    cluster.put(endpoint_slice("shop", 3, backends.start("d")))
    later = [visit(cluster, cookie_of(before)).json["name"] for before in visits]
    moved = [now for now, before in zip(later, visits, strict=True) if now != before.json["name"]]
    assert set(moved) == {"d"}
    assert len(moved) < 40


@MODES
def test_whose_endpoint_is_gone_goes_elsewhere_and_stays_there(
    cluster: Cluster, abc: list[Endpoint], mode: str
) -> None:
    cluster.serve(*abc, annotations=annotations(mode))
    first = visit(cluster)
    cluster.put(without_endpoint("shop", "abc".index(first.json["name"])))
    second = visit(cluster, cookie_of(first))
    assert second.json["name"] != first.json["name"]
    cookie = cookie_of(second if second.header("Set-Cookie") else first)
    assert {visit(cluster, cookie).json["name"] for _ in range(10)} == {second.json["name"]}


@MODES
@pytest.mark.parametrize("changes", [False, True])
def test_a_failure_changes_the_cookie_only_where_that_is_asked_for(
    cluster: Cluster, backends: EchoBackends, error_log: ErrorLog, mode: str, changes: bool
) -> None:
    ports = [free_port("127.0.0.31"), free_port("127.0.0.32")]
    places = [Endpoint("127.0.0.31", ports[0]), Endpoint("127.0.0.32", ports[1])]
    for name, place in zip("ab", places, strict=True):
        backends.start(name, place.address, place.port)
    cluster.serve(*places, annotations=annotations(mode, change_on_failure=str(changes).lower()))
    first = visit(cluster)
    name = first.json["name"]
    backends.stop(name)

    helped = visit(cluster, cookie_of(first))
    assert helped.json["name"] == {"a": "b", "b": "a"}[name]
    assert (helped.header("Set-Cookie") is not None) is changes
    if changes:
        assert cookie_of(helped) != cookie_of(first)

    place = places["ab".index(name)]
    backends.start(name, place.address, place.port)
    later = visit(cluster, cookie_of(helped) if changes else cookie_of(first))
    assert later.json["name"] == (helped.json["name"] if changes else name)
    error_log.expect(r"connect\(\) failed")
    error_log.allow("prematurely closed", "reset by peer")


@MODES
def test_a_client_without_a_cookie_gets_one_for_an_endpoint_that_works(
    cluster: Cluster, backends: EchoBackends, error_log: ErrorLog, mode: str
) -> None:
    alive = backends.start("alive")
    cluster.serve(
        Endpoint("127.0.0.33", alive.port), Endpoint("127.0.0.34", alive.port), alive, annotations=annotations(mode)
    )
    cookies = {cookie_of(visit(cluster)) for _ in range(10)}
    assert {visit(cluster, cookie, "/again").json["name"] for cookie in cookies} == {"alive"}
    # Only those who come for the first time may meet an endpoint that does not work.
    error_log.expect(r'connect\(\) failed .*"GET / HTTP')


@pytest.mark.parametrize("cookie", ["INGRESSCOOKIE=", "INGRESSCOOKIE=x", "INGRESSCOOKIE=%00|zz", "INGRESSCOOKIE=a|b|c"])
@MODES
def test_a_cookie_that_says_nothing_is_replaced(cluster: Cluster, abc: list[Endpoint], mode: str, cookie: str) -> None:
    cluster.serve(*abc, annotations=annotations(mode))
    answer = visit(cluster, cookie)
    assert re.fullmatch(f"INGRESSCOOKIE={ENDPOINT_KEY}", cookie_of(answer))


def test_a_cookie_of_another_service_means_nothing(cluster: Cluster, abc: list[Endpoint]) -> None:
    cluster.serve(*abc, annotations=annotations())
    foreign = cookie_of(visit(cluster))
    cluster.put(*service_objects("other", *abc))
    cluster.put(ingress("shop", rule(HOST, path("/", "other")), annotations=annotations()))
    assert visit(cluster, foreign).header("Set-Cookie") is not None


# --- what the cookie looks like


def test_the_plainest_cookie(cluster: Cluster, abc: list[Endpoint]) -> None:
    cluster.serve(*abc, annotations=annotations())
    assert attributes(cluster) == "Path=/; HttpOnly"


def test_over_tls_the_cookie_is_secure(cluster: Cluster, abc: list[Endpoint]) -> None:
    cluster.serve(*abc, annotations=annotations())
    assert attributes(cluster, tls=True) == "Path=/; Secure; HttpOnly"


@pytest.mark.parametrize(("secure", "expected"), [("true", "Path=/; Secure; HttpOnly"), ("false", "Path=/; HttpOnly")])
@pytest.mark.parametrize("tls", [False, True])
def test_secure_can_be_said(cluster: Cluster, abc: list[Endpoint], secure: str, expected: str, tls: bool) -> None:
    cluster.serve(*abc, annotations=annotations(secure=secure))
    assert attributes(cluster, tls=tls) == expected


def test_a_cookie_with_everything(cluster: Cluster, abc: list[Endpoint]) -> None:
    asked = annotations(
        name="stay", path="/shop", domain="example.com", expires="172800", max_age="3600", samesite="Strict"
    )
    cluster.serve(*abc, annotations=asked)
    set_cookie = visit(cluster).header("Set-Cookie")
    assert set_cookie is not None
    date = r"[A-Z][a-z]{2}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT"
    told = rf"Path=/shop; Domain=example\.com; Expires={date}; Max-Age=3600; HttpOnly; SameSite=Strict"
    assert re.fullmatch(f"stay={ENDPOINT_KEY}; {told}", set_cookie)


OLD_CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.78 Safari/537.36"
NEW_CHROME = OLD_CHROME.replace("Chrome/60", "Chrome/120")


@pytest.mark.parametrize(("agent", "has"), [(OLD_CHROME, False), (NEW_CHROME, True), ("", True)])
def test_browsers_that_misread_same_site_none_are_spared_it(
    cluster: Cluster, abc: list[Endpoint], agent: str, has: bool
) -> None:
    cluster.serve(*abc, annotations=annotations(samesite="None", conditional_samesite_none="true"))
    assert ("SameSite=None" in attributes(cluster, tls=True, agent=agent)) is has


def test_the_path_of_the_route_is_the_path_of_the_cookie(cluster: Cluster, abc: list[Endpoint]) -> None:
    cluster.serve(*abc)
    cluster.put(ingress("shop", rule(HOST, path("/cart")), annotations=annotations()))
    assert (visit(cluster, target="/cart/1").header("Set-Cookie") or "").endswith("; Path=/cart; HttpOnly")


def test_cookies_of_the_backend_stay(cluster: Cluster, scripted: ScriptedBackends) -> None:
    def baker(peer: Peer) -> None:
        while peer.head():
            peer.answer(b"{}", b"Set-Cookie: a=1", b"Set-Cookie: b=2")

    cluster.serve(scripted.start(baker), annotations=annotations())
    cookies = [value.partition("=")[0] for name, value in visit(cluster).headers if name.lower() == "set-cookie"]
    assert sorted(cookies) == ["INGRESSCOOKIE", "a", "b"]


# --- with a canary


@pytest.fixture
def canary(cluster: Cluster, backends: EchoBackends) -> Cluster:
    cluster.serve(backends.start("main"), annotations=annotations())
    cluster.put(
        *service_objects("new", backends.start("canary")),
        ingress("new", rule(HOST, path("/", "new")), annotations={"canary": "true", "canary-weight": "50"}),
    )
    return cluster


def test_a_client_of_the_canary_stays_with_it_and_others_stay_away(canary: Cluster) -> None:
    visits = [visit(canary) for _ in range(30)]
    assert {first.json["name"] for first in visits} == {"main", "canary"}
    for first in visits:
        assert visit(canary, cookie_of(first)).json["name"] == first.json["name"]


def test_a_canary_that_is_over_gives_its_clients_back(canary: Cluster) -> None:
    cookies = [cookie_of(visit(canary)) for _ in range(20)]
    canary.put(ingress("new", rule("elsewhere.example")))
    assert {visit(canary, cookie).json["name"] for cookie in cookies} == {"main"}


def test_legacy_behaviour_asks_the_dice_each_time(canary: Cluster) -> None:
    canary.put(ingress("shop", rule(HOST), annotations=annotations() | {"affinity-canary-behavior": "legacy"}))
    cookie = cookie_of(visit(canary))
    assert {visit(canary, cookie).json["name"] for _ in range(40)} == {"main", "canary"}
