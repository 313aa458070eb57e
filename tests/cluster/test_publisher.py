import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import msgspec
import pytest

from sevengate.cluster import events, source
from sevengate.cluster.addresses import Publishing
from sevengate.cluster.client import Client
from sevengate.cluster.plan import Scope
from sevengate.cluster.publisher import Publisher, PublisherOptions
from sevengate.diagnostics import Diagnostic, ObjectRef, Severity, Where
from tests.cluster.api_server import ApiServer
from tests.cluster.following import HASTY, HASTY_CLIENT
from tests.cluster.making import Plain, ingress, ingress_class, node, pod, published, service
from tests.waiting import LIMIT, until

GIVEN = PublisherOptions(Publishing(status_address="192.0.2.1,gate.example"), disable_leader_election=True)
OURS = [{"ip": "192.0.2.1"}, {"hostname": "gate.example"}]
SCOPE = Scope(pod="gate/gate-1", publish_service="gate/front", nodes=True)


class Gate:
    """A controller without a compiler: all Ingresses of class nginx are ours, and served."""

    def __init__(self, client: Client, options: PublisherOptions, instance: str) -> None:
        self.publisher = Publisher(client, options, instance)
        self.complaints: list[Diagnostic] = []
        self._ours: dict[str, bool] = {}
        self._client = client

    async def follow(self) -> None:
        async for snapshot, _, _, _ in source.watch(self._client, SCOPE, HASTY):
            self.publisher.look_at(snapshot)
            ours = {key: True for key, one in snapshot.ingresses.items() if one.ingress_class_name == "nginx"}
            # As run.py does: the same mapping where nothing differs.
            self._ours = self._ours if ours == self._ours else ours
            self.publisher.take(self._ours, self.complaints)


@asynccontextmanager
async def gate(client: Client, options: PublisherOptions = GIVEN, instance: str = "one") -> AsyncIterator[Gate]:
    running = Gate(client, options, instance)
    tasks = [asyncio.create_task(running.follow()), asyncio.create_task(running.publisher.run())]
    try:
        yield running
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            await running.publisher.close()


def play(scenario: Callable[[ApiServer, Client], Coroutine[Any, Any, None]], *plain: Plain) -> ApiServer:
    server = ApiServer()
    for one in (ingress_class(), ingress("shop"), *plain):
        server.put(one)

    async def run() -> None:
        async with asyncio.timeout(LIMIT), server.running() as access, Client(access, HASTY_CLIENT) as client:
            await scenario(server, client)

    asyncio.run(run())
    return server


def status_of(server: ApiServer, key: str = "default/shop") -> list[Plain]:
    return published(server.get("Ingress", key))


def writes(server: ApiServer) -> list[str]:
    return [said for said in server.requests if said.startswith("PATCH")]


def with_status(plain: Plain, *points: Plain) -> Plain:
    return {**plain, "status": {"loadBalancer": {"ingress": list(points)}}}


def test_a_served_ingress_gets_the_addresses_once() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client):
            await until(lambda: status_of(server) == OURS)
            server.put(ingress("new"))
            await until(lambda: status_of(server, "default/new") == OURS)
            assert len(writes(server)) == 2

    play(scenario)


def test_a_status_that_is_right_is_not_written() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client):
            server.put(ingress("new"))
            await until(lambda: status_of(server, "default/new") == OURS)
            assert len(writes(server)) == 1

    play(scenario, with_status(ingress("shop"), *OURS))


def test_what_another_controller_wrote_into_its_ingress_stays() -> None:
    theirs = with_status(ingress("theirs", ingressClassName="traefik"), {"ip": "198.51.100.9"})

    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client):
            await until(lambda: status_of(server) == OURS)
        assert status_of(server, "default/theirs") == [{"ip": "198.51.100.9"}]

    server = play(scenario, theirs)
    assert not any("theirs" in said for said in writes(server))


def test_an_ingress_that_is_no_longer_ours_loses_our_addresses_and_no_others() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client):
            await until(lambda: status_of(server) == OURS)
            moved = ingress("shop", ingressClassName="traefik")
            server.put(with_status(moved, *OURS, {"ip": "198.51.100.9"}))
            await until(lambda: status_of(server) == [{"ip": "198.51.100.9"}])
            # Whoever owns it now may have the same addresses; that is not ours to judge.
            server.put(with_status(moved, *OURS))
            server.put(ingress("last"))
            await until(lambda: status_of(server, "default/last") == OURS)
            assert status_of(server) == OURS

    play(scenario)


