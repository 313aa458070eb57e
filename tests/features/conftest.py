"""Fixtures of the feature tests: a cluster with a real NGINX, scripted backends, and NGINX's error log under watch."""

from collections.abc import Iterator

import pytest

from sevengate.nginx.live import Live, live
from tests.conftest import QUIET
from tests.features.cluster import Cluster
from tests.features.error_log import ErrorLog
from tests.features.scripts import ScriptedBackends


@pytest.fixture
def error_log() -> Iterator[ErrorLog]:
    """NGINX's error log, in which nothing may stand that the test does not expect: `error_log.expect("pattern")`."""
    with ErrorLog() as watched:
        yield watched


@pytest.fixture
def gate(error_log: ErrorLog) -> Iterator[Live]:
    """A real NGINX whose error log is watched."""
    with live(settings=QUIET) as running:
        yield running


@pytest.fixture
def cluster(gate: Live) -> Cluster:
    """Kubernetes objects in front of that NGINX; empty but for the IngressClass."""
    return Cluster(gate)


@pytest.fixture
def scripted() -> Iterator[ScriptedBackends]:
    """Backends that do byte by byte what a function says: `scripted.start(script) -> Endpoint`."""
    with ScriptedBackends() as running:
        yield running
