"""How long to wait before something is tried again: longer each time, and never all at the same moment.

The pause doubles from `first` to `longest` seconds and is drawn between half of that and the whole (jitter), so that a
thousand clients which lost one server do not come back to it as one. Whoever had success says so with `reset`.
"""

import random


class Backoff:
    """Draws the next pause, in seconds."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._failures = 0

    def next(self) -> float:
        """Give the pause before the next try."""
        # 2 ** 1024 is no float any more; long before, the longest pause is reached.
        pause = min(self._first * 2.0 ** min(self._failures, 64), self._longest)
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - it keeps no secret

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._failures = 0
