from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.routing.addresses import verdict
from sevengate.routing.policies import AddressRange, AddressRules
from sevengate.routing.ranges import address_ranges
from sevengate.values import Network


def test_writes_both_ends_of_a_range_in_hex() -> None:
    assert address_ranges("10.0.0.0/8, 2001:db8::1") == (
        AddressRange("0a000000", "0affffff"),
        AddressRange("20010db8000000000000000000000001", "20010db8000000000000000000000001"),
    )


def test_joins_networks_that_overlap_or_touch() -> None:
    text = "10.0.0.3, 10.0.0.0/31, 10.0.0.2, 10.0.0.4/30, 10.0.0.1"
    assert address_ranges(text) == (AddressRange("0a000000", "0a000007"),)


def test_ignores_host_bits_as_nginx_does() -> None:
    assert address_ranges("10.1.2.3/8") == address_ranges("10.0.0.0/8")


def test_takes_an_ipv4_mapped_network_for_the_ipv4_one() -> None:
    assert address_ranges("::ffff:10.0.0.0/104") == address_ranges("10.0.0.0/8")


@pytest.mark.parametrize(
    "text", ["", ",", "10.0.0.0/8,", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "010.0.0.1"]
)
def test_refuses_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"address"):
        address_ranges(text)


#: All lie in the upper half, so that every network has an address before it.
networks = st.builds(
    lambda first, length: ip_network((first, length), strict=False),
    st.integers(2**31, 2**32 - 1) | st.integers(2**127, 2**128 - 1),
    st.integers(1, 32),
)


def test_a_wrapped_ipv4_address_counts_as_the_ipv4_address() -> None:
    rules = AddressRules(allow=address_ranges("192.0.2.0/24"))
    assert verdict(rules, "::ffff:192.0.2.1").admitted
    assert not verdict(rules, "::ffff:192.0.3.1").admitted


@given(st.data(), st.lists(networks, min_size=1, max_size=8))
def test_admits_exactly_the_addresses_of_the_networks(data: st.DataObject, allowed: list[Network]) -> None:
    rules = AddressRules(allow=address_ranges(",".join(map(str, allowed))))
    edges = [edge for network in allowed for edge in (network[0], network[0] - 1, network[-1])]
    client = data.draw(st.ip_addresses() | st.sampled_from(edges))
    counted = getattr(client, "ipv4_mapped", None) or client  # as in NGINX's access module
    assert verdict(rules, str(client)).admitted is any(counted in network for network in allowed)
