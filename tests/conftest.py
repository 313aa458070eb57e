"""Fixtures that any room's tests may use: a real NGINX, and servers behind it."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from sevengate.nginx.conf import write
from sevengate.nginx.installation import find_installation
from sevengate.nginx.listening import Listen
from sevengate.nginx.live import Live, live
from sevengate.nginx.runtime import Runtime
from sevengate.nginx.selfsigned import self_signed
from sevengate.nginx.static import static_conf
from sevengate.nginx.supervisor import place
from sevengate.routing.policies import Profile
from sevengate.settings import Settings
from tests.backends import EchoBackends
from tests.manifests import INGRESS, INGRESS_CLASS
from tests.pair import Pair
from tests.waiting import free_port

#: What NGINX runs with in tests: workers enough to see that all agree, and nothing on standard output.
QUIET = Settings(worker_processes=2, disable_access_log=True)

# How long one example takes says something about the machine, and nothing about the code.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")


@pytest.fixture
def backends() -> Iterator[EchoBackends]:
    """Web servers that answer with their name and what they were asked: `backends.start("shop-1") -> Endpoint`."""
    with EchoBackends() as running:
        yield running


@pytest.fixture(scope="session")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Settings, Iterable[Profile]], str]:
    """What `nginx -t` has against the configuration of `refusal(settings, profiles)`; "" if nothing."""
    nginx, runtime = find_installation(), Runtime(tmp_path_factory.mktemp("gate"))
    runtime.make()
    certificate = self_signed()
    runtime.write("default.crt", certificate.chain)
    runtime.write("default.key", certificate.key.pem)

    def ask(settings: Settings, profiles: Iterable[Profile]) -> str:
        # `nginx -t` opens the ports that it reads about.
        where = place(nginx, runtime, Listen(("127.0.0.1",), free_port(), free_port(), free_port()))
        conf = runtime.write("nginx.conf", write(static_conf(settings, profiles, where)).encode())
        run = subprocess.run(
            [nginx.executable, "-t", "-p", runtime.directory, "-c", conf], capture_output=True, text=True, check=False
        )
        return run.stderr if run.returncode else ""

    return ask


@pytest.fixture
def temporary() -> Iterator[str]:
    """A folder with a short name, as sockets need it, through which NGINX's workers, who are nobody, may pass."""
    with tempfile.TemporaryDirectory(prefix="sg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield folder


@pytest.fixture
def manifests(tmp_path: Path, backends: EchoBackends) -> Path:
    """A folder of manifests that sends shop.example to the echo server `shop`."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "class.yaml").write_text(INGRESS_CLASS)
    (folder / "shop.yaml").write_text(INGRESS.format(name="shop", endpoint=backends.start("shop")))
    return folder


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A data plane and a controller to start as two processes."""
    with Pair() as made:
        yield made


@pytest.fixture
def gate() -> Iterator[Live]:
    """A real NGINX on free ports of 127.0.0.1 that serves nothing yet: `gate.apply(table, QUIET)`, then ask it.

    `tests.asking.ask(gate.http_port, "shop.example", "/path")` sends a request.
    """
    with live(settings=QUIET) as running:
        yield running
