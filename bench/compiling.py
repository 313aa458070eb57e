"""Question (b): how long 10,000 Ingresses take to compile cold, from objects, from JSON and from YAML.

Each measurement happens in a process of its own that has compiled nothing before, so no cache is warm and the garbage
collector finds what it would find in a controller that starts.
"""

from collections.abc import Callable
from time import perf_counter, process_time
from typing import Final

import msgspec
import yaml

from bench.answers import Answer, Bar, Figure
from bench.cluster import Plain, decode, small_cluster, snapshot, write
from bench.gates import compiled
from bench.gauges import in_fresh_process
from bench.scale import Scale
from sevengate.kube import manifest
from sevengate.kube.snapshot import Snapshot

QUESTION: Final = (
    "Time to compile 10,000 Ingresses of five paths, with as many Services and EndpointSlices, in a process that has "
    "compiled nothing before: from decoded objects; and with decoding, from JSON as an API server sends it, and from "
    "one YAML file."
)
RUNS: Final = 5
_NOWHERE: Final = ("192.0.2.1", 8080)


class Spent(msgspec.Struct, frozen=True):
    """Seconds of the clock and of the CPU."""

    wall: float
    cpu: float


def answer(scale: Scale) -> Answer:
    """Measure each way several times."""
    runs = min(RUNS, scale.rounds)
    ways = {"objects": _from_objects, "JSON": _from_json, "YAML": _from_yaml}
    figures: list[Figure] = []
    for name, way in ways.items():
        spent = [in_fresh_process(way, scale.hosts) for _ in range(runs)]
        bar = Bar(3.0) if name == "objects" else None
        figures += (
            Figure.of(f"from {name}", [run.wall for run in spent], "s", bar),
            Figure.of(f"from {name}, CPU time", [run.cpu for run in spent], "s"),
        )
    return Answer(tuple(figures), (f"Median of {runs} runs.",))


def _from_objects(size: int) -> Spent:
    objects = snapshot(small_cluster(size, _NOWHERE))
    return _timed(lambda: compiled(objects))


def _from_json(size: int) -> Spent:
    texts = [(plain["apiVersion"], plain["kind"], write(plain)) for plain in small_cluster(size, _NOWHERE)]
    return _timed(lambda: compiled(Snapshot().after(decode(*text) for text in texts)[0]))


def _from_yaml(size: int) -> Spent:
    text = "---\n".join(map(_yaml, small_cluster(size, _NOWHERE)))

    def read() -> None:
        definitions = manifest.read(text, "cluster.yaml").definitions
        compiled(Snapshot().after(definition.object for definition in definitions)[0])

    return _timed(read)


def _timed(work: Callable[[], object]) -> Spent:
    wall, cpu = perf_counter(), process_time()
    work()
    return Spent(perf_counter() - wall, process_time() - cpu)


def _yaml(plain: Plain) -> str:
    """Write an object as people do: without what an API server adds."""
    metadata = {key: value for key, value in plain["metadata"].items() if key in {"name", "namespace", "labels"}}
    written = {key: value for key, value in plain.items() if key != "status"} | {"metadata": metadata}
    return yaml.dump(written, Dumper=yaml.CSafeDumper)