def test_a_conflict_is_decided_anew_on_the_newer_object() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse("PATCH", status=409, times=2)
        async with gate(client):
            await until(lambda: len(writes(server)) == 1)
            server.put(ingress("shop", rules=[]))
            await until(lambda: len(writes(server)) == 2)
            server.put(ingress("shop"))
            await until(lambda: status_of(server) == OURS)

    play(scenario)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_write_that_failed_is_tried_again(status: int) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse("PATCH", status=status, times=1)
        async with gate(client):
            await until(lambda: status_of(server) == OURS)

    play(scenario)


def test_what_is_denied_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse("/status", status=403, times=6)
        async with gate(client):
            await until(lambda: status_of(server) == OURS == status_of(server, "default/new"))

    server = play(scenario, ingress("new"))
    assert len(writes(server)) >= 5
    assert caplog.text.count("no RBAC rule gives verb patch on ingresses/status") == 1


def test_where_rights_of_old_allow_to_replace_a_status_and_not_to_change_it_it_is_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        server.refuse("PATCH", status=403, times=1 << 30)
        async with gate(client):
            await until(lambda: status_of(server) == OURS)

    server = play(scenario)
    assert any(said.startswith("PUT") for said in server.requests)
    assert "no RBAC rule" not in caplog.text


def test_it_does_not_fight_with_somebody_who_overwrites_it() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client):
            for _ in range(5):
                await until(lambda: status_of(server) == OURS or len(writes(server)) >= 3)
                server.put(with_status(ingress("shop"), {"ip": "198.51.100.9"}))
            server.put(ingress("last"))
            await until(lambda: status_of(server, "default/last") == OURS)
            assert sum("/shop/" in said for said in writes(server)) == 3

    play(scenario)


def test_only_the_leader_writes_and_the_next_one_goes_on() -> None:
    elected = msgspec.structs.replace(GIVEN, disable_leader_election=False, update_status_on_shutdown=False)
    other = msgspec.structs.replace(elected, publishing=Publishing(status_address="192.0.2.2"))

    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client, other, "two"), gate(client, elected, "one"):
            await until(lambda: status_of(server))
            [first] = [server.get("Lease", "default/ingress-controller-leader")["spec"]["holderIdentity"]]
            server.put(ingress("new"))
            await until(lambda: status_of(server, "default/new"))
            assert status_of(server) == status_of(server, "default/new")
            assert (status_of(server) == OURS) == (first == "one")
        assert len(writes(server)) == 2

    play(scenario)


def test_the_last_controller_takes_its_addresses_out_of_statuses() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client, msgspec.structs.replace(GIVEN, pod="gate/gate-1")):
            await until(lambda: status_of(server) == OURS)
        assert status_of(server) == []

    play(scenario, pod("gate-1", "a"))


def test_a_write_whose_answer_never_came_is_taken_back_too() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client, msgspec.structs.replace(GIVEN, pod="gate/gate-1")):
            # The server has written; neither its answer nor the watch has come to us yet.
            await until(lambda: bool(writes(server)))
            while not status_of(server):  # noqa: ASYNC110 - one turn of the loop later it would be another case
                await asyncio.sleep(0)
        assert status_of(server) == []

    play(scenario, pod("gate-1", "a"))


def test_a_controller_that_leaves_peers_behind_leaves_the_statuses_to_them() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        options = msgspec.structs.replace(GIVEN, pod="gate/gate-1")
        async with gate(client, options) as running:
            await until(lambda: status_of(server) == OURS and running.publisher._has_peers())
        assert status_of(server) == OURS

    play(scenario, pod("gate-1", "a"), pod("gate-2", "b"))


