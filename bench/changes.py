"""What the questions about one changed object share: clusters of several sizes that take turns in changing.

Each cluster lives in a process of its own with its own data plane, because a big neighbour in the same process would
slow a small one (the garbage collector visits all). A change counts from the moment at which the object is there to the
moment at which a new connection has been answered by it; what NGINX said itself is checked on the way.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter
from typing import Final

import msgspec

from bench.answers import Answer, Bar, Figure
from bench.cluster import Address, Plain, decoded, endpoint_slice, host_name, ingress, path, small_cluster, snapshot
from bench.gates import compiled
from bench.gauges import percentile
from bench.peers import BODIES, LOOPBACK, BenchError, backends
from bench.scale import Scale
from sevengate.compiler.compile import Compilation, recompile
from sevengate.kube.snapshot import Snapshot
from sevengate.nginx.live import Live, live
from sevengate.settings import Settings

#: Changes that are not counted, so that connections are open and code is loaded.
WARM_UP: Final = 10
SETTINGS: Final = Settings(worker_processes=2, disable_access_log=True)
#: From the object to the answer of a request.
STEPS: Final = ("snapshot", "compile", "apply", "answer")
#: Far apart, and prime: changes come to every object before they come to one again.
_STRIDE: Final = 37


class Kind(StrEnum):
    """What changes."""

    INGRESS = "ingress"
    ENDPOINT = "endpoint"


class Change(msgspec.Struct, frozen=True):
    """One change: seconds by STEPS, bytes that were pushed, and NGINX's reloads so far."""

    steps: Mapping[str, float]
    bytes: int
    reloads: int

    @property
    def live(self) -> float:
        """Seconds from the object to the answer."""
        return sum(self.steps.values())


def answer(kind: Kind, scale: Scale) -> Answer:
    """Let clusters of three sizes change one object at a time, in turn."""
    sizes = (scale.hosts // 100, scale.hosts // 10, scale.hosts)
    with ExitStack() as stack:
        addresses = stack.enter_context(backends())
        clusters = {size: stack.enter_context(_cluster(size, kind, addresses)) for size in sizes}
        changes: dict[int, list[Change]] = {size: [] for size in sizes}
        for number in range(WARM_UP + scale.changes):
            for size, change in clusters.items():
                changes[size].append(change(number))
    return Answer(tuple(_figures({size: found[WARM_UP:] for size, found in changes.items()})), _notes(changes))


def _figures(changes: Mapping[int, list[Change]]) -> Iterator[Figure]:
    medians = {size: median(change.live for change in found) for size, found in changes.items()}
    smallest, largest = min(changes), max(changes)
    for size, found in changes.items():
        bar = Bar(50) if size == largest else None
        name = f"{size:,} Ingresses"
        yield Figure(f"{name}: live, median", medians[size] * 1000, "ms", bar)
        yield Figure(f"{name}: live, p99", percentile([change.live for change in found], 99) * 1000, "ms", bar)
        yield Figure(f"{name}: pushed", median(change.bytes for change in found), "bytes")
    yield Figure(f"{largest:,} / {smallest:,}, medians", medians[largest] / medians[smallest], "", Bar(2))
    yield Figure("reloads", sum(found[-1].reloads for found in changes.values()), "", Bar(0))


def _notes(changes: Mapping[int, list[Change]]) -> tuple[str, ...]:
    largest = changes[max(changes)][WARM_UP:]
    steps = ", ".join(f"{step} {median(change.steps[step] for change in largest) * 1000:.2f} ms" for step in STEPS)
    return (
        f"{len(largest)} changes of each size after {WARM_UP} that are not counted; the sizes take turns.",
        f"Of the largest, medians by step: {steps}.",
    )


# --- a cluster in a process of its own


@contextmanager
def _cluster(size: int, kind: Kind, addresses: tuple[Address, Address]) -> Iterator[Callable[[int], Change]]:
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(size, kind, addresses, theirs))
    process.start()
    theirs.close()

    def change(number: int) -> Change:
        ours.send(number)
        answer: Change = ours.recv()
        return answer

    try:
        yield change
    finally:
        ours.close()
        process.join()


def _serve(size: int, kind: Kind, addresses: tuple[Address, Address], pipe: Connection) -> None:
    """Make one change for each number that comes, until the other side closes the pipe."""
    wishes = snapshot(small_cluster(size, addresses[0]))
    compilation = compiled(wishes)
    with live(compilation.table, SETTINGS) as gate:
        served = _Served(wishes, compilation, gate)
        while (number := _received(pipe)) is not None:
            pipe.send(served.change(*_wish(kind, number, size, addresses)))


def _received(pipe: Connection) -> int | None:
    try:
        number: int = pipe.recv()
    except EOFError:
        return None
    return number


class _Probe(msgspec.Struct, frozen=True):
    """A request that shows that a change is live, and the answer that it must get."""

    host: str
    path: str
    body: str

    def ask(self, gate: Live) -> None:
        """Send the request on a new connection."""
        with socket.create_connection((LOOPBACK, gate.http_port)) as connection:
            connection.sendall(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
            with connection.makefile("rb") as stream:
                said = stream.read()
        if not (said.startswith(b"HTTP/1.1 200 ") and said.endswith(self.body.encode())):
            raise BenchError(f"{self.host}{self.path} was to be answered by {self.body}, but got {said!r}")


class _Served:
    """A cluster that is served: what a controller keeps from one change to the next."""

    def __init__(self, wishes: Snapshot, compilation: Compilation, gate: Live) -> None:
        self._wishes = wishes
        self._compilation = compilation
        self._gate = gate

    def change(self, plain: Plain, probe: _Probe) -> Change:
        """Put an object in the place of the one of its name, and see that it is served."""
        thing = decoded(plain)
        times = [perf_counter()]
        self._wishes, changes = self._wishes.after([thing])
        times.append(perf_counter())
        self._compilation = recompile(self._compilation, self._wishes, changes, datetime.now(UTC))
        times.append(perf_counter())
        applied = self._gate.apply(self._compilation.table, SETTINGS, self._compilation.changes)
        times.append(perf_counter())
        probe.ask(self._gate)
        times.append(perf_counter())
        steps = dict(zip(STEPS, (later - earlier for earlier, later in pairwise(times)), strict=True))
        return Change(steps, applied.bytes, self._gate.dataplane.reloads)


def _wish(kind: Kind, number: int, size: int, addresses: tuple[Address, Address]) -> tuple[Plain, _Probe]:
    """Give the object that is changed by the change of a number, and what shows it."""
    changed = number * _STRIDE % size
    if kind is Kind.INGRESS:
        new_path = f"/changed-{number}"
        return ingress(changed, first_path=new_path), _Probe(host_name(changed), new_path, BODIES[0])
    moved_to = 1 - number // size % 2  # each time that all have moved, they move back
    return endpoint_slice(changed, addresses[moved_to]), _Probe(host_name(changed), path(1), BODIES[moved_to])
