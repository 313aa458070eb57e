import pytest

from sevengate.web.health import WhyNot, health_pages
from tests.web.probing import probes


def saying(*reasons: str) -> WhyNot:
    left = list(reasons)

    async def why_not() -> str:
        return left.pop(0)

    return why_not


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_hears_whether_all_is_well_and_if_not_why(path: str) -> None:
    pages = health_pages(saying("nothing was pushed yet", "", "nginx does not answer"))
    assert [(said.status, said.body) for said in probes(pages, path, path, path)] == [
        (503, "nothing was pushed yet\n"),
        (200, "ok\n"),
        (503, "nginx does not answer\n"),
    ]


def test_what_is_not_ready_is_alive_all_the_same() -> None:
    [said] = probes(health_pages(saying()), "/livez")
    assert (said.status, said.body) == (200, "ok\n")


def test_balancers_turn_away_while_the_rest_is_still_well() -> None:
    found = probes(health_pages(saying(""), saying("draining")), "/readyz", "/balancerz")
    assert [(said.status, said.body) for said in found] == [(200, "ok\n"), (503, "draining\n")]


def test_a_process_that_serves_no_traffic_has_no_page_for_balancers() -> None:
    [said] = probes(health_pages(saying()), "/balancerz")
    assert said.status == 404
