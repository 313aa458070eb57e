from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager

import pytest

from sevengate.cluster import reflector
from sevengate.cluster.client import Client
from sevengate.cluster.errors import InvalidError
from sevengate.cluster.plan import Scope
from sevengate.cluster.resources import ENDPOINT_SLICES, INGRESSES, SECRETS, SERVICES, Resource, Selection
from sevengate.kube.snapshot import Deleted, Event
from sevengate.lab.apiserver.faults import FaultRule
from sevengate.lab.apiserver.running import RunningApi
from tests.contract.clusters import Place, contract, play
from tests.contract.following import Following, following, watching
from tests.contract.objects import endpoint_slice, ingress, service, tls_secret
from tests.waiting import until


@contract
async def test_creation_is_followed(place: Place) -> None:
    async with watching(place.owner, Scope(namespace=place.namespace)) as world:
        await until(lambda: world.state)
        assert not world.snapshot.ingresses
        await place.create(INGRESSES, ingress("shop"))
        await place.create(SERVICES, service("shop"))
        await place.create(ENDPOINT_SLICES, endpoint_slice("shop", "192.0.2.7"))
        await place.create(SECRETS, tls_secret("shop-tls"))
        key, secret = f"{place.namespace}/shop", f"{place.namespace}/shop-tls"
        await until(lambda: key in world.snapshot.ingresses and key in world.snapshot.services)
        await until(lambda: key in world.snapshot.endpoint_slices and secret in world.snapshot.secrets)
        [one] = world.snapshot.endpoint_slices[key]
        assert [endpoint.addresses for endpoint in one.endpoints] == [("192.0.2.7",)]


@contract
async def test_changes_are_followed(place: Place) -> None:
    key = f"{place.namespace}/shop"
    await place.create(INGRESSES, ingress("shop"))
    await place.create(SERVICES, service("shop", 80))
    async with watching(place.owner, Scope(namespace=place.namespace)) as world:
        await until(lambda: world.state)
        assert [port.port for port in world.snapshot.services[key].ports] == [80]
        await place.merge(SERVICES, "shop", {"spec": {"ports": [{"port": 81}]}})
        await place.merge(INGRESSES, "shop", {"metadata": {"annotations": {"example.org/changed": "yes"}}})
        await until(lambda: [port.port for port in world.snapshot.services[key].ports] == [81])
        await until(lambda: "example.org/changed" in world.snapshot.ingresses[key].metadata.annotations)


@contract
async def test_deletion_is_followed(place: Place) -> None:
    everything: list[tuple[Resource, str]] = [
        (INGRESSES, "shop"),
        (SERVICES, "shop"),
        (ENDPOINT_SLICES, "shop-1"),
        (SECRETS, "shop-tls"),
    ]
    await place.create(INGRESSES, ingress("shop"))
    await place.create(SERVICES, service("shop"))
    await place.create(ENDPOINT_SLICES, endpoint_slice("shop"))
    await place.create(SECRETS, tls_secret("shop-tls"))
    async with watching(place.owner, Scope(namespace=place.namespace)) as world:
        await until(lambda: world.state)
        held = world.snapshot
        assert all((held.ingresses, held.services, held.endpoint_slices, held.secrets))
        for resource, name in everything:
            await place.delete(resource, name)
        await until(lambda: not (world.snapshot.ingresses or world.snapshot.services))
        await until(lambda: not (world.snapshot.endpoint_slices or world.snapshot.secrets))


class WithoutStreams(Client):
    """Takes an API server for one that does not know streamed lists yet, and counts the pages it gives instead."""

    pages = 0

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        self.pages += 1
        return await super().get(path, params)

    async def watch(self, path: str, params: Mapping[str, str], idle: float) -> AsyncGenerator[list[bytes], None]:
        if "sendInitialEvents" in params:
            raise InvalidError(422, "Invalid", "sendInitialEvents is forbidden")
        async for lines in super().watch(path, params, idle):
            yield lines


def test_paged_and_streamed_lists_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(place: Place) -> None:
        for number in range(5):
            await place.create(SERVICES, service(f"shop-{number}"))
        selection = Selection(SERVICES, place.namespace)
        async with (
            WithoutStreams(place.access) as paging,
            following(paging, selection) as paged,
            following(place.owner, selection) as streamed,
        ):
            await until(lambda: paged.reflector.is_synced and streamed.reflector.is_synced)
            assert paging.pages == 3
            assert len(paged.snapshot.services) == 5
            assert paged.snapshot == streamed.snapshot
            await place.create(SERVICES, service("new"))
            await until(lambda: "new" in paged.services and "new" in streamed.services)
            assert paged.snapshot == streamed.snapshot

    monkeypatch.setattr(reflector, "PAGE", "2")
    play(scenario)


def told(one: Following, name: str) -> list[int]:
    """Give the places of the deliveries that held an object of this name."""
    return [place for place, events in enumerate(one.deliveries) if name in map(name_of, events)]


def name_of(event: Event) -> str:
    return event.key.partition("/")[2] if isinstance(event, Deleted) else event.metadata.name


@contextmanager
def unwatched(lab: RunningApi) -> Iterator[None]:
    """Cut all watches of Services, and let nobody resume one before the end."""
    lab.faults.add(FaultRule(verb="watch", resource="services", status=503, times=1 << 30))
    lab.cut_watches()
    yield
    lab.faults.clear()


@contract
async def test_a_cut_watch_resumes_where_it_was(place: Place) -> None:
    lab = place.lab
    await place.create(SERVICES, service("stays"))
    async with following(place.owner, Selection(SERVICES, place.namespace)) as one:
        await until(lambda: "stays" in one.services)
        with unwatched(lab):
            await place.create(SERVICES, service("first"))
        await until(lambda: "first" in one.services)
        with unwatched(lab):
            await place.create(SERVICES, service("second"))
        await until(lambda: "second" in one.services)
        assert len(told(one, "stays")) == 1


@contract
async def test_a_watch_that_is_too_old_lists_again_and_misses_no_delete(place: Place) -> None:
    lab = place.lab
    await place.create(SERVICES, service("stays"))
    await place.create(SERVICES, service("goes"))
    async with following(place.owner, Selection(SERVICES, place.namespace)) as one:
        await until(lambda: one.services == {"stays", "goes"})
        with unwatched(lab):
            await place.delete(SERVICES, "goes")
            lab.compact()
        await until(lambda: one.services == {"stays"})
        # That which stays is told with it: this came of a list, not of a watch that was resumed.
        assert told(one, "goes")[-1] == told(one, "stays")[-1]
        assert len(told(one, "stays")) == 2
