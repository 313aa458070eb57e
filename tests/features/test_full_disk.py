"""Where nothing can be written any more, traffic goes on, and what waits for room is done when there is some."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends import EchoBackends
from tests.manifests import INGRESS
from tests.spawned import probe, soon
from tests.test_run import Running

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: gate, namespace: default}}
data: {{access-log-path: {log}, keep-alive: "{seconds}"}}
"""


@pytest.fixture
def mount() -> Iterator[Path]:
    """A folder over which a file system of its own may be mounted, in a mount namespace of its own."""
    allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if allowed.returncode:
        pytest.skip("only root may mount a small disk to fill")
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        yield Path(folder)


class OnSmallDisk(Running):
    """A `sevengate run` whose directory lies on a disk of half a megabyte."""

    def __init__(self, manifests: Path, mount: Path, *flags: str) -> None:
        script = f'mount -t tmpfs -o size=512k,mode=755 tmpfs {mount} && exec "$@"'
        self.launcher = ("unshare", "--mount", "sh", "-c", script, "sh")
        super().__init__(manifests, str(mount), *flags)
        self.disk = Path(f"/proc/{self.process.pid}/root{mount}")

    def fill(self) -> None:
        """Leave no byte."""
        with (self.disk / "filling").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return

    def free(self) -> None:
        (self.disk / "filling").unlink()


def test_a_full_disk_stops_reloads_and_nothing_else(manifests: Path, mount: Path, backends: EchoBackends) -> None:
    log = mount / "access.log"
    (manifests / "gate.yaml").write_text(CONFIG_MAP.format(log=log, seconds=30))
    with OnSmallDisk(manifests, mount, "--watch", "--configmap", "default/gate") as running:
        soon(lambda: probe(running.healthz) == 200)
        assert running.get("shop.example").status == 200
        soon(lambda: (running.disk / log.name).stat().st_size > 0)  # the line comes after the answer
        running.fill()
        (manifests / "gate.yaml").write_text(CONFIG_MAP.format(log=log, seconds=31))
        soon(lambda: running.said("No space left on device"))
        assert running.get("shop.example").status == 200
        (manifests / "new.yaml").write_text(INGRESS.format(name="new", endpoint=backends.start("new")))
        soon(lambda: running.get("new.example").status == 200)
        running.free()
        soon(lambda: running.said("nginx reloaded: setting keep-alive changed"))
        assert running.get("shop.example").status == 200
    assert running.said("not live") == running.said("keep-alive: cannot write") == 1
    assert running.said("Traceback") == 0


def test_a_log_that_cannot_be_written_stops_nothing(manifests: Path, backends: EchoBackends) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with Running(manifests, tempfile.gettempdir(), "--watch", stderr=full) as running:
            soon(lambda: probe(running.healthz) == 200)
            (manifests / "new.yaml").write_text(INGRESS.format(name="new", endpoint=backends.start("new")))
            (manifests / "bad.yaml").write_text("kind: [")
            soon(lambda: running.get("new.example").status == 200)
            assert running.is_running
    finally:
        os.close(full)
