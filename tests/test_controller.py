import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from sevengate import controller as loop
from sevengate.controller import Controller, Generation
from sevengate.kube.objects import Ingress, IngressBackend, IngressPath, IngressRule, Metadata, PathType, ServiceRef
from sevengate.kube.snapshot import Changes, Deleted, Snapshot
from sevengate.nginx.dataplane import Applied
from sevengate.nginx.installation import NginxError
from sevengate.routing.table import RoutingTable, TableChanges
from sevengate.settings import Options, Settings
from tests.waiting import until


class FakePlane:
    """Notes what it is asked to make live, and answers by a script; then with success."""

    def __init__(self, *script: str | Exception) -> None:
        self.script = list(script)
        self.asked: list[tuple[RoutingTable, TableChanges | None]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def apply(self, table: RoutingTable, changes: TableChanges | None, settings: Settings) -> Applied:
        self.asked.append((table, changes))
        await self.may_go_on.wait()
        outcome = self.script.pop(0) if self.script else ""
        if isinstance(outcome, Exception):
            raise outcome
        return Applied(len(self.asked), problem=outcome)


def ingress(name: str) -> Ingress:
    path = IngressPath(IngressBackend(ServiceRef("shop")), "/", PathType.PREFIX)
    return Ingress(Metadata(name, "default"), "nginx", rules=(IngressRule(f"{name}.example", (path,)),))


def with_controller(
    plane: FakePlane, scene: Callable[[Controller, list[Generation]], Awaitable[None]]
) -> list[Generation]:
    async def run() -> list[Generation]:
        told: list[Generation] = []
        controller = Controller(plane, Options(), told.append)
        running = asyncio.create_task(controller.run())
        acting = asyncio.ensure_future(scene(controller, told))
        await asyncio.wait((running, acting), return_when=asyncio.FIRST_COMPLETED)
        try:
            if running.done():
                running.result()
            await acting
        finally:
            running.cancel()
            acting.cancel()
            await asyncio.gather(running, acting, return_exceptions=True)
        return told

    return asyncio.run(run())


def hosts(table: RoutingTable) -> set[str]:
    return set(table.hosts)


def test_how_long_the_oldest_wish_waited_is_told_when_it_is_live() -> None:
    plane = FakePlane("full", "")

    async def scene(controller: Controller, told: list[Generation]) -> None:
        controller.submit(Snapshot(), Changes(), time.monotonic() - 100)
        controller.submit(Snapshot(), Changes(), time.monotonic() - 50)
        await until(lambda: len(told) == 1)
        controller.submit(Snapshot(), Changes(), time.monotonic())
        await until(lambda: len(told) == 2)
        controller.submit(Snapshot(), Changes())
        await until(lambda: len(told) == 3)

    failed, live, unknown = with_controller(plane, scene)
    assert failed.waited is None
    assert live.waited is not None
    assert live.waited >= 100
    assert unknown.waited is None


def test_what_is_submitted_is_compiled_and_made_live() -> None:
    plane = FakePlane()

    async def scene(controller: Controller, told: list[Generation]) -> None:
        controller.submit(*Snapshot().after([ingress("a")]))
        await until(lambda: told)
        assert controller.generation is told[0]

    [generation] = with_controller(plane, scene)
    assert hosts(generation.compilation.table) == {"a.example"}
    assert generation.applied.generation == 1
    assert plane.asked[0][1] is None


def test_only_what_changed_is_told_to_the_data_plane() -> None:
    plane = FakePlane()

    async def scene(controller: Controller, told: list[Generation]) -> None:
        snapshot, changes = Snapshot().after([ingress("a"), ingress("b")])
        controller.submit(snapshot, changes)
        await until(lambda: len(told) == 1)
        controller.submit(*snapshot.after([Deleted("Ingress", "default/b")]))
        await until(lambda: len(told) == 2)

    with_controller(plane, scene)
    table, changes = plane.asked[1]
    assert hosts(table) == {"a.example"}
    assert changes is not None
    assert changes.hosts == {"b.example"}


def test_a_burst_is_joined_to_one_round() -> None:
    plane = FakePlane()

    async def scene(controller: Controller, told: list[Generation]) -> None:
        plane.may_go_on.clear()
        snapshot, changes = Snapshot().after([ingress("first")])
        controller.submit(snapshot, changes)
        await until(lambda: len(plane.asked) == 1)
        for number in range(20):
            snapshot, changes = snapshot.after([ingress(f"n{number}")])
            controller.submit(snapshot, changes)
        plane.may_go_on.set()
        await until(lambda: len(told) == 2)

    with_controller(plane, scene)
    assert len(plane.asked) == 2
    changes = plane.asked[1][1]
    assert changes is not None
    assert changes.hosts == {f"n{number}.example" for number in range(20)}


def test_a_round_that_fails_is_logged_and_the_next_compiles_everything(caplog: pytest.LogCaptureFixture) -> None:
    plane = FakePlane(RuntimeError("a fault of ours"))

    async def scene(controller: Controller, told: list[Generation]) -> None:
        snapshot, changes = Snapshot().after([ingress("a")])
        controller.submit(snapshot, changes)
        await until(lambda: len(plane.asked) == 1)
        assert not told
        controller.submit(*snapshot.after([ingress("b")]))
        await until(lambda: told)

    with caplog.at_level(logging.ERROR):
        [generation] = with_controller(plane, scene)
    assert hosts(generation.compilation.table) == {"a.example", "b.example"}
    assert plane.asked[1][1] is None
    assert "a fault of ours" in caplog.text


def test_a_compiler_that_fails_leaves_the_last_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = FakePlane()

    async def scene(controller: Controller, told: list[Generation]) -> None:
        snapshot, changes = Snapshot().after([ingress("a")])
        controller.submit(snapshot, changes)
        await until(lambda: told)
        failures: list[Changes] = []

        def broken(previous: object, snapshot: Snapshot, changes: Changes, now: object) -> None:
            failures.append(changes)
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(loop, "recompile", broken)
        snapshot, changes = snapshot.after([ingress("b")])
        controller.submit(snapshot, changes)
        await until(lambda: failures)
        assert controller.generation is told[0]
        assert len(plane.asked) == 1
        controller.submit(*snapshot.after([ingress("c")]))
        await until(lambda: len(told) == 2)

    generations = with_controller(plane, scene)
    assert hosts(generations[1].compilation.table) == {"a.example", "b.example", "c.example"}


def test_what_nginx_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FIRST_PAUSE", 0.001)
    plane = FakePlane("the dictionary is full", "the dictionary is full")

    async def scene(controller: Controller, told: list[Generation]) -> None:
        controller.submit(*Snapshot().after([ingress("a")]))
        await until(lambda: len(told) == 3)

    problems = [generation.applied.problem for generation in with_controller(plane, scene)]
    assert problems == ["the dictionary is full", "the dictionary is full", ""]


def test_an_nginx_that_cannot_be_started_ends_the_loop() -> None:
    async def scene(controller: Controller, told: list[Generation]) -> None:
        controller.submit(Snapshot(), Changes())
        await asyncio.Event().wait()

    with pytest.raises(NginxError, match="port 80 is taken"):
        with_controller(FakePlane(NginxError("port 80 is taken")), scene)


def test_nothing_happens_before_anything_is_submitted() -> None:
    plane = FakePlane()

    async def scene(controller: Controller, told: list[Generation]) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    assert with_controller(plane, scene) == []
    assert plane.asked == []
