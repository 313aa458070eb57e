import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from sevengate.cluster import source
from sevengate.cluster.client import Client
from sevengate.cluster.plan import Scope, watches
from sevengate.cluster.source import ClusterState
from sevengate.kube.objects import Metadata, Namespace
from sevengate.kube.snapshot import Snapshot
from tests.cluster.api_server import ApiServer
from tests.cluster.following import HASTY, HASTY_CLIENT
from tests.cluster.making import (
    config_map,
    endpoint_slice,
    endpoints,
    ingress,
    ingress_class,
    namespace,
    pod,
    secret,
    service,
)
from tests.waiting import LIMIT, until

EVERYTHING = Scope()


class Watching:
    """The newest state that a source gave, and how many it gave."""

    def __init__(self) -> None:
        self.states: list[ClusterState] = []

    @property
    def snapshot(self) -> Snapshot:
        return self.states[-1].snapshot if self.states else Snapshot()

    @property
    def codes(self) -> set[str]:
        return {diagnostic.code for diagnostic in self.states[-1].diagnostics} if self.states else set()

    async def follow(self, states: AsyncGenerator[ClusterState, None]) -> None:
        async with aclosing(states):
            async for state in states:
                self.states.append(state)


@asynccontextmanager
async def watching(server: ApiServer, scope: Scope) -> AsyncIterator[Watching]:
    async with server.running() as access, Client(access, HASTY_CLIENT) as client:
        one = Watching()
        task = asyncio.create_task(one.follow(source.watch(client, scope, HASTY)))
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def play(
    scenario: Callable[[ApiServer, Watching], Coroutine[Any, Any, None]], server: ApiServer, scope: Scope = EVERYTHING
) -> None:
    async def run() -> None:
        async with asyncio.timeout(LIMIT), watching(server, scope) as one:
            await scenario(server, one)

    asyncio.run(run())


@pytest.fixture
def server() -> ApiServer:
    """A server with one Ingress and what it needs, in each of the namespaces default and other."""
    server = ApiServer()
    server.put(ingress_class())
    for name, labels in (("default", {"gate": "open"}), ("other", {})):
        server.put(namespace(name, **labels))
        server.put(ingress("shop", name))
        server.put(service("shop", name))
        server.put(endpoint_slice("shop", "10.0.0.1", namespace=name))
        server.put(secret("shop-tls", name))
        server.put(secret("password", name, "Opaque"))
    return server


def test_the_first_state_is_whole_and_its_changes_name_everything(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.states)
        first = one.states[0]
        assert set(first.snapshot.ingresses) == {"default/shop", "other/shop"} == first.changes.ingresses
        assert set(first.snapshot.endpoint_slices) == {"default/shop", "other/shop"} == first.changes.endpoints
        assert set(first.snapshot.services) == {"default/shop", "other/shop"}

    play(scenario, server)


@pytest.mark.parametrize("kind", ["ingresses", "services"])
def test_nothing_is_given_before_all_that_is_required_was_listed(server: ApiServer, kind: str) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: sum(f"/{kind}" in said for said in server.requests) >= 5)
        assert one.states == []
        server.allow()
        await until(lambda: one.states)
        assert set(one.states[0].snapshot.ingresses) == {"default/shop", "other/shop"}

    server.refuse(f"/{kind}", status=403, times=1 << 30)
    play(scenario, server)


def test_what_is_optional_and_denied_is_done_without_and_named(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: len(one.snapshot.ingresses) == 2 and one.codes)
        messages = {diagnostic.message for diagnostic in one.states[-1].diagnostics}
        await until(lambda: one.codes == {"cluster/forbidden"})
        assert any('list and watch on secrets of apiGroup ""' in message for message in messages)
        server.allow()
        await until(lambda: one.snapshot.secrets and one.snapshot.ingress_classes)
        assert one.codes == set()

    server.refuse("/secrets", status=403, times=1 << 30)
    server.refuse("/ingressclasses", status=403, times=1 << 30)
    play(scenario, server)


def test_where_slices_are_denied_endpoints_will_do_until_there_is_a_rule(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: "default/shop" in one.snapshot.endpoints and one.codes)
        assert one.states[0].snapshot.ingresses
        assert one.codes == {"cluster/forbidden"}
        assert not one.snapshot.endpoint_slices
        server.allow()
        await until(lambda: "default/shop" in one.snapshot.endpoint_slices and not one.codes)

    server.put(endpoints("shop", "10.0.0.1"))
    server.refuse("/endpointslices", status=403, times=1 << 30)
    play(scenario, server)


