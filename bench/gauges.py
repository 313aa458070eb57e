"""What processes cost, as the kernel counts it, and how measurements are taken so that they can be compared.

CPU time comes from /proc/PID/schedstat, in nanoseconds and without sampling. Neighbours are measured turn by turn and
compared pair by pair, so what slows the machine for a while slows both.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

MIB: Final = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that a process of one thread has used, in user and kernel mode."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def cpu_seconds_of_threads(pid: int) -> float:
    """Give the CPU time that all threads of a process have used, those that ended included; in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> Mapping[str, float]:
    """Give a process's memory in MiB: Rss, its Peak so far, and Pss, which counts shared pages by their share."""
    status = _fields(Path(f"/proc/{pid}/status"))
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return {"Rss": status["VmRSS"], "Peak": status["VmHWM"], "Pss": rollup["Pss"]}


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """Keep this thread, and all threads and processes begun meanwhile, on one CPU.

    A wake-up across CPUs costs more or less by where the scheduler happened to put whom; this takes the dice away.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def interleaved(rounds: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Take all measures once a round, forwards and backwards in turn, and give each one's values by round."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in list(measures) if number % 2 == 0 else reversed(list(measures)):
            taken[name].append(measures[name]())
    return taken


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Give the ratio of each pair of neighbours."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that `percent` of all do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]


def in_fresh_process(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function of a module in a process that has done nothing before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def _fields(file: Path) -> dict[str, float]:
    lines = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return {words[0].removesuffix(":"): int(words[1]) / 1024 for words in lines if words[-1] == "kB"}
