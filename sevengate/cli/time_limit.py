"""A bound on the time that one answer may take: `(a+)+$` and a path of forty letters would take Python's re years.

NGINX gives such a pattern up after a number of steps (lua_regex_match_limit) and takes it for not found. Python's re
has no such limit, and no look at a pattern tells all that are slow from the many that only look so; but it lets
signals in while it searches, so an alarm ends it. This stands at the command line, because the matcher keeps no clock.
It gives no outcome in place of NGINX's: nobody can say from here after how many steps PCRE would have found something.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds for one request; an ordinary one takes less than a millisecond.
LIMIT = 5.0


class TooSlowError(Exception):
    """The answer was given up; the text says why."""

    def __init__(self) -> None:
        super().__init__(
            f"no answer within {LIMIT:g} s: a regular expression of the host's paths or conditions needs too many "
            "steps for this request; NGINX gives such a one up and takes it for not found"
        )


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise TooSlowError in what is done inside once it has taken LIMIT seconds; for the main thread alone."""

    def give_up(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
