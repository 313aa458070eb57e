"""Live NGINX answers what the reference matcher says: to every case of tests/matching.yaml, to the requests of the
golden manifests, which hold every row of the tables in the Kubernetes documentation, and to random requests.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sevengate.cli.expectations import Case
from sevengate.cli.live import ask_through
from sevengate.cli.urls import request_of
from sevengate.cli.verdicts import judge
from sevengate.compiler.compile import compile_all
from sevengate.files import load
from sevengate.routing.explain import explain
from sevengate.routing.match import serve
from sevengate.routing.request import Request
from sevengate.routing.table import RoutingTable
from sevengate.run import Live, live
from tests.features.error_log import ErrorLog
from tests.golden.test_golden import CASES, HERE, NOW, read_head
from tests.matching import Group, groups
from tests.strategies import requests, tables

#: Random pairs of a table and a request on which both must agree, at the least.
PAIRS = 2000


@pytest.fixture(scope="module")
def gate() -> Iterator[Live]:
    with ErrorLog(), live() as running:
        yield running


@pytest.mark.parametrize("group", groups(), ids=lambda group: group.about)
def test_nginx_answers_as_the_matcher_says(gate: Live, group: Group) -> None:
    answers = ask_through(gate, group.table, group.cases)
    assert {case.name: found for case, found in zip(group.cases, answers, strict=True) if found} == {}
    # `sevengate test` and `sevengate explain` say the same.
    assert [failures for case in group.cases if (failures := judge(group.table, case).failures)] == []
    for case in group.cases:
        assert explain(group.table, case.request).outcome == serve(group.table, case.request)


@pytest.mark.parametrize("case", [case for case in CASES if (HERE / case).with_suffix(".served").exists()], ids=str)
def test_nginx_answers_the_requests_of_a_golden_manifest_as_the_matcher_says(gate: Live, case: Path) -> None:
    path = HERE / f"{case}.yaml"
    head = read_head(path.read_text(encoding="utf-8"))
    table = compile_all(load([str(path)]).snapshot, head.options, NOW).table
    cases = [Case(url, 0, request_of(url), {}) for url in head.requests]
    answers = ask_through(gate, table, cases)
    assert {url: found for url, found in zip(head.requests, answers, strict=True) if found} == {}


def test_nginx_answers_random_requests_as_the_matcher_says(
    gate: Live, record_property: Callable[[str, object], None]
) -> None:
    asked = 0

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(tables, st.lists(requests, min_size=20, max_size=30))
    def agrees(table: RoutingTable, some: list[Request]) -> None:
        nonlocal asked
        asked += len(some)
        cases = [Case(str(request), 0, request, {}) for request in some]
        assert [explain(table, request).outcome for request in some] == [serve(table, request) for request in some]
        answers = ask_through(gate, table, cases)
        assert {case.name: found for case, found in zip(cases, answers, strict=True) if found} == {}

    agrees()
    record_property("pairs of table and request", asked)
    assert asked >= PAIRS
