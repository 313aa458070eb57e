"""recompile gives what compile_all would give, tells exactly what changed, and does not look at what did not."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.compiler import certificates
from sevengate.compiler.compile import Compilation, compile_all, recompile
from sevengate.diagnostics import ObjectRef
from sevengate.kube.objects import (
    ConfigMap,
    Ingress,
    IngressClass,
    IngressTLS,
    Metadata,
    PathType,
    Secret,
    Service,
    ServicePort,
    ServiceType,
)
from sevengate.kube.snapshot import Changes, Deleted, Event, Snapshot
from sevengate.routing.table import TableChanges
from sevengate.settings import Options
from tests.compiler.making import (
    DAY,
    NOW,
    OUR_CLASS,
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

OPTIONS = Options(
    configmap="default/conf", default_backend_service="default/rest", default_ssl_certificate="default/tls-b"
)
HOSTS = ("a.example", "a.example", "b.example", "*.example", "", "10.0.0.1")
SERVICES = ("shop", "shpo", "rest")
SECRETS = ("tls-a", "tls-b")
ANNOTATIONS: tuple[dict[str, str], ...] = (
    {},
    {"use-regex": "true"},
    {"rewrite-target": "/$1"},
    {"app-root": "/app"},
    {"canary": "true", "canary-weight": "20"},
    {"canary": "true", "canary-by-header": "x-canary"},
    {"service-upstream": "true"},
    {"affinity": "cookie"},
    {"proxy-body-size": "8m"},
    {"ssl-redirect": "false"},
)

paths = st.builds(
    path, st.sampled_from(["/", "/x", "/x/", "/(", "bad"]), st.sampled_from(SERVICES), st.sampled_from(PathType)
)
rules = st.builds(rule, st.sampled_from(HOSTS), paths, paths)
tls_entries = st.builds(
    IngressTLS, st.lists(st.sampled_from(HOSTS[:4]), max_size=2).map(tuple), st.sampled_from([*SECRETS, "gone", ""])
)


@st.composite
def ingresses(draw: st.DrawFn) -> Ingress:
    made = ingress(
        draw(st.sampled_from("ijkl")),
        *draw(st.lists(rules, max_size=2)),
        annotations=draw(st.sampled_from(ANNOTATIONS)),
        created=draw(st.sampled_from(["", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z"])),
        tls=draw(st.lists(tls_entries, max_size=2).map(tuple)),
    )
    default = draw(st.none() | st.sampled_from(SERVICES).map(backend))
    name = draw(st.sampled_from(["nginx", "nginx", "nginx", "other", None]))
    return msgspec.structs.replace(made, default_backend=default, ingress_class_name=name)


services = st.one_of(
    st.builds(
        service,
        st.sampled_from(SERVICES),
        st.builds(ServicePort, st.sampled_from([80, 81])),
        cluster_ip=st.sampled_from(["10.96.0.1", "None"]),
    ),
    st.builds(
        lambda name, external: Service(
            Metadata(name, "default"), type=ServiceType.EXTERNAL_NAME, external_name=external
        ),
        st.sampled_from(SERVICES),
        st.sampled_from(["remote.example", "localhost"]),
    ),
)
slices = st.builds(endpoint_slice, st.sampled_from(SERVICES), st.sampled_from(["10.0.0.1", "10.0.0.2", "nonsense"]))
secrets = st.builds(
    lambda name, pair, key: secret(name, pair[0], key or pair[1]),
    st.sampled_from(SECRETS),
    st.sampled_from(
        [
            key_pair(("a.example",)),
            key_pair(("*.example", "b.example")),
            key_pair(("a.example",), -1, 2),
            (b"no", b"no"),
        ]
    ),
    st.sampled_from([b"", b"", key_pair(("z.example",))[1]]),
)
config_maps = st.builds(
    lambda name, data: ConfigMap(Metadata(name, "default"), data),
    st.sampled_from(["conf", "other"]),
    st.sampled_from([{}, {"http-redirect-code": "301"}, {"nonsense": "1"}]),
)
classes = st.builds(
    lambda name, controller: IngressClass(Metadata(name), controller),
    st.sampled_from(["nginx", "other"]),
    st.sampled_from(["k8s.io/ingress-nginx", "example.com/other"]),
)
deletions = st.one_of(
    st.builds(Deleted, st.just("Ingress"), st.sampled_from("ijkl").map("default/{}".format)),
    st.builds(Deleted, st.just("Service"), st.sampled_from(SERVICES).map("default/{}".format)),
    st.builds(Deleted, st.just("EndpointSlice"), st.sampled_from(SERVICES).map("default/{}-1".format)),
    st.builds(Deleted, st.just("Secret"), st.sampled_from(SECRETS).map("default/{}".format)),
    st.builds(Deleted, st.just("ConfigMap"), st.just("default/conf")),
    st.builds(Deleted, st.just("IngressClass"), st.just("nginx")),
)
# Ingresses, Services and slices come often, the rest seldom: most of those compile everything anew.
events = st.one_of(ingresses(), ingresses(), services, slices, secrets, deletions, config_maps | classes)
steps = st.lists(st.tuples(st.lists(events, min_size=1, max_size=3), st.integers(0, 1)), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(st.lists(events, max_size=12), steps)
def test_recompiling_gives_what_compiling_all_gives(first: list[Event], steps: list[tuple[list[Event], int]]) -> None:
    now, current = NOW, snapshot().after(first)[0]
    compilation = compile_all(current, OPTIONS, now)
    for batch, days in steps:
        now += days * DAY
        current, changes = current.after(batch)
        before, compilation = compilation, recompile(compilation, current, changes, now)
        assert_equal(compilation, compile_all(current, OPTIONS, now))
        assert_changes_are_exact(before, compilation)


def assert_equal(compilation: Compilation, anew: Compilation) -> None:
    for field in ("hosts", "backends", "certificates", "server_names", "default_backend"):
        assert getattr(compilation.table, field) == getattr(anew.table, field), field
    assert compilation.table.profiles >= anew.table.profiles
    assert compilation.diagnostics == anew.diagnostics
    assert compilation.statuses == anew.statuses
    assert compilation.settings == anew.settings
    for field in ("readings", "hosts", "server_names", "prevailing", "secrets", "users", "wanted", "complaints"):
        assert getattr(compilation.memory, field) == getattr(anew.memory, field), field


def assert_changes_are_exact(before: Compilation, after: Compilation) -> None:
    if after.changes is not None:
        for field in TableChanges.__struct_fields__:
            expected = differing(getattr(before.table, field), getattr(after.table, field))
            assert getattr(after.changes, field) == expected, field


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def many(count: int) -> Snapshot:
    names = [f"s{number}" for number in range(count)]
    ingresses = [ingress(name, rule(f"{name}.example", path("/", name))) for name in names]
    return snapshot(*ingresses, *map(service, names), *map(endpoint_slice, names))


def counted(work: Callable[[], object]) -> int:
    """Count the calls of Python functions that a piece of work makes: its cost, without a clock."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


