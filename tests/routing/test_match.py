"""The reference matcher gives what the table of cases says, and what NGINX makes of targets and hosts."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.cli.expectations import Case
from sevengate.cli.verdicts import judge
from sevengate.routing.match import serve
from sevengate.routing.request import Request
from sevengate.routing.table import RoutingTable
from tests.matching import groups

CASES = [
    pytest.param(group.table, case, id=f"{group.about}: {case.name}") for group in groups() for case in group.cases
]


@pytest.mark.parametrize(("table", "case"), CASES)
def test_what_becomes_of_a_request_is_what_the_table_of_cases_says(table: RoutingTable, case: Case) -> None:
    assert judge(table, case).failures == ()


def test_the_table_of_cases_can_fail() -> None:
    group = groups()[0]
    other = msgspec.structs.replace(group.cases[0], expect={"route": "another"})
    assert judge(group.table, other).failures == ("route is root, expected was another",)


@given(st.text(), st.text(), st.sampled_from([group.table for group in groups()]))
def test_no_target_and_no_host_is_too_odd_for_an_answer(target: str, host: str, table: RoutingTable) -> None:
    outcome = serve(table, Request(host=host, target=target))
    assert outcome.status in {0, 301, 302, 307, 308, 400, 403, 404, 503}
    assert bool(outcome.backends) == (outcome.status == 0)


@given(st.text(alphabet="/abf.%2Fo"), st.sampled_from(["h.example", "foo.com", "a.foo.com", "x"]))
def test_a_request_is_served_by_no_more_than_one_host(path: str, host: str) -> None:
    for group in groups():
        outcome = serve(group.table, Request(host=host, target=f"/{path}"))
        if outcome.route:
            assert outcome.host in {host, f"*.{host.partition('.')[2]}", "*"}
            assert outcome.route in group.table.hosts[outcome.host].routes
