"""Answers and how they are shown: Figures with their bars, as a table, as JSON, and in README.md.

It takes what the questions' modules measured and knows nothing of how. results/<name>.json is what was measured last;
README.md is made from those files alone, so a run of one question leaves the others' numbers standing.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, Self

import msgspec

import sevengate
from bench.gauges import percentile
from sevengate.nginx.installation import find_installation

RESULTS: Final = Path(__file__).with_name("results")
README: Final = Path(__file__).with_name("README.md")

_HEAD: Final = """\
# Bench

`make bench` measures all of this anew and writes the numbers here; `make bench ONLY=routing` measures one question. It
takes about ten minutes and wants a machine that has nothing else to do: everything runs on loopback addresses.

A bar is what we hold ourselves to. It is printed, not asserted. "Stock" is the same NGINX binary without Lua, with a
configuration written by hand. CPU time is what the kernel counted for the one worker process (/proc/PID/schedstat),
client and backend not included. In brackets stands the middle half of the rounds: where it is wide, the machine was
busy with something else. Made by `python -m bench`; edit that, not this page.
"""


class Bar(msgspec.Struct, frozen=True):
    """What a figure ought to be: at most `limit`, or at least."""

    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Say whether a value is on the right side."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


class Figure(msgspec.Struct, frozen=True):
    """One number that was measured; `spread` holds the middle half of the values whose median it is."""

    name: str
    value: float
    unit: str = ""
    bar: Bar | None = None
    spread: tuple[float, float] | None = None

    @classmethod
    def of(cls, name: str, values: Sequence[float], unit: str = "", bar: Bar | None = None) -> Self:
        """Give the median of several values, and how far they lie apart."""
        return cls(name, median(values), unit, bar, (percentile(values, 25), percentile(values, 75)))

    @property
    def verdict(self) -> str:
        """The bar and whether it is met, or ""."""
        if self.bar is None:
            return ""
        return f"{self.bar}: {'met' if self.bar.is_met(self.value) else 'missed'}"

    @property
    def text(self) -> str:
        """The value with as many digits as mean something, its spread and its unit."""
        spread = f" ({_rounded(self.spread[0])} to {_rounded(self.spread[1])})" if self.spread else ""
        return f"{_rounded(self.value)}{spread} {self.unit}".strip()


class Machine(msgspec.Struct, frozen=True):
    """What it was measured on, and how busy that was before (load average of one minute)."""

    processor: str
    cores: int
    memory_gib: int
    kernel: str
    load: float
    versions: Mapping[str, str]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB, Linux {self.kernel}; {versions}; "
            f"load before: {self.load:.1f}"
        )


class Answer(msgspec.Struct, frozen=True):
    """What a question's module found, and how it was measured where figures alone would mislead."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """An Answer with all that is needed to judge it."""

    name: str
    question: str
    answer: Answer
    machine: Machine
    date: str


def this_machine(load: float) -> Machine:
    """Describe the machine that this runs on."""
    words = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in words if line.startswith("model name")]
    pages = Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]
    return Machine(
        processor=models[0] if models else platform.machine(),
        cores=len(models),
        memory_gib=round(int(pages) / 1024 / 1024),
        kernel=platform.release().partition("-")[0],
        load=load,
        versions={
            "sevengate": sevengate.__version__,
            "nginx": ".".join(map(str, find_installation().version)),
            "python": platform.python_version(),
        },
    )


def table(figures: Iterable[Figure]) -> str:
    """Write figures as a table of Markdown, which is as readable on a terminal."""
    rows = [("", "measured", "bar"), *((figure.name, figure.text, figure.verdict) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"| {row[0]:{widths[0]}} | {row[1]:>{widths[1]}} | {row[2]:{widths[2]}} |" for row in rows]
    rule = f"|{'-' * (widths[0] + 2)}|{'-' * (widths[1] + 1)}:|{'-' * (widths[2] + 2)}|"
    return "\n".join((lines[0], rule, *lines[1:]))


def keep(result: Result, folder: Path = RESULTS) -> None:
    """Write a result where the next README is made from."""
    folder.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(result), indent=2)
    (folder / f"{result.name}.json").write_bytes(text + b"\n")


def readme(names: Iterable[str], folder: Path = RESULTS) -> str:
    """Write the page of all results that are there, in the order of `names`."""
    kept = (folder / f"{name}.json" for name in names)
    results = (msgspec.json.decode(file.read_bytes(), type=Result) for file in kept if file.is_file())
    return "\n".join((_HEAD, *map(_section, results)))


def _section(result: Result) -> str:
    notes = "\n".join(f"- {note}" for note in result.answer.notes)
    parts = (
        f"## {result.name}",
        result.question,
        table(result.answer.figures),
        notes,
        f"{result.date}, {result.machine}.",
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _rounded(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
