import pytest

from sevengate.annotations.wishes import Canary, Wishes
from sevengate.diagnostics import Severity
from sevengate.routing.policies import Algorithm
from tests.annotations.asking import ask, wish


def test_a_canary_says_who_goes_there() -> None:
    wishes = wish(canary="true", canary_by_header="X-Canary", canary_by_cookie="canary", canary_weight="10")
    assert wishes.canary == Canary(header="x-canary", cookie="canary", weight=10)


def test_a_value_goes_before_a_pattern() -> None:
    wishes, [found] = ask(
        canary="true", canary_by_header="a", canary_by_header_value="beta", canary_by_header_pattern="^b"
    )
    assert wishes.canary == Canary(header="a", header_value="beta")
    assert found.code == "annotation/no-effect"


def test_a_pattern_is_of_the_dialect_that_both_engines_read() -> None:
    assert wish(canary="true", canary_by_header="a", canary_by_header_pattern="^(b|c)$").canary == Canary(
        header="a", header_pattern="^(b|c)$"
    )


@pytest.mark.parametrize("condition", [{"canary_by_header_pattern": r"(?R)"}, {"canary_by_header_value": "\u2028x"}])
def test_a_header_whose_values_cannot_be_read_sends_nobody(condition: dict[str, str]) -> None:
    wishes, [found] = ask(canary="true", canary_by_header="a", **condition)
    assert wishes.canary == Canary()
    assert found.code == "annotation/invalid-value"


def test_a_value_without_a_header_has_no_effect() -> None:
    wishes, found = ask(canary="true", canary_by_header_value="x", canary_by_header_pattern="x")
    assert wishes.canary == Canary()
    assert [each.code for each in found] == ["annotation/no-effect"] * 2


@pytest.mark.parametrize(("weight", "total", "share"), [("10", "1000", (10, 1000)), ("500", "100", (100, 100))])
def test_a_weight_is_a_part_of_its_total(weight: str, total: str, share: tuple[int, int]) -> None:
    canary = wish(canary="true", canary_weight=weight, canary_weight_total=total).canary
    assert canary
    assert (canary.weight, canary.weight_total) == share


def test_a_total_below_a_hundred_is_taken_for_a_hundred() -> None:
    wishes, [found] = ask(canary="true", canary_weight="5", canary_weight_total="10")
    assert wishes.canary == Canary(weight=5, weight_total=100)
    assert found.code == "annotation/no-effect"


@pytest.mark.parametrize("text", ["-1", "ten", "10%", "1.5"])
def test_a_weight_that_cannot_be_read_is_none(text: str) -> None:
    wishes, [found] = ask(canary="true", canary_weight=text)
    assert wishes.canary == Canary()
    assert found.code == "annotation/invalid-value"


def test_an_ingress_that_may_be_a_canary_is_one_that_nobody_goes_to() -> None:
    wishes, [found] = ask(canary="ture", canary_weight="50")
    assert wishes.canary == Canary()
    assert found.code == "annotation/invalid-value"


def test_conditions_on_an_ingress_that_is_no_canary_have_no_effect() -> None:
    wishes, [found] = ask(canary="false", canary_weight="50")
    assert wishes == Wishes()
    assert found.code == "annotation/no-effect"


def test_of_a_canarys_other_annotations_only_those_of_its_balance_count() -> None:
    wishes, found = ask(canary="true", load_balance="ewma", service_upstream="true", app_root="/x", enable_cors="true")
    assert wishes.balance.algorithm is Algorithm.EWMA
    assert wishes.service_upstream
    assert wishes.app_root == ""
    assert [(each.severity, each.code) for each in found] == [(Severity.NOTICE, "annotation/no-effect")] * 2


def test_a_canarys_list_of_addresses_does_not_count_and_says_so() -> None:
    wishes, [found] = ask(canary="true", allowlist_source_range="10.0.0.0/8")
    assert wishes.addresses is None
    assert (found.severity, found.code) == (Severity.WARNING, "annotation/no-effect")


def test_nobody_goes_to_a_canary_whose_guard_is_not_carried_out() -> None:
    wishes, [found] = ask(canary="true", canary_weight="50", auth_url="http://auth.example/")
    assert wishes.canary == Canary()
    assert wishes.closed
    assert found.code == "annotation/closed"
