"""A `sevengate` command as a process of its own: what it says, and how it ends."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.asking import ask
from tests.waiting import LIMIT


def soon(reached: Callable[[], object]) -> None:
    """Come back when `reached()` is true, and fail after a bounded time."""
    end = time.monotonic() + LIMIT
    while not reached():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


class Spawned:
    """One process; `lines` are those of its standard error, if that is not elsewhere.

    It is killed at the end of a `with` block. `launcher` is a command that runs the command that follows it.
    """

    launcher: tuple[str, ...] = ()

    def __init__(
        self, *arguments: str, stdout: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE, **environment: str
    ) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*self.launcher, sys.executable, "-m", "sevengate", *arguments],
            stdout=stdout,
            stderr=stderr,
            text=True,
            env={**os.environ, **environment},
            cwd=Path(__file__).parents[1],
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.end()

    def _read(self) -> None:
        if self.process.stderr is None:
            return
        with self.process.stderr as said:
            self.lines.extend(line.rstrip("\n") for line in iter(said.readline, ""))

    def end(self) -> int:
        """Wait for the end and give the exit status."""
        status = self.process.wait(LIMIT)
        self._reader.join()
        return status

    @property
    def is_running(self) -> bool:
        """Say whether it has not ended yet."""
        return self.process.poll() is None

    def said(self, text: str) -> int:
        """Count the lines that hold a text."""
        return sum(text in line for line in self.lines)


def probe(port: int, path: str = "/readyz") -> int:
    """Give the status of a probe, 0 if nobody answers."""
    try:
        return ask(port, "localhost", path).status
    except OSError:
        return 0
