"""Networks as AddressRules hold them: sorted ranges that do not overlap, in hex, IPv4 before IPv6.

Text comes in as people write it in annotations and settings; values.py says which texts are networks. Whether an
address lies in a range is left to addresses.py and its Lua twin.
"""

from functools import lru_cache

from sevengate.routing.policies import AddressRange
from sevengate.values import Network, networks


def address_ranges(text: str) -> tuple[AddressRange, ...]:
    """Read addresses and networks separated by commas; raise ValueError as values.networks does."""
    merged: list[tuple[int, int, int]] = []
    for digits, first, last in sorted(map(_edges, networks(text))):
        if merged and merged[-1][0] == digits and merged[-1][2] + 1 >= first:
            _, earlier, before = merged.pop()
            merged.append((digits, earlier, max(before, last)))
        else:
            merged.append((digits, first, last))
    return tuple(AddressRange(f"{first:0{digits}x}", f"{last:0{digits}x}") for digits, first, last in merged)


@lru_cache(maxsize=4096)
def _edges(network: Network) -> tuple[int, int, int]:
    return network.max_prefixlen // 4, int(network[0]), int(network[-1])