def test_a_burst_becomes_few_states(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.states)
        before = len(one.states)
        for port in range(1, 501):
            server.put(endpoint_slice("shop", "10.0.0.1", port=port))
        await until(lambda: one.snapshot.endpoint_slices["default/shop"][0].ports[0].port == 500)
        assert len(one.states) - before <= 50
        assert all(state.changes.endpoints == {"default/shop"} for state in one.states[before:])

    play(scenario, server)


def test_a_state_tells_when_the_first_of_its_changes_came(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.states)
        before = time.monotonic()
        assert one.states[-1].since <= before
        server.put(ingress("new", "default"))
        await until(lambda: "default/new" in one.snapshot.ingresses)
        assert before <= one.states[-1].since <= time.monotonic()

    play(scenario, server)


def test_one_namespace_is_all_that_is_asked_for_where_one_is_named(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.snapshot.ingresses)
        assert set(one.snapshot.ingresses) == {"other/shop"}
        cluster_wide = [said for said in server.requests if "/namespaces/" not in said]
        assert all("/ingressclasses" in said for said in cluster_wide)

    play(scenario, server, Scope(namespace="other"))


def test_namespaces_come_and_go_with_their_labels(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.states)
        assert set(one.states[0].snapshot.ingresses) == {"default/shop"}
        server.put(namespace("other", gate="open"))
        await until(lambda: len(one.snapshot.ingresses) == len(one.snapshot.secrets) == 2)
        server.put(ingress("new", "other"))
        await until(lambda: "other/new" in one.snapshot.ingresses)
        server.put(namespace("default", gate="shut"))
        await until(lambda: set(one.snapshot.ingresses) == {"other/shop", "other/new"})
        assert (
            set(one.snapshot.endpoint_slices)
            == {"other/shop"}
            == set(one.snapshot.secrets)
            ^ {
                "other/shop-tls",
                "other/shop",
            }
        )

    play(scenario, server, Scope(namespace_selector="gate=open"))


def test_only_secrets_for_tls_and_named_ones_are_read(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: len(one.snapshot.secrets) == 3)
        assert set(one.snapshot.secrets) == {"default/shop-tls", "other/shop-tls", "other/password"}
        asked = [said for said in server.requests if "/secrets" in said]
        assert all("fieldSelector" in said for said in asked)

    play(scenario, server, Scope(default_certificate="other/password"))


def test_a_secret_that_two_selections_hold_goes_with_the_second(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: len(one.snapshot.secrets) == 2)
        server.delete("Secret", "other/shop-tls")
        await until(lambda: set(one.snapshot.secrets) == {"default/shop-tls"})

    play(scenario, server, Scope(default_certificate="other/shop-tls"))


def test_what_flags_name_outside_of_the_watched_namespace_is_read_alone(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.states)
        first = one.states[0].snapshot
        assert set(first.services) == {"other/shop", "default/shop", "gate/front"}
        assert set(first.endpoint_slices) == {"other/shop", "default/shop"}
        assert set(first.config_maps) == {"gate/settings"}

    server.put(service("front", "gate"))
    server.put(service("unseen", "default"))
    server.put(config_map("settings"))
    server.put(config_map("unseen"))
    scope = Scope("other", "", "gate/settings", "", "default/shop", "gate/front")
    play(scenario, server, scope)


def test_our_peers_are_the_pods_with_our_labels(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: len(one.snapshot.pods) == 2)
        assert set(one.snapshot.pods) == {"gate/gate-1", "gate/gate-2"}

    server.put(pod("gate-1", "a", version="1"))
    server.put(pod("gate-2", "b", version="2"))
    server.put(pod("backend", "b", app="other"))
    play(scenario, server, Scope(pod="gate/gate-1"))


def test_an_outage_keeps_the_last_state_and_heals(server: ApiServer) -> None:
    async def scenario(server: ApiServer, one: Watching) -> None:
        await until(lambda: one.states and server.watchers)
        server.refuse(status=500, times=1 << 30)
        server.stall()
        server.cut()
        server.delete("Ingress", "other/shop")
        server.compact()
        asked = len(server.requests)
        await until(lambda: len(server.requests) > asked + 20)
        assert set(one.snapshot.ingresses) == {"default/shop", "other/shop"}
        server.allow()
        await until(lambda: set(one.snapshot.ingresses) == {"default/shop"})

    play(scenario, server)


def test_a_namespace_is_watched_if_it_was_named_or_selected_or_nothing_was_said() -> None:
    selected = Snapshot(namespaces={"default": Namespace(Metadata("default"))})
    assert watches(Scope(), Snapshot(), "default")
    assert watches(Scope(namespace="default"), Snapshot(), "default")
    assert not watches(Scope(namespace="default"), Snapshot(), "other")
    assert watches(Scope(namespace_selector="gate=open"), selected, "default")
    assert not watches(Scope(namespace_selector="gate=open"), selected, "other")
