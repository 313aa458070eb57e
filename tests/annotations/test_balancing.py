import pytest

from sevengate.routing.policies import Affinity, AffinityMode, Algorithm, Balance
from sevengate.routing.template import Template
from sevengate.settings import LoadBalance, Settings
from tests.annotations.asking import ask, wish


def test_an_algorithm_is_the_annotations_or_the_settings() -> None:
    assert wish(load_balance="ewma").balance == Balance(Algorithm.EWMA)
    settings = Settings(load_balance=LoadBalance.EWMA)
    assert wish(settings).balance == Balance(Algorithm.EWMA)
    assert wish(settings, load_balance="round_robin").balance == Balance(Algorithm.ROUND_ROBIN)


def test_a_hash_goes_before_an_algorithm() -> None:
    wishes, [found] = ask(upstream_hash_by="$binary_remote_addr$arg_x", load_balance="ewma")
    assert wishes.balance == Balance(Algorithm.HASH, Template.parse("$remote_addr$arg_x"))
    assert found.code == "annotation/no-effect"


def test_the_settings_can_ask_for_a_hash() -> None:
    assert wish(Settings(upstream_hash_by="$uri")).balance == Balance(Algorithm.HASH, Template.parse("$uri"))


@pytest.mark.parametrize("text", ["chash", "sticky_balanced", "least_conn", "ip_hash", "hash", "EWMA", "ewma;"])
def test_other_algorithms_are_refused(text: str) -> None:
    wishes, [found] = ask(load_balance=text)
    assert wishes.balance == Balance()
    assert found.code == "annotation/invalid-value"


def test_affinity_has_a_cookie_and_goes_before_a_hash() -> None:
    wishes, [found] = ask(
        affinity="cookie",
        affinity_mode="persistent",
        session_cookie_name="route",
        session_cookie_path="/shop",
        session_cookie_domain=".Example.com",
        session_cookie_expires="60",
        session_cookie_max_age="-1",
        session_cookie_samesite="lax",
        session_cookie_secure="true",
        session_cookie_conditional_samesite_none="true",
        session_cookie_change_on_failure="true",
        upstream_hash_by="$uri",
    )
    affinity = Affinity(
        cookie="route",
        mode=AffinityMode.PERSISTENT,
        path="/shop",
        domain="example.com",
        expires=60,
        max_age=-1,
        same_site="Lax",
        conditional_same_site_none=True,
        secure=True,
        change_on_failure=True,
    )
    assert wishes.balance == Balance(affinity=affinity)
    assert "affinity goes before it" in found.message


def test_affinity_without_more_is_ingress_nginxs() -> None:
    assert wish(affinity="cookie").balance == Balance(affinity=Affinity())


def test_a_cookie_without_affinity_has_no_effect() -> None:
    wishes, found = ask(session_cookie_name="route", affinity_mode="balanced")
    assert wishes.balance == Balance()
    assert [each.code for each in found] == ["annotation/no-effect"] * 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("session_cookie_name", "a=b; Secure"),
        ("session_cookie_path", "/; HttpOnly"),
        ("session_cookie_domain", "a; Secure"),
        ("session_cookie_max_age", "1; x"),
        ("session_cookie_samesite", "Lax; x"),
    ],
)
def test_no_text_adds_attributes_to_the_cookie(name: str, text: str) -> None:
    wishes, [found] = ask(affinity="cookie", **{name: text})
    assert wishes.balance == Balance(affinity=Affinity())
    assert found.code == "annotation/invalid-value"


def test_a_client_stays_on_his_side_of_a_canary_unless_somebody_says_otherwise() -> None:
    assert wish(affinity="cookie").affinity_canary_sticky
    assert not wish(affinity="cookie", affinity_canary_behavior="legacy").affinity_canary_sticky