CHANGES: Iterable[tuple[str, Event]] = [
    ("an Ingress", ingress("s1", rule("s1.example", path("/new", "s1")))),
    ("a new Ingress", ingress("new", rule("new.example", path("/", "s1")))),
    ("a deleted Ingress", Deleted("Ingress", "default/s1")),
    ("endpoints", endpoint_slice("s1", "10.0.0.9")),
    ("a Service", service("s1", ServicePort(81))),
    ("a new Service", service("s100000")),
]


@pytest.mark.parametrize("event", [event for _, event in CHANGES], ids=[name for name, _ in CHANGES])
def test_one_change_costs_the_same_among_ten_and_among_a_thousand(event: Event) -> None:
    def cost(count: int) -> int:
        before = many(count)
        compilation = compile_all(before, Options(), NOW)
        after, changes = before.after([event])
        return counted(lambda: recompile(compilation, after, changes, NOW))

    cost(10)
    assert cost(10) == cost(1000)


def test_changed_endpoints_change_their_backend_and_nothing_else() -> None:
    before = many(3)
    compilation = compile_all(before, Options(), NOW)
    again = recompile(compilation, *before.after([endpoint_slice("s1", "10.0.0.9")]), NOW)
    assert again.changes == TableChanges(backends=frozenset({"default/s1:80"}))
    assert again.table.hosts is compilation.table.hosts
    assert again.memory.readings is compilation.memory.readings


