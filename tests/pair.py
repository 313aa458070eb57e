"""The two processes of a gate: a `sevengate dataplane` and a `sevengate controller` that meet in a directory."""

import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from tests.asking import Answer, ask
from tests.spawned import Spawned, probe, soon
from tests.waiting import free_port


class Pair:
    """Where the two listen, and the means to start each. What still runs at the end of a `with` block is killed."""

    def __init__(self) -> None:
        self.http, self.https, self.default = free_port(), free_port(), free_port()
        self.status, self.healthz = free_port(), free_port()
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-", ignore_cleanup_errors=True))
        Path(folder).chmod(0o711)
        self.directory = Path(folder) / "gate"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def dataplane(self, *flags: str) -> Spawned:
        """Start a data plane and wait until it can be reached."""
        started = self._stack.enter_context(
            Spawned(
                *("dataplane", "--dataplane-directory", str(self.directory), "--status-port", str(self.status)),
                *("--http-port", str(self.http), "--https-port", str(self.https)),
                *("--default-server-port", str(self.default), *flags),
                SEVENGATE_BIND_ADDRESS="127.0.0.1",
            )
        )
        soon(lambda: started.said("waiting for a controller") or started.process.poll() is not None)
        return started

    def controller(self, *flags: str) -> Spawned:
        """Start a controller; the flags say what it serves."""
        return self._stack.enter_context(
            Spawned(
                *("controller", "--dataplane-directory", str(self.directory)),
                *("--healthz-port", str(self.healthz), *flags),
                SEVENGATE_BIND_ADDRESS="127.0.0.1",
            )
        )

    def ready(self) -> bool:
        """Say whether both are ready."""
        return probe(self.status) == probe(self.healthz) == 200

    def get(self, host: str) -> Answer:
        """Ask for the root of a host."""
        return ask(self.http, host)

    def status_of(self, host: str) -> int:
        """Give the status of an answer, 0 for none."""
        with suppress(OSError):
            return self.get(host).status
        return 0


def parent_of(entry: Path) -> int:
    """Give the parent of the process that a folder of /proc shows."""
    with suppress(OSError):
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return 0


def nginx_of(spawned: Spawned) -> int:
    """Give the NGINX master of a process, 0 if it has none."""
    children = (int(entry.name) for entry in Path("/proc").glob("[0-9]*") if parent_of(entry) == spawned.process.pid)
    return next(children, 0)
