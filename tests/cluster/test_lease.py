import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sevengate.cluster.client import Client
from sevengate.cluster.lease import Election
from tests.cluster.api_server import ApiServer
from tests.cluster.following import HASTY_CLIENT
from tests.waiting import LIMIT

LEASE = "gate/leader"
TTL = 30.0


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Candidates:
    """Candidates of one Lease, each with a clock of its own."""

    def __init__(self, server: ApiServer, client: Client) -> None:
        self.server, self._client = server, client

    def join(self, identity: str) -> tuple[Election, Clock]:
        clock = Clock()
        return Election(self._client, LEASE, identity, TTL, clock=clock), clock

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.server.get("Lease", LEASE)["spec"]
        return spec


@asynccontextmanager
async def candidates(server: ApiServer) -> AsyncIterator[Candidates]:
    async with asyncio.timeout(LIMIT), server.running() as access, Client(access, HASTY_CLIENT) as client:
        yield Candidates(server, client)


def play(scenario: Callable[[Candidates], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with candidates(ApiServer()) as those:
            await scenario(those)

    asyncio.run(run())


def test_the_first_candidate_leads_and_the_second_waits() -> None:
    async def scenario(those: Candidates) -> None:
        (one, _), (two, _) = those.join("one"), those.join("two")
        await one.step()
        await two.step()
        assert (one.is_leader, two.is_leader) == (True, False)
        assert those.spec["holderIdentity"] == "one"
        assert (those.spec["leaseTransitions"], those.spec["leaseDurationSeconds"]) == (0, 30)

    play(scenario)


def test_a_lease_that_does_not_change_is_taken_over_after_its_duration_by_our_own_clock() -> None:
    async def scenario(those: Candidates) -> None:
        (one, _), (two, clock) = those.join("one"), those.join("two")
        await one.step()
        await two.step()
        leads = []
        for seconds in (TTL - 0.1, 0.2):
            clock.now += seconds
            await two.step()
            leads.append(two.is_leader)
        assert leads == [False, True]
        assert those.spec["holderIdentity"] == "two"
        assert those.spec["leaseTransitions"] == 1

    play(scenario)


def test_a_lease_that_is_renewed_is_never_taken_over_whatever_times_it_names() -> None:
    async def scenario(those: Candidates) -> None:
        (one, clock_of_one), (two, clock_of_two) = those.join("one"), those.join("two")
        for _ in range(10):
            await one.step()
            those.server.get("Lease", LEASE)["spec"]["renewTime"] = "1970-01-01T00:00:00.000000Z"
            await two.step()
            clock_of_one.now += TTL / 4
            clock_of_two.now += TTL - 1
            # A renewal is a change, whatever the clock of its writer shows.
            those.server.put(those.server.get("Lease", LEASE))
            await two.step()
            assert (one.is_leader, two.is_leader) == (True, False)

    play(scenario)


def test_a_leader_that_cannot_renew_stops_before_anybody_may_take_over() -> None:
    async def scenario(those: Candidates) -> None:
        one, clock = those.join("one")
        await one.step()
        those.server.refuse("/leases", status=500, times=1 << 30)
        clock.now += TTL * 2 / 3 - 0.1
        states = [one.is_leader]
        clock.now += 0.2
        states.append(one.is_leader)
        await one.step()
        states.append(one.is_leader)
        assert states == [True, False, False]
        those.server.allow()
        await one.step()
        assert one.is_leader

    play(scenario)


def test_a_leader_that_slept_through_its_lease_finds_itself_deposed() -> None:
    async def scenario(those: Candidates) -> None:
        (one, clock_of_one), (two, clock_of_two) = those.join("one"), those.join("two")
        await one.step()
        await two.step()
        clock_of_two.now += TTL
        await two.step()
        clock_of_one.now += TTL
        await one.step()
        assert (one.is_leader, two.is_leader) == (False, True)

    play(scenario)


def test_a_lease_that_was_released_is_free_at_once() -> None:
    async def scenario(those: Candidates) -> None:
        (one, _), (two, _) = those.join("one"), those.join("two")
        await one.step()
        await two.step()
        await two.release()
        assert those.spec["holderIdentity"] == "one"
        await one.release()
        assert not one.is_leader
        assert those.spec["holderIdentity"] == ""
        await two.step()
        assert two.is_leader
        assert those.spec["leaseTransitions"] == 1

    play(scenario)


def test_of_two_that_write_at_the_same_moment_one_leads() -> None:
    async def scenario(those: Candidates) -> None:
        many = [those.join(str(number))[0] for number in range(8)]
        await asyncio.gather(*(one.step() for one in many))
        assert sum(one.is_leader for one in many) == 1

    play(scenario)


def test_what_others_wrote_into_the_lease_stays() -> None:
    async def scenario(those: Candidates) -> None:
        one, _ = those.join("one")
        await one.step()
        lease = those.server.get("Lease", LEASE)
        lease["metadata"]["labels"] = {"team": "web"}
        lease["spec"]["strategy"] = "OldestEmulationVersion"
        await one.step()
        assert those.server.get("Lease", LEASE)["metadata"]["labels"] == {"team": "web"}
        assert those.spec["strategy"] == "OldestEmulationVersion"

    play(scenario)


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": None}])
def test_a_lease_without_a_holder_is_free(spec: object) -> None:
    async def scenario(those: Candidates) -> None:
        those.server.put({"kind": "Lease", "metadata": {"name": "leader", "namespace": "gate"}, "spec": spec})
        one, _ = those.join("one")
        await one.step()
        assert one.is_leader

    play(scenario)


def test_a_lease_that_cannot_be_read_makes_no_leader() -> None:
    async def scenario(those: Candidates) -> None:
        those.server.put(
            {"kind": "Lease", "metadata": {"name": "leader", "namespace": "gate"}, "spec": {"leaseTransitions": "x"}}
        )
        one, _ = those.join("one")
        await one.step()
        assert not one.is_leader

    play(scenario)


def test_an_outage_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(those: Candidates) -> None:
        one, _ = those.join("one")
        those.server.refuse("/leases", status=403, times=5)
        for _ in range(6):
            await one.step()

    play(scenario)
    assert caplog.text.count("cannot be read or written") == 1


def test_it_tells_when_it_begins_and_ceases_to_lead() -> None:
    async def scenario(those: Candidates) -> None:
        (one, clock_of_one), (two, clock_of_two) = those.join("one"), those.join("two")
        told: list[bool] = []
        one.tell = lambda: told.append(one.is_leader)
        await one.step()
        await one.step()
        assert told == [True]
        # It was no leader for a while, and its writers have to look again.
        clock_of_one.now += TTL
        await one.step()
        assert told == [True, True]
        await two.step()
        clock_of_two.now += TTL
        await two.step()
        await one.step()
        assert told == [True, True, False]

    play(scenario)
