"""How old something is, in the few characters that kubectl prints: 45s, 3m12s, 5h, 12d.

Takes two moments; gives text. Pure. The steps at which a unit is dropped are kubectl's own (k8s.io/apimachinery,
duration.HumanDuration).
"""

from datetime import UTC, datetime
from typing import Final

_DAY: Final = 86400
_YEAR: Final = 365 * _DAY


def age(timestamp: str | None, now: datetime) -> str:
    """Say how long ago an RFC 3339 timestamp was."""
    if not timestamp:
        return "<unknown>"
    try:
        then = datetime.fromisoformat(timestamp)
    except ValueError:
        return "<invalid>"
    return short((now - then.astimezone(UTC)).total_seconds())


#: Up to how many seconds (exclusive) a duration is written in which units.
_STEPS: Final = (
    (120, (1, "s"), None),
    (600, (60, "m"), (1, "s")),
    (3 * 3600, (60, "m"), None),
    (8 * 3600, (3600, "h"), (60, "m")),
    (48 * 3600, (3600, "h"), None),
    (8 * _DAY, (_DAY, "d"), (3600, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
    (float("inf"), (_YEAR, "y"), None),
)


def short(seconds: float) -> str:
    """Write a duration of some seconds."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole >= -1 else "<invalid>"
    _, (unit, name), smaller = next(step for step in _STEPS if whole < step[0])
    rest = whole % unit // smaller[0] if smaller else 0
    return f"{whole // unit}{name}" + (f"{rest}{smaller[1]}" if smaller and rest else "")
