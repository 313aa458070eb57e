"""Whether a client's address may come in: AddressRules asked about one address, and ranges as text.

Takes the rules of a route and an address as text; gives a Verdict that names the range that decided, for whoever must
explain it. An IPv6 address that only wraps an IPv4 one (::ffff:192.0.2.1) counts as the IPv4 address, as in NGINX's
access module. How the text of an annotation becomes ranges is settled where annotations are read.
"""

import ipaddress
from collections.abc import Iterable

import msgspec

from sevengate.routing.policies import AddressRange, AddressRules


class Verdict(msgspec.Struct, frozen=True):
    """`range` is the range that holds the address, None if it was refused because no allowed range does."""

    admitted: bool
    range: AddressRange | None = None


def verdict(rules: AddressRules, client: str) -> Verdict:
    """Judge an address: a denied one never comes in, and only an allowed one if there is a list of them."""
    address = packed(client)
    if denied := _holding(rules.deny, address):
        return Verdict(admitted=False, range=denied)
    if rules.allow is None:
        return Verdict(admitted=True)
    allowed = _holding(rules.allow, address)
    return Verdict(admitted=allowed is not None, range=allowed)


def packed(client: str) -> str:
    """Give an address as lower-case hex of its bytes; raise ValueError if it is none."""
    address = ipaddress.ip_address(client)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).packed.hex()


def range_text(held: AddressRange) -> str:
    """Give a range as CIDR blocks, separated by spaces."""
    first, last = (ipaddress.ip_address(bytes.fromhex(end)) for end in (held.first, held.last))
    return " ".join(str(block) for block in ipaddress.summarize_address_range(first, last))


def ranges_text(ranges: Iterable[AddressRange]) -> str:
    """Give ranges as CIDR blocks, separated by spaces; `nobody` for no range."""
    return " ".join(map(range_text, ranges)) or "nobody"


def _holding(ranges: Iterable[AddressRange], address: str) -> AddressRange | None:
    family = (held for held in ranges if len(held.first) == len(address))
    return next((held for held in family if held.first <= address <= held.last), None)
