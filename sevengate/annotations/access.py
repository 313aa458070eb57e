"""Who may come in, by address."""

from functools import lru_cache
from typing import Final

from sevengate.annotations.rows import Annotation, Asked, Risk, Scope
from sevengate.routing.policies import AddressRange, AddressRules
from sevengate.routing.ranges import address_ranges
from sevengate.settings import Settings

ALLOWLIST_SOURCE_RANGE: Final = Annotation(
    name="allowlist-source-range",
    parse=address_ranges,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Addresses and networks that may come in, separated by commas; all others get 403. It takes the place of "
    "the setting whitelist-source-range.",
    example="10.0.0.0/8, 2001:db8::/32",
    guards=True,
    aliases=("whitelist-source-range",),
)
DENYLIST_SOURCE_RANGE: Final = Annotation(
    name="denylist-source-range",
    parse=address_ranges,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Addresses and networks that get 403, even if they are allowed. It takes the place of the setting "
    "denylist-source-range.",
    example="192.0.2.0/24",
    guards=True,
)

ROWS: Final = (ALLOWLIST_SOURCE_RANGE, DENYLIST_SOURCE_RANGE)


def address_rules(asked: Asked, settings: Settings) -> AddressRules | None:
    """Give the rules for addresses, or None where everybody may come in."""
    allow = asked.get(ALLOWLIST_SOURCE_RANGE) or _ranges(settings.whitelist_source_range)
    deny = asked.get(DENYLIST_SOURCE_RANGE) or _ranges(settings.denylist_source_range)
    return AddressRules(allow=allow or None, deny=deny) if allow or deny else None


@lru_cache(maxsize=8)
def _ranges(networks: tuple[str, ...]) -> tuple[AddressRange, ...]:
    return address_ranges(",".join(networks)) if networks else ()