def test_a_change_of_something_that_nobody_names_changes_nothing() -> None:
    before = many(3)
    compilation = compile_all(before, Options(), NOW)
    again = recompile(compilation, *before.after([service("unused"), ConfigMap(Metadata("any", "default"))]), NOW)
    assert again.changes == TableChanges()
    assert again.table.backends is compilation.table.backends


def test_a_compilation_stays_true_while_the_next_one_is_made() -> None:
    before = many(3)
    compilation = compile_all(before, Options(), NOW)
    after, changes = before.after([Deleted("Ingress", "default/s1"), Deleted("Service", "default/s2")])
    first = recompile(compilation, after, changes, NOW)
    assert_equal(compilation, compile_all(before, Options(), NOW))
    assert_equal(recompile(compilation, after, changes, NOW), first)


def test_a_certificate_that_expires_is_told_of_without_any_event() -> None:
    made = ingress("i", rule("a.example"), tls=(IngressTLS(("a.example",), "tls"),))
    current = snapshot(made, service(), endpoint_slice(), secret("tls", *key_pair(("a.example",), -1, 2)))
    compilation = compile_all(current, Options(), NOW)
    assert compilation.diagnostics == {}
    assert recompile(compilation, current, Changes(), NOW + DAY).diagnostics == {}
    later = recompile(compilation, current, Changes(), NOW + 2 * DAY)
    assert [found.code for found in later.diagnostics[made.ref]] == ["tls/expired"]
    assert later.table.server_names == {"a.example": "default/tls"}


def test_a_missing_service_is_found_when_it_comes() -> None:
    before = snapshot(ingress("i", rule("a.example", path("/", "shop"))))
    compilation = compile_all(before, Options(), NOW)
    found = compilation.diagnostics[ObjectRef("Ingress", "default", "i")]
    assert [diagnostic.code for diagnostic in found] == ["backend/service-not-found"]
    after, changes = before.after([service("shop"), endpoint_slice("shop")])
    again = recompile(compilation, after, changes, NOW)
    assert again.diagnostics == {}
    assert str(again.table.backends["default/shop:80"].endpoints[0]) == "10.0.0.1:8080"


def test_a_service_of_a_similar_name_becomes_a_hint() -> None:
    before = snapshot(ingress("i", rule("a.example", path("/", "shpo"))))
    compilation = compile_all(before, Options(), NOW)
    again = recompile(compilation, *before.after([service("shop")]), NOW)
    (found,) = again.diagnostics[ObjectRef("Ingress", "default", "i")]
    assert found.hint == "did you mean shop?"


def test_profiles_once_used_stay_but_compile_all_forgets_them() -> None:
    plain = ingress("i", rule("a.example"))
    big = ingress("i", rule("a.example"), annotations={"proxy-body-size": "8m"})
    before = snapshot(plain, service(), endpoint_slice())
    compilation = compile_all(before, Options(), NOW)
    with_big, changes = before.after([big])
    compilation = recompile(compilation, with_big, changes, NOW)
    assert len(compilation.table.profiles) == 2
    without, changes = with_big.after([plain])
    assert len(recompile(compilation, without, changes, NOW).table.profiles) == 2
    assert len(compile_all(without, Options(), NOW).table.profiles) == 1


def test_ten_thousand_rules_in_one_ingress_are_compiled() -> None:
    rules = [rule(f"h{number}.example") for number in range(10_000)]
    table = compile_all(snapshot(ingress("i", *rules), service(), endpoint_slice()), Options(), NOW).table
    assert len(table.hosts) == 10_000
    assert table.hosts["h9999.example"].routes[0].name == "default/i/rules/9999/paths/0"


