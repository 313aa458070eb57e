import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate import values
from sevengate.annotations import unsupported
from sevengate.annotations.catalogue import ANNOTATIONS, BY_NAME, KNOWN
from sevengate.annotations.registry import read
from sevengate.annotations.wishes import Canary, Wishes
from sevengate.diagnostics import CODES, ObjectRef, Report, Severity, Where
from sevengate.routing.policies import Closed
from sevengate.settings import Settings
from tests.annotations.asking import PREFIX, SHOP, ask, wish


def test_an_ingress_that_asks_for_nothing_gets_what_the_settings_say() -> None:
    assert wish() == Wishes()


def test_annotations_of_other_prefixes_are_passed_over() -> None:
    report = Report()
    annotations = {"nginx.org/rewrites": "x", "nginx.ingress.kubernetes.io": "x", f"{PREFIX}-own/app-root": "/x"}
    assert read(annotations, Settings(), PREFIX, SHOP, report) == Wishes()
    assert not report.done()


def test_the_prefix_can_be_another_one() -> None:
    wishes = read({"gate.example/app-root": "/app"}, Settings(), "gate.example", SHOP, Report())
    assert wishes.app_root == "/app"


@pytest.mark.parametrize("row", ANNOTATIONS, ids=lambda row: row.name)
def test_the_documented_example_of_a_row_can_be_read(row: object) -> None:
    assert hasattr(row, "parse")
    assert hasattr(row, "example")
    row.parse(row.example)


def test_all_names_of_ingress_nginx_are_known_once() -> None:
    assert len(KNOWN) == 136 + 2
    assert not {*BY_NAME} & unsupported.NAMES


def test_a_bad_value_names_the_annotation_and_is_left_out() -> None:
    wishes, [found] = ask(proxy_body_size="8 apples")
    assert wishes == Wishes()
    assert (found.severity, found.code) == (Severity.ERROR, "annotation/invalid-value")
    assert str(found.where) == f"Ingress default/shop metadata.annotations[{PREFIX}/proxy-body-size]"
    assert "'8 apples' is not a size" in found.message


def test_an_unknown_name_gets_the_nearest_one() -> None:
    _, [found] = ask(rewrite_traget="/")
    assert (found.severity, found.code) == (Severity.WARNING, "annotation/unknown")
    assert found.hint == f"did you mean {PREFIX}/rewrite-target?"


def test_a_name_that_is_like_no_other_gets_no_hint() -> None:
    _, [found] = ask(zzz="/")
    assert found.hint == ""


def test_a_known_name_that_is_not_carried_out_gets_a_warning() -> None:
    wishes, [found] = ask(enable_cors="true")
    assert (found.severity, found.code) == (Severity.WARNING, "annotation/unsupported")
    assert wishes == Wishes()


@pytest.mark.parametrize("name", sorted(unsupported.GUARDS))
def test_what_may_guard_and_is_not_carried_out_closes_the_routes(name: str) -> None:
    wishes, [found] = ask(**{name: "x"})
    assert wishes.closed == Closed(503, f"{name} may guard access and is not carried out yet")
    assert (found.severity, found.code) == (Severity.ERROR, "annotation/closed")


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in unsupported.IDLE.items() for text in texts])
def test_a_guard_that_asks_for_nothing_closes_nothing(name: str, text: str) -> None:
    wishes, [found] = ask(**{name: text})
    assert wishes.closed is None
    assert found.code == "annotation/unsupported"


@pytest.mark.parametrize("row", [row for row in ANNOTATIONS if row.guards], ids=lambda row: row.name)
def test_a_guard_that_cannot_be_read_closes_the_routes(row: object) -> None:
    wishes, [found] = ask(**{str(getattr(row, "name", "")): "x;} return 200;"})
    assert wishes.closed is not None
    assert wishes.closed.status == 503
    assert found.code == "annotation/closed"


def test_a_setting_that_cannot_be_honoured_closes_every_ingress() -> None:
    wishes, found = ask(Settings(closed_reason="global-auth-url"))
    assert wishes.closed == Closed(503, "global-auth-url")
    assert not found


def test_an_empty_value_that_guards_nothing_has_no_effect() -> None:
    wishes, found = ask(app_root="", proxy_read_timeout="  ", canary="")
    assert wishes == Wishes()
    assert {each.code for each in found} == {"annotation/no-effect"}


def test_equal_annotations_of_two_ingresses_are_complained_about_twice() -> None:
    report = Report()
    for name in ("one", "two"):
        read({f"{PREFIX}/use-regex": "maybe"}, Settings(), PREFIX, Where(ObjectRef("Ingress", "default", name)), report)
    assert [str(found.where.object) for found in report] == ["Ingress default/one", "Ingress default/two"]


# --- the bad inputs that ingress-nginx became known for (CVE-2021-25742 to CVE-2026-4342)

HOSTILE = [
    "x;} location /evil { alias /etc/; } #",
    'x"; load_module evil.so; "',
    "x'; lua_package_path 'x",
    "x\n}\nserver {",
    "x\r\nInjected: yes",
    "x\0y",
    "x#;\n directive",
    "/var/run/secrets/kubernetes.io/serviceaccount/token;",
    "content_by_lua_block { os.execute() }",
    "$(id)",
    "${IFS}",
    "`id`",
    "http://x/#;\n",
    "CN=abc #(\n){}\n }}\n",
    "on;\nssl_engine evil",
    "GET;...",
    "../../../../etc/passwd\0",
    "\\",
    "é" * 3000,
    "x" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_hostile_values_are_refused(name: str, text: str) -> None:
    wishes, found = ask(**{"canary": "true", name: text} if name.startswith("canary-") else {name: text})
    if name in {"canary-by-header-value", "canary-by-header-pattern"}:
        assert wishes.canary == Canary()
    elif BY_NAME[name].guards:
        assert wishes.closed is not None
    assert found
    assert all(len(each.message) < 400 and "\n" not in each.message for each in found)


names = st.sampled_from(KNOWN) | st.text("abcdefghijklmnopqrstuvwxyz-", max_size=30)
texts = st.text() | st.sampled_from([*HOSTILE, "true", "false", "1", "/a", "$1", "10.0.0.0/8", "cookie", "X-A"])


@given(st.dictionaries(names, texts, max_size=8))
def test_whatever_is_asked_there_are_wishes_and_guards_never_open(annotations: dict[str, str]) -> None:
    report = Report()
    wishes = read({f"{PREFIX}/{name}": text for name, text in annotations.items()}, Settings(), PREFIX, SHOP, report)
    hash(wishes)
    assert all(found.where.object == SHOP.object and found.code in CODES for found in report)
    if wishes.closed is None and wishes.canary is None:
        assert not any(unsupported.guards(name, text.strip(values.BLANKS)) for name, text in annotations.items())
    if wishes.closed:
        assert any(found.code == "annotation/closed" for found in report)
