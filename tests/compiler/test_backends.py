"""Addresses of endpoints, as they are written into a Backend."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.compiler.compile import compile_all
from sevengate.settings import Options
from tests.compiler.making import NOW, endpoint_slice, ingress, rule, service, snapshot

octets = st.integers(0, 300).map(str) | st.sampled_from(["00", "01", "", "٣", "1\n", "256", "-1", "+1", "1e1"])
addresses = st.lists(octets, min_size=3, max_size=5).map(".".join) | st.ip_addresses().map(str)


def written(address: str) -> list[str]:
    compilation = compile_all(
        snapshot(service(), endpoint_slice("shop", address), ingress("shop", rule("shop.example"))), Options(), NOW
    )
    [backend] = compilation.table.backends.values()
    return [endpoint.address for endpoint in backend.endpoints]


@given(addresses)
def test_an_endpoint_has_an_address_that_every_library_takes_for_one(address: str) -> None:
    try:
        expected = [str(ip_address(address))]
    except ValueError:
        expected = []
    assert written(address) == expected


@pytest.mark.parametrize(("address", "shown"), [("2001:DB8::0001", ["2001:db8::1"]), ("fe80::1%eth0", [])])
def test_an_address_has_one_spelling_and_names_no_interface(address: str, shown: list[str]) -> None:
    assert written(address) == shown
