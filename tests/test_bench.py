"""The bench measures what it says, and still runs; how fast anything is, no test asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.answers import README, RESULTS, Answer, Bar, Figure, Machine, Result, keep, readme, table, this_machine
from bench.cluster import full_cluster, small_cluster, snapshot
from bench.gates import compiled
from bench.gauges import cpu_seconds, in_fresh_process, interleaved, memory, on_one_cpu, percentile, ratios
from bench.peers import backends
from tests.asking import ask

ROOT = Path(__file__).resolve().parents[1]
MACHINE = Machine("some CPU", 2, 8, "6.1", 0.5, {"nginx": "1.22.1"})


def result(name: str, value: float) -> Result:
    return Result(name, f"How much is {name}?", Answer((Figure("cost", value, "µs"),)), MACHINE, "2025-01-01")


def written() -> dict[Path, int]:
    """When each file of results was written."""
    return {path: path.stat().st_mtime_ns for path in (README, *RESULTS.glob("*.json")) if path.exists()}


@pytest.mark.parametrize(
    ("bar", "value", "verdict"),
    [
        (Bar(1.3), 1.3, "≤ 1.3: met"),
        (Bar(1.3), 1.31, "≤ 1.3: missed"),
        (Bar(0.9, at_least=True), 0.9, "≥ 0.9: met"),
        (Bar(0.9, at_least=True), 0.89, "≥ 0.9: missed"),
        (None, 1.0, ""),
    ],
)
def test_a_figure_says_whether_it_meets_its_bar(bar: Bar | None, value: float, verdict: str) -> None:
    assert Figure("x", value, "", bar).verdict == verdict


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 µs"), (1.256, "1.26 µs"), (12.34, "12.3 µs"), (123.4, "123 µs"), (12345.6, "12,346 µs")]
)
def test_a_value_is_written_with_the_digits_that_mean_something(value: float, text: str) -> None:
    assert Figure("x", value, "µs").text == text


def test_a_median_shows_how_far_its_values_lie_apart() -> None:
    figure = Figure.of("x", [1.0, 5.0, 2.0, 4.0, 3.0], "ms")
    assert figure.value == 3
    assert figure.text == "3 (2 to 4) ms"


def test_columns_of_a_table_stand_under_each_other() -> None:
    lines = table([Figure("a", 1.0), Figure("a long name", 1234.0, "MiB", Bar(5))]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert lines[3].split("|")[1:4] == [" a long name ", " 1,234 MiB ", " ≤ 5: missed "]


def test_a_new_result_replaces_its_own_numbers_on_the_page_and_no_others(tmp_path: Path) -> None:
    for kept in (result("tea", 11.1), result("milk", 22.2), result("tea", 33.3)):
        keep(kept, tmp_path)
    page = readme(["milk", "tea", "honey"], tmp_path)
    assert page.index("## milk") < page.index("## tea")
    assert "22.2 µs" in page
    assert "33.3 µs" in page
    assert "11.1" not in page
    assert "honey" not in page


def test_a_result_says_on_what_it_was_measured() -> None:
    machine = this_machine(0.5)
    assert machine.cores == os.cpu_count()
    assert machine.memory_gib > 0
    assert {"sevengate", "nginx", "python"} <= machine.versions.keys()


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(200, 0, -1)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1, 100, 198, 200]


def test_ratios_are_those_of_neighbours_in_time() -> None:
    assert ratios([2.0, 20.0, 3.0], [1.0, 10.0, 3.0]) == [2, 2, 1]


def test_measures_take_turns_and_change_who_is_first() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return len(order)

    taken = interleaved(2, {"a": lambda: measure("a"), "b": lambda: measure("b")})
    assert order == ["a", "b", "b", "a"]
    assert taken == {"a": [1, 4], "b": [2, 3]}


def test_cpu_time_is_counted_for_work_and_not_for_waiting() -> None:
    with subprocess.Popen(["sleep", "60"]) as idle, subprocess.Popen(["yes"], stdout=subprocess.DEVNULL) as busy:
        try:
            while cpu_seconds(busy.pid) < 0.05:
                os.sched_yield()
            assert cpu_seconds(idle.pid) < 0.05
        finally:
            idle.kill()
            busy.kill()


def test_memory_that_is_shared_counts_less() -> None:
    used = memory(os.getpid())
    assert 0 < used["Pss"] < used["Rss"] <= used["Peak"]


def test_what_begins_on_one_cpu_stays_there_and_what_was_before_is_free_again() -> None:
    before = os.sched_getaffinity(0)
    with on_one_cpu():
        assert len(os.sched_getaffinity(0)) == 1
        assert in_fresh_process(os.sched_getaffinity, 0) == os.sched_getaffinity(0)
    assert os.sched_getaffinity(0) == before


def test_the_made_up_clusters_are_without_fault() -> None:
    small = snapshot(small_cluster(3, ("127.0.0.1", 8080)))
    assert len(compiled(small).table.hosts) == 3
    table = compiled(snapshot(full_cluster(2))).table
    endpoints = [backend.endpoints for backend in table.backends.values()]
    assert [len(set(each)) for each in endpoints] == [10, 10]
    assert not set(endpoints[0]) & set(endpoints[1])


def test_backends_tell_who_they_are_in_64_bytes() -> None:
    with backends() as addresses:
        bodies = [ask(port, "any.example", "/").body for _, port in addresses]
    assert [len(body) for body in bodies] == [64, 64]
    assert bodies[0] != bodies[1]


@pytest.mark.parametrize(
    "name", ["ingress_change", "endpoint_change", "handshakes", "admission", "from_api_server", "lab"]
)
def test_a_quick_run_answers_and_writes_nothing_down(name: str) -> None:
    before = written()
    command = [sys.executable, "-m", "bench", "--quick", name]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert "measured" in ran.stdout
    assert written() == before
