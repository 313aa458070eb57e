"""Networks as AddressRules hold them: sorted ranges that do not overlap, in hex, IPv4 before IPv6.

Text comes in as people write it in annotations and settings; values.py says which texts are networks. Whether an
address lies in a range is left to addresses.py and its Lua twin.
"""

from collections.abc import Iterable

from sevengate.routing.policies import AddressRange
from sevengate.values import Network, networks


def address_ranges(text: str) -> tuple[AddressRange, ...]:
    """Read addresses and networks separated by commas; raise ValueError as values.networks does."""
    return merged_ranges(networks(text))


def merged_ranges(merged: Iterable[Network]) -> tuple[AddressRange, ...]:
    """Join networks that touch each other; they come collapsed and sorted, IPv4 first."""
    ranges: list[tuple[int, int, int]] = []
    for network in merged:
        first, last, digits = int(network[0]), int(network[-1]), network.max_prefixlen // 4
        if ranges and ranges[-1][2] == digits and ranges[-1][1] + 1 == first:
            first = ranges.pop()[0]
        ranges.append((first, last, digits))
    return tuple(AddressRange(f"{first:0{digits}x}", f"{last:0{digits}x}") for first, last, digits in ranges)