def test_controllers_that_all_end_leave_no_addresses_behind() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        by_nodes = msgspec.structs.replace(GIVEN, pod="gate/gate-1", publishing=Publishing())
        async with gate(client, by_nodes) as running:
            await until(lambda: status_of(server) == [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}])
            for name, where in (("gate-1", "a"), ("gate-2", "b")):
                server.put(pod(name, where, ending=True))
            await until(lambda: not running.publisher._has_peers())
        assert status_of(server) == []

    nodes = (node("a", "192.0.2.1"), node("b", "192.0.2.2"))
    play(scenario, *nodes, pod("gate-1", "a"), pod("gate-2", "b"))


@pytest.mark.parametrize("switched_off", ["update_status", "update_status_on_shutdown"])
def test_each_switch_switches_off(switched_off: str) -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client, msgspec.structs.replace(GIVEN, **{switched_off: False})) as running:
            running.complaints = [complaint()]
            server.put(ingress("new"))
            await until(lambda: server.objects["events"])
            if switched_off != "update_status":
                await until(lambda: status_of(server) == OURS)

    server = play(scenario)
    assert bool(status_of(server)) == (switched_off != "update_status")


def test_addresses_follow_the_published_service() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client, msgspec.structs.replace(GIVEN, publishing=Publishing(service="gate/front"))):
            await until(lambda: status_of(server) == [{"ip": "10.0.0.1"}])
            server.put(service("front", "gate", externalIPs=["192.0.2.5"]))
            await until(lambda: status_of(server) == [{"ip": "192.0.2.5"}])

    play(scenario, service("front", "gate", clusterIP="10.0.0.1"))


def have_been_posted(server: ApiServer, events: int) -> bool:
    return sum("POST" in said and "/events" in said for said in server.requests) == events


def complaint(message: str = "There is no Service", name: str = "shop", kind: str = "Ingress") -> Diagnostic:
    where = Where(ObjectRef(kind, "default", name), "spec.rules[0]")
    return Diagnostic(Severity.ERROR, "backend/service-not-found", where, message, "write another one")


def test_a_complaint_becomes_one_event_of_its_object_whoever_repeats_it() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        for sent in (2, 4):
            async with gate(client) as running:
                running.complaints = [complaint(), complaint("x" * 3000)]
                for number in range(3):
                    server.put(ingress(f"{sent}-{number}"))
                await until(partial(have_been_posted, server, sent))

    server = play(scenario)
    assert len(server.objects["events"]) == 2
    event, long = sorted(server.objects["events"].values(), key=lambda one: len(one["note"]))
    assert event["regarding"] == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "namespace": "default",
        "name": "shop",
        "uid": server.get("Ingress", "default/shop")["metadata"]["uid"],
    }
    assert event["reason"] == "BackendServiceNotFound"
    assert event["note"] == "spec.rules[0]: There is no Service (write another one)"
    assert len(long["note"]) == 1024


def test_complaints_for_which_there_was_no_room_are_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 1)
    monkeypatch.setattr(events, "PAUSE", 0.01)

    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client) as running:
            running.complaints = [complaint("one"), complaint("two"), complaint("three")]
            for number in range(3):
                server.put(ingress(f"theirs-{number}", ingressClassName="traefik"))
                await until(partial(have_been_posted, server, number + 1))

    assert {event["note"] for event in play(scenario).objects["events"].values()} == {
        f"spec.rules[0]: {said} (write another one)" for said in ("one", "two", "three")
    }


def test_no_events_are_written_where_a_flag_forbids_it() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client, msgspec.structs.replace(GIVEN, disable_sync_events=True)) as running:
            running.complaints = [complaint()]
            server.put(ingress("new"))
            await until(lambda: status_of(server, "default/new") == OURS)

    assert not play(scenario).objects["events"]


def test_nobody_is_told_of_objects_that_are_not_ours_nor_of_notices() -> None:
    async def scenario(server: ApiServer, client: Client) -> None:
        async with gate(client) as running:
            running.complaints = [
                complaint(name="theirs"),
                complaint(name="unknown"),
                msgspec.structs.replace(complaint("a notice"), severity=Severity.NOTICE),
                Diagnostic(Severity.ERROR, "cluster/forbidden", Where(), "of no object"),
                complaint(),
            ]
            server.put(ingress("new"))
            await until(lambda: server.objects["events"])

    server = play(scenario, ingress("theirs", ingressClassName="traefik"))
    assert [event["regarding"]["name"] for event in server.objects["events"].values()] == ["shop"]
