import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sevengate.cluster import source
from sevengate.cluster.addresses import Publishing
from sevengate.cluster.client import Client
from sevengate.cluster.lease import Election
from sevengate.cluster.plan import Scope
from sevengate.cluster.publisher import Publisher, PublisherOptions
from sevengate.cluster.resources import EVENTS, INGRESSES, LEASES, Resource
from sevengate.diagnostics import Diagnostic, ObjectRef, Severity, Where
from tests.cluster.making import published
from tests.contract.clusters import Place, Plain, contract
from tests.contract.following import BRISK
from tests.contract.objects import ingress
from tests.waiting import until

CORE_EVENTS = Resource("v1", "Event", "events")
ADDRESSES = [{"ip": "192.0.2.1"}, {"hostname": "gate.example"}]


@asynccontextmanager
async def publishing(place: Place, client: Client) -> AsyncIterator[Publisher]:
    """Publish that all Ingresses of a place are served, and one complaint about each."""
    options = PublisherOptions(Publishing("192.0.2.1,gate.example"), pod=f"{place.namespace}/gate-1")
    publisher = Publisher(client, options, "gate-1")

    async def follow() -> None:
        async for snapshot, _, _, _ in source.watch(client, Scope(namespace=place.namespace), BRISK):
            publisher.look_at(snapshot)
            publisher.take(dict.fromkeys(snapshot.ingresses, True), map(complaint, snapshot.ingresses))

    tasks = [asyncio.create_task(follow()), asyncio.create_task(publisher.run())]
    try:
        yield publisher
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await publisher.close()


def complaint(key: str) -> Diagnostic:
    namespace, _, name = key.partition("/")
    where = Where(ObjectRef("Ingress", namespace, name), "spec.rules[0]")
    return Diagnostic(Severity.ERROR, "backend/port-not-found", where, "There is no such port.")


async def addresses(place: Place, name: str) -> list[Plain]:
    return published(await place.read(INGRESSES, name))


async def told_of(place: Place, name: str) -> list[Plain]:
    items = (await place.read(EVENTS)).get("items") or []
    return [event for event in items if event["regarding"]["name"] == name]


@contract
async def test_statuses_are_written_and_taken_back_in_the_end(place: Place) -> None:
    async def is_published() -> bool:
        return await addresses(place, "shop") == ADDRESSES

    await place.create(INGRESSES, ingress("shop"))
    async with publishing(place, place.owner):
        await until(is_published)
    assert await addresses(place, "shop") == []


@contract
async def test_events_are_written_and_read_under_both_of_their_names(place: Place) -> None:
    async def is_told() -> bool:
        return bool(await told_of(place, "shop"))

    await place.create(INGRESSES, ingress("shop"))
    async with publishing(place, place.owner):
        await until(is_told)
    [event] = await told_of(place, "shop")
    uid = (await place.read(INGRESSES, "shop"))["metadata"]["uid"]
    assert (event["regarding"]["kind"], event["regarding"]["uid"]) == ("Ingress", uid)
    assert (event["reason"], event["type"]) == ("BackendPortNotFound", "Warning")
    core = await place.read(CORE_EVENTS, event["metadata"]["name"])
    assert (core["involvedObject"], core["message"]) == (event["regarding"], "spec.rules[0]: There is no such port.")


@contract
async def test_one_of_two_candidates_leads_and_the_other_follows_when_it_stops(place: Place) -> None:
    first, second = (Election(place.owner, f"{place.namespace}/leader", name, 60.0) for name in ("one", "two"))
    await first.step()
    await second.step()
    assert (first.is_leader, second.is_leader) == (True, False)
    assert (await place.read(LEASES, "leader"))["spec"]["holderIdentity"] == "one"
    await first.release()
    await second.step()
    assert (first.is_leader, second.is_leader) == (False, True)
    spec = (await place.read(LEASES, "leader"))["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)


@contract
async def test_a_lease_is_renewed_without_a_transition(place: Place) -> None:
    election = Election(place.owner, f"{place.namespace}/leader", "one", 60.0)
    await election.step()
    before = await place.read(LEASES, "leader")
    await election.step()
    after = await place.read(LEASES, "leader")
    assert election.is_leader
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert after["spec"]["leaseTransitions"] == before["spec"]["leaseTransitions"]
