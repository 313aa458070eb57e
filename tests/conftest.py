"""Fixtures that any room's tests may use: a real NGINX, and servers behind it."""

from collections.abc import Iterator

import pytest
from hypothesis import settings as hypothesis_settings

from sevengate.nginx.live import Live, live
from sevengate.settings import Settings
from tests.backends import EchoBackends

#: What NGINX runs with in tests: workers enough to see that all agree, and nothing on standard output.
QUIET = Settings(worker_processes=2, disable_access_log=True)

# How long one example takes says something about the machine, and nothing about the code.
hypothesis_settings.register_profile("untimed", hypothesis_settings(), deadline=None)
hypothesis_settings.load_profile("untimed")


@pytest.fixture
def backends() -> Iterator[EchoBackends]:
    """Web servers that answer with their name and what they were asked: `backends.start("shop-1") -> Endpoint`."""
    with EchoBackends() as running:
        yield running


@pytest.fixture
def gate() -> Iterator[Live]:
    """A real NGINX on free ports of 127.0.0.1 that serves nothing yet: `gate.apply(table, QUIET)`, then ask it.

    `tests.asking.ask(gate.http_port, "shop.example", "/path")` sends a request.
    """
    with live(settings=QUIET) as running:
        yield running
