import pytest

from sevengate.routing.policies import AddressRules
from sevengate.routing.ranges import address_ranges
from sevengate.settings import Settings
from tests.annotations.asking import ask, wish

OFFICE = address_ranges("10.0.0.0/8")
HOME = address_ranges("192.168.0.0/16")


@pytest.mark.parametrize("name", ["allowlist_source_range", "whitelist_source_range"])
def test_only_the_allowed_come_in(name: str) -> None:
    assert wish(**{name: "10.0.0.0/8"}).addresses == AddressRules(allow=OFFICE)


def test_a_list_of_the_denied_allows_everybody_else() -> None:
    assert wish(denylist_source_range="10.0.0.0/8").addresses == AddressRules(allow=None, deny=OFFICE)


def test_an_ingress_takes_the_place_of_the_settings() -> None:
    settings = Settings(whitelist_source_range=("10.0.0.0/8",), denylist_source_range=("192.168.0.0/16",))
    assert wish(settings).addresses == AddressRules(allow=OFFICE, deny=HOME)
    asked = wish(settings, allowlist_source_range="192.168.0.0/16").addresses
    assert asked == AddressRules(allow=HOME, deny=HOME)


def test_the_old_name_gives_way_to_the_new_one() -> None:
    wishes, [found] = ask(whitelist_source_range="0.0.0.0/0", allowlist_source_range="10.0.0.0/8")
    assert wishes.addresses == AddressRules(allow=OFFICE)
    assert found.code == "annotation/no-effect"


@pytest.mark.parametrize(
    "text", ["", "everybody", "10.0.0.0/8,", "10.0.0.0/8 192.168.0.0/16", "0.0.0.0/0; }", "10.0.0.0/64"]
)
@pytest.mark.parametrize("name", ["allowlist_source_range", "whitelist_source_range", "denylist_source_range"])
def test_a_list_that_cannot_be_read_lets_nobody_in(name: str, text: str) -> None:
    wishes, [found] = ask(**{name: text})
    assert wishes.closed
    assert found.code == "annotation/closed"
