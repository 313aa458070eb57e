"""A Plan whose addresses no other test uses, neither in this process nor in one beside it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sevengate.lab.addresses import LOOPBACK, Plan


@contextmanager
def own_plan() -> Iterator[Plan]:
    """Claim a plan for as long as it is needed; the claim ends with the process in any case."""
    for number in range(1, 61):
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0sevengate-test-plan-{number}")
            except OSError:
                continue
            yield LOOPBACK.shifted(number)
            return
    raise RuntimeError("all plans are in use")