def test_ten_thousand_ingresses_on_one_host_are_merged() -> None:
    made = [ingress(f"i{number}", rule("a.example", path(f"/{number}"))) for number in range(10_000)]
    table = compile_all(snapshot(*made, service(), endpoint_slice()), Options(), NOW).table
    assert len(table.hosts["a.example"].routes) == 10_000


def test_a_certificate_for_a_neighbours_host_appears_on_it() -> None:
    before = snapshot(ingress("i", rule("a.example")), secret("tls", *key_pair(("a.example",))))
    compilation = compile_all(before, Options(), NOW)
    lister = ingress("j", rule("b.example"), tls=(IngressTLS(("a.example",), "tls"),))
    again = recompile(compilation, *before.after([lister]), NOW)
    assert again.table.hosts["a.example"].certificate == "default/tls"
    assert again.table.certificates.keys() == {"default/tls"}


def test_a_missing_default_backend_counts_even_where_no_host_is_left() -> None:
    made = msgspec.structs.replace(ingress("i", rule("10.0.0.1")), default_backend=backend("shop"))
    compilation = compile_all(snapshot(made), Options(), NOW)
    again = recompile(compilation, *snapshot(made).after([service("shop")]), NOW)
    assert [found.code for found in again.diagnostics[made.ref]] == ["ingress/invalid-host"]


def test_a_class_that_appears_makes_ingresses_ours() -> None:
    current = snapshot(ingress("i", rule("a.example")), service(), endpoint_slice())
    without, _ = current.after([IngressClass(OUR_CLASS.metadata, "example.com/other")])
    compilation = compile_all(without, Options(), NOW)
    assert compilation.table.hosts == {}
    again = recompile(compilation, *without.after([OUR_CLASS]), NOW)
    assert again.changes is None
    assert again.table.hosts.keys() == {"a.example"}


def test_the_default_backend_follows_its_endpoints() -> None:
    options = Options(default_backend_service="default/rest")
    before = snapshot(service("rest"), endpoint_slice("rest"))
    compilation = compile_all(before, options, NOW)
    assert compilation.table.default_backend == "default/rest:80"
    again = recompile(compilation, *before.after([endpoint_slice("rest", "10.0.0.9")]), NOW)
    assert again.changes == TableChanges(backends=frozenset({"default/rest:80"}))
    assert str(again.table.backends["default/rest:80"].endpoints[0]) == "10.0.0.9:8080"


def test_a_secret_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    read = certificates.read_key_pair

    def counted_read(secret: Secret, name: str) -> certificates.KeyPair:
        parsed.append(name)
        return read(secret, name)

    monkeypatch.setattr(certificates, "read_key_pair", counted_read)
    tls = (IngressTLS(("a.example",), "tls"),)
    before = snapshot(ingress("i", rule("a.example"), tls=tls), secret("tls", *key_pair(("a.example",))))
    compilation = compile_all(before, Options(), NOW)
    after, changes = before.after([ingress("j", rule("a.example", path("/j")), tls=tls), OUR_CLASS])
    compilation = recompile(compilation, after, changes, NOW)
    recompile(compilation, after, Changes(ingress_classes=frozenset({"nginx"})), NOW)
    assert parsed == ["default/tls"]


def test_private_keys_are_never_shown() -> None:
    chain, key = key_pair(("a.example",))
    tls = (IngressTLS(("a.example",), "tls"),)
    compilation = compile_all(
        snapshot(ingress("i", rule("a.example"), tls=tls), secret("tls", chain, key)), Options(), NOW
    )
    assert compilation.table.certificates["default/tls"].key.pem == key
    assert "PRIVATE" not in repr(compilation)


def test_annotations_of_another_prefix_are_not_ours() -> None:
    made = ingress("i", rule("a.example"), annotations={"use-regex": "true"})
    options = Options(annotations_prefix="example.com")
    table = compile_all(snapshot(made, service(), endpoint_slice()), options, NOW).table
    assert f"{PREFIX}/use-regex" in made.metadata.annotations
    assert table.hosts["a.example"].routes[0].match.path.value == "/"
