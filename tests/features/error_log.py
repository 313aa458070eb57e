"""What NGINX complains of while a test runs: only what the test provokes, and all of that."""

import logging
import re
from typing import Self


class ErrorLog(logging.Handler):
    """Collects the lines of level error and above; leaving it fails for lines that nobody expected, or that never came.

    NGINX must have ended by then, so that its last line has been read.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self._expected: list[str] = []
        self._allowed: list[str] = []

    def __enter__(self) -> Self:
        logging.getLogger("sevengate.nginx").addHandler(self)
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        logging.getLogger("sevengate.nginx").removeHandler(self)
        if failure is None:
            unexpected, missing = self.unexpected(), self.missing()
            assert not unexpected, "NGINX complains:\n" + "\n".join(unexpected)
            assert not missing, f"NGINX does not complain of {missing}"

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def expect(self, *patterns: str) -> None:
        """Announce lines in which these patterns are found, each at least one."""
        self._expected += patterns

    def allow(self, *patterns: str) -> None:
        """Announce lines that may come or not, as chance has it."""
        self._allowed += patterns

    def unexpected(self) -> list[str]:
        known = [*self._expected, *self._allowed]
        return [line for line in self.lines if not any(re.search(pattern, line) for pattern in known)]

    def missing(self) -> list[str]:
        return [pattern for pattern in self._expected if not any(re.search(pattern, line) for line in self.lines)]
