"""What time it is, and how the API writes that.

A Clock is given to whatever stamps objects, so that tests can hold time still.
"""

from collections.abc import Callable
from datetime import UTC, datetime

#: Gives the present moment, in UTC.
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Give the machine's time."""
    return datetime.now(UTC)


def written(moment: datetime) -> str:
    """Write a moment as the API does: RFC 3339, whole seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
