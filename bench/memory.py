"""Question (f): what a controller and a worker keep in memory.

The controller is a process of its own that does what one does at its start: decode what an API server sends, object by
object, compile it and push it to a data plane. The worker is asked until it has decoded every host and path.
"""

import os
from collections.abc import Iterator
from typing import Final

from bench.answers import Answer, Bar, Figure
from bench.cluster import decoded, full_cluster, small_cluster, snapshot
from bench.gates import compiled, warm_up, worker
from bench.gauges import in_fresh_process, memory
from bench.peers import backends
from bench.scale import Scale
from sevengate.kube.snapshot import Snapshot
from sevengate.nginx.live import live
from sevengate.settings import Settings

QUESTION: Final = (
    "Memory of the controller with 10,000 Ingresses of five paths, 10,000 Services and 50,000 EndpointSlices of two "
    "endpoints, decoded from JSON, compiled and pushed; and of one worker with 10,000 hosts of five paths, all "
    "decoded, at default settings."
)
SETTINGS: Final = Settings(worker_processes=1, access_log_path="/dev/null")

_CONTROLLER_BAR: Final = Bar(350)
_WORKER_BAR: Final = Bar(120)


def answer(scale: Scale) -> Answer:
    """Measure a controller, then a worker."""
    note = (
        "Resident counts all pages of a process, Pss those that several processes share by their share: the documents' "
        "shared memory, the libraries."
    )
    return Answer((*in_fresh_process(_controller, scale.hosts), *_worker(scale.hosts)), (note,))


def _controller(size: int) -> tuple[Figure, ...]:
    figures = [_resident("controller, nothing read yet")]
    held, _ = Snapshot().after(decoded(plain) for plain in full_cluster(size))
    figures.append(_resident("controller, decoded"))
    compilation = compiled(held)
    figures.append(_resident("controller, compiled"))
    with live(compilation.table, SETTINGS):
        figures.append(_resident("controller, pushed", _CONTROLLER_BAR))
        peak = memory(os.getpid())["Peak"]
    return (*figures, Figure("controller, peak", peak, "MiB", _CONTROLLER_BAR))


def _worker(size: int) -> Iterator[Figure]:
    with backends() as (address, _):
        table = compiled(snapshot(small_cluster(size, address))).table
        with live(table, SETTINGS) as gate:
            yield Figure("worker, nothing decoded yet", memory(worker(gate))["Rss"], "MiB")
            warm_up(gate, size)
            used = memory(worker(gate))
            yield Figure("worker, resident", used["Rss"], "MiB", _WORKER_BAR)
            yield Figure("worker, Pss", used["Pss"], "MiB")


def _resident(name: str, bar: Bar | None = None) -> Figure:
    return Figure(name, memory(os.getpid())["Rss"], "MiB", bar)
