"""Question (h): what a cluster of 10,000 Ingresses asks of a controller that follows its API server.

The API server is the lab's, in a process of its own, filled directly and with every object encoded already, so that
what is measured is ours. `sevengate run` is started as in a pod. A change is made in the server's storage, which notes
when; it is live when a new connection to NGINX is answered at the new path.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Final

from bench.answers import Answer, Bar, Figure
from bench.cluster import NAMESPACE, Plain, endpoint_slice, full_cluster, host_name, ingress, path
from bench.gauges import cpu_seconds_of_threads, memory, percentile
from bench.peers import BODIES, LOOPBACK, BenchError, backends, free_ports
from bench.scale import Scale
from sevengate.cluster.resources import ENDPOINT_SLICES, INGRESS_CLASSES, INGRESSES, SERVICES, Resource
from sevengate.lab.apiserver.running import RunningApi, serving_api
from sevengate.lab.apiserver.storage import Shelf
from sevengate.lab.home import write_private

QUESTION: Final = (
    "A cluster of 10,000 Ingresses of five paths, 10,000 Services and 50,000 EndpointSlices of two endpoints, read "
    "from an API server in another process: time from the start of the process until a request is answered, the "
    "controller's memory, and time from the API server's event of one changed Ingress until a request is answered "
    "accordingly."
)
#: Seconds after which something is not slow but broken.
LIMIT: Final = 120.0
_SHELVES: Final = {one.kind: one for one in (INGRESSES, INGRESS_CLASSES, SERVICES, ENDPOINT_SLICES)}
#: Changes that are not counted, and how far apart the objects are that change.
_WARM_UP: Final = 5
SLICES: Final = 5
_STRIDE: Final = 37


def answer(scale: Scale) -> Answer:
    """Start a gate, and change one Ingress after another."""
    changing = [turn * _STRIDE % scale.hosts for turn in range(_WARM_UP + 2 * scale.changes)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address, _ = stack.enter_context(backends())
        read, change = stack.enter_context(_api_server(scale.hosts, changing, address, folder))
        gate = stack.enter_context(_gate(folder))
        started = gate.until_it_serves()
        at_rest, cpu = memory(gate.pid), cpu_seconds_of_threads(gate.pid)
        taken = [_live(gate, change, number, turn) for turn, number in enumerate(changing)]
        used, later = memory(gate.pid), cpu_seconds_of_threads(gate.pid)
    counted = taken[_WARM_UP:]
    return Answer(
        (
            Figure("start to serving", started, "s", Bar(5)),
            Figure("start to serving, CPU time of the controller", cpu, "s"),
            Figure("controller, resident once it serves", at_rest["Rss"], "MiB", Bar(350)),
            Figure("controller, peak", used["Peak"], "MiB", Bar(350)),
            Figure("one changed Ingress: event to answer, median", median(counted) * 1000, "ms"),
            Figure("one changed Ingress: event to answer, p99", percentile(counted, 99) * 1000, "ms", Bar(50)),
            Figure("one changed Ingress: CPU time of the controller", (later - cpu) / len(taken) * 1000, "ms"),
        ),
        (f"One start, which reads {read / 1e6:.0f} MB of JSON; {len(counted)} changes, one after the other.",),
    )


# --- the gate


class _Gate:
    def __init__(self, process: "subprocess.Popen[bytes]", port: int, began: float, log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._port = port
        self._began = began
        self._log = log

    def until_it_serves(self) -> float:
        """Wait until the first request is answered; give the seconds since the start."""
        return self.until(host_name(0), path(1), pause=0.02) - self._began

    def until(self, host: str, target: str, pause: float = 0.0005) -> float:
        """Ask until a backend answers; give the moment."""
        while time.monotonic() - self._began < LIMIT:
            if self._process.poll() is not None:
                raise BenchError(f"sevengate ended: {self._log.read_text()[-2000:]}")
            with suppress(OSError):
                if self._is_answered(host, target):
                    return time.monotonic()
            time.sleep(pause)
        raise BenchError(f"{host}{target} was not served within {LIMIT:.0f} s: {self._log.read_text()[-2000:]}")

    def _is_answered(self, host: str, target: str) -> bool:
        with socket.create_connection((LOOPBACK, self._port)) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            with connection.makefile("rb") as stream:
                said = stream.read()
        return said.startswith(b"HTTP/1.1 200 ") and said.endswith(BODIES[0].encode())


@contextmanager
def _gate(folder: str) -> Iterator[_Gate]:
    http, https, default, healthz = free_ports(4)
    command = (
        *(sys.executable, "-m", "sevengate", "run", "--kubeconfig", f"{folder}/kubeconfig", "--bind-address", LOOPBACK),
        *("--http-port", str(http), "--https-port", str(https), "--default-server-port", str(default)),
        *("--healthz-port", str(healthz), "--publish-status-address=192.0.2.1"),
    )
    log = Path(folder, "log")
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "TMPDIR": "/tmp"})
    try:
        yield _Gate(process, http, began, log)
    finally:
        process.terminate()
        process.wait()


def _live(gate: _Gate, change: Callable[[int, str], float], number: int, turn: int) -> float:
    """Change an Ingress, and give the seconds from the server's event to the first answer."""
    target = f"/changed-{turn}"
    happened = change(number, target)
    return gate.until(host_name(number), target) - happened


# --- the API server, in a process of its own


@contextmanager
def _api_server(
    size: int, asked: Sequence[int], address: tuple[str, int], folder: str
) -> Iterator[tuple[int, Callable[[int, str], float]]]:
    """Serve a cluster; give its size in bytes, and what changes an Ingress and says when that was."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(size, asked, address, f"{folder}/kubeconfig", theirs))
    process.start()
    theirs.close()

    def change(number: int, target: str) -> float:
        ours.send((number, target))
        happened: float = ours.recv()
        return happened

    try:
        size_in_bytes: int = ours.recv()
        yield size_in_bytes, change
    finally:
        ours.close()
        process.join()


def _serve(size: int, asked: Sequence[int], address: tuple[str, int], kubeconfig: str, pipe: Connection) -> None:
    async def run() -> None:
        async with serving_api() as api:
            for plain in full_cluster(size, SLICES):
                _put(api, plain)
            for number in asked:
                # Whoever is asked for has his endpoints where a web server listens.
                for part in range(SLICES):
                    _put(api, endpoint_slice(number, address, part=part))
            write_private(Path(kubeconfig), api.kubeconfig())
            pipe.send(_encoded(api))
            while (wish := await asyncio.to_thread(_received, pipe)) is not None:
                number, target = wish
                _put(api, ingress(number, first_path=target))
                pipe.send(time.monotonic())

    asyncio.run(run())


def _received(pipe: Connection) -> tuple[int, str] | None:
    try:
        wish: tuple[int, str] = pipe.recv()
    except EOFError:
        return None
    return wish


def _put(api: RunningApi, plain: Plain) -> None:
    resource = _SHELVES[plain["kind"]]
    namespace = NAMESPACE if resource.namespaced else ""
    plain["metadata"].setdefault("uid", "class")
    api.storage.put(_shelf(resource), (namespace, plain["metadata"]["name"]), plain)


def _encoded(api: RunningApi) -> int:
    """Encode all that is stored, and give its size."""
    return sum(len(stored.encoded) for resource in _SHELVES.values() for stored in api.storage.items(_shelf(resource)))


def _shelf(resource: Resource) -> Shelf:
    return resource.group, resource.plural
