import pytest

from sevengate.routing.policies import Redirect
from sevengate.routing.template import Template, Variable
from sevengate.settings import Settings
from tests.annotations.asking import ask, wish


def test_a_permanent_redirect_is_301_and_may_hold_variables() -> None:
    wishes = wish(permanent_redirect="https://new.example$request_uri")
    assert wishes.redirect == Redirect(301, Template(("https://new.example", Variable("request_uri"))))


def test_a_redirects_code_can_be_chosen() -> None:
    asked = wish(permanent_redirect="/a", permanent_redirect_code="308").redirect
    assert asked
    assert asked.code == 308


def test_a_temporal_redirect_wins_over_a_permanent_one() -> None:
    wishes, [found] = ask(permanent_redirect="/a", temporal_redirect="/b", temporal_redirect_code="307")
    assert wishes.redirect == Redirect(307, Template(("/b",)))
    assert found.code == "annotation/no-effect"


@pytest.mark.parametrize(
    ("name", "code", "used"), [("permanent", "304", 301), ("temporal", "308", 302), ("temporal", "x", 302)]
)
def test_a_code_that_is_none_of_a_redirect_falls_back(name: str, code: str, used: int) -> None:
    wishes, [found] = ask(**{f"{name}_redirect": "/a", f"{name}_redirect_code": code})
    assert wishes.redirect == Redirect(used, Template(("/a",)))
    assert found.code == "annotation/invalid-value"


def test_a_code_without_a_redirect_has_no_effect() -> None:
    wishes, found = ask(permanent_redirect_code="308", temporal_redirect_code="307")
    assert wishes.redirect is None
    assert [each.code for each in found] == ["annotation/no-effect"] * 2


@pytest.mark.parametrize(
    "text", ["new.example", "javascript:alert(1)", "ftp://x/", "https://", "https:///x", "$nope", "/a b"]
)
def test_a_target_that_cannot_be_honoured_closes_the_routes(text: str) -> None:
    wishes, [found] = ask(permanent_redirect=text)
    assert wishes.closed
    assert wishes.redirect is None
    assert found.code == "annotation/closed"


@pytest.mark.parametrize("text", ["$scheme://$http_host/x", "${scheme}://a/", "http://[::1]/", "/only/a/path?x=1#y"])
def test_targets_may_begin_with_the_scheme_or_be_a_path(text: str) -> None:
    asked = wish(temporal_redirect=text).redirect
    assert asked
    assert asked.location == Template.parse(text)


def test_an_empty_target_asks_for_no_redirect() -> None:
    assert wish(permanent_redirect="").redirect is None


def test_redirects_to_https_follow_the_settings_until_somebody_says_otherwise() -> None:
    settings = Settings(ssl_redirect=False, force_ssl_redirect=True)
    assert (wish(settings).ssl_redirect, wish(settings).force_ssl_redirect) == (False, True)
    wishes = wish(settings, ssl_redirect="true", force_ssl_redirect="false")
    assert (wishes.ssl_redirect, wishes.force_ssl_redirect) == (True, False)


def test_app_root_is_a_path() -> None:
    assert wish(app_root="/app").app_root == "/app"
    wishes, [found] = ask(app_root="app")
    assert wishes.app_root == ""
    assert found.code == "annotation/invalid-value"
