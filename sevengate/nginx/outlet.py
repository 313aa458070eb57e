"""NGINX's standard output, where the access log goes, if ours cannot be opened by its path.

NGINX opens its log as /dev/stdout. Under systemd our standard output is a socket, and a socket cannot be opened; a pipe
can. So an Outlet gives a pipe as NGINX's standard output, and a thread moves what comes through it to ours. It ends
when the last process that may write has ended. In a container, or on a terminal, none is needed.
"""

import os
import threading
from typing import BinaryIO, Final

#: Bytes that are moved at once: what a pipe holds.
_PART: Final = 64 * 1024
_OURS: Final = 1


def is_needed() -> bool:
    """Say whether /dev/stdout cannot be opened, or only by waiting for somebody to read a FIFO."""
    try:
        os.close(os.open("/dev/stdout", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return True
    return False


class Outlet:
    """A pipe to our standard output. `writing` is for NGINX; close it once NGINX has it."""

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        self._thread = threading.Thread(target=_move, args=(reading,), name="access log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave writing to NGINX alone."""
        os.close(self.writing)

    def wait(self, limit: float) -> None:
        """Wait until all that NGINX has written is where it belongs, for at most `limit` seconds."""
        self._thread.join(limit)


def _move(reading: int) -> None:
    with os.fdopen(reading, "rb", buffering=0) as pipe, os.fdopen(_OURS, "wb", closefd=False) as ours:
        is_taken = True
        while part := pipe.read(_PART):
            # Where nobody takes it any more, NGINX must not wait for that.
            is_taken = is_taken and _write(ours, part)


def _write(file: BinaryIO, part: bytes) -> bool:
    try:
        file.write(part)
        file.flush()
    except OSError:
        return False
    return True
