"""Faults on demand: those that match happen as often as they were asked for, and nothing else changes."""

import pytest

from sevengate.lab.apiserver.faults import FaultRule
from tests.lab.apiserver.serving import CONFIG_MAPS, PODS, Lab, config_map, in_lab


@pytest.mark.parametrize("code", [409, 410, 429, 500, 503, 504])
def test_an_error_happens_once_and_stores_nothing(code: int) -> None:
    @in_lab
    async def scenario(lab: Lab) -> None:
        lab.running.faults.add(FaultRule(verb="create", resource="configmaps", status=code))
        assert (await lab.get(CONFIG_MAPS)).code == 200
        failed = await lab.create(CONFIG_MAPS, config_map("a"))
        assert (failed.code, failed.body["code"]) == (code, code)
        assert failed.headers.get("Retry-After") == ("1" if code == 429 else None)
        assert (await lab.create(CONFIG_MAPS, config_map("a"))).code == 201

    scenario()


@in_lab
async def test_a_fault_is_made_and_cleared_over_http(lab: Lab) -> None:
    made = await lab.ask("POST", "/lab/faults", {"verb": "list", "status": 500, "times": 9})
    assert made.code == 200
    assert [(await lab.get(path)).code for path in (CONFIG_MAPS, PODS)] == [500, 500]
    await lab.ask("DELETE", "/lab/faults")
    assert (await lab.get(CONFIG_MAPS)).code == 200


@in_lab
async def test_a_header_makes_a_fault_of_one_request(lab: Lab) -> None:
    assert (await lab.ask("GET", CONFIG_MAPS, headers={"X-Lab-Fault": '{"status":410}'})).code == 410
    assert (await lab.get(CONFIG_MAPS)).code == 200


@in_lab
async def test_what_is_no_fault_is_refused(lab: Lab) -> None:
    odd: tuple[object, ...] = ({"stat": 1}, {"status": "x"}, [])
    for rule in odd:
        assert (await lab.ask("POST", "/lab/faults", rule)).code == 400
    assert (await lab.get(CONFIG_MAPS)).code == 200
