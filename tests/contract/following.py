"""The state of a place as Sevengate follows it, kept up to date in the background."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sevengate.cluster import source
from sevengate.cluster.client import Client
from sevengate.cluster.known import noun
from sevengate.cluster.plan import Scope
from sevengate.cluster.reflector import Reflector, Timing
from sevengate.cluster.resources import Selection
from sevengate.kube.snapshot import Event, Snapshot

#: Pauses that a cluster does not mind and a test does not notice.
BRISK = Timing(first_pause=0.02, longest_pause=0.2)


class Following:
    """One reflector, and all that it gave."""

    def __init__(self, client: Client, selection: Selection) -> None:
        self.snapshot = Snapshot()
        self.deliveries: list[Sequence[Event]] = []
        self.reflector = Reflector(client, selection, noun, self._take, BRISK)

    def _take(self, events: Sequence[Event]) -> None:
        self.deliveries.append(events)
        self.snapshot, _ = self.snapshot.after(events)

    @property
    def services(self) -> set[str]:
        return {one.metadata.name for one in self.snapshot.services.values()}


@asynccontextmanager
async def following(client: Client, selection: Selection) -> AsyncIterator[Following]:
    one = Following(client, selection)
    task = asyncio.create_task(one.reflector.run())
    try:
        yield one
    finally:
        await _end(task)


class World:
    """The newest of what source.watch gave; empty until it gave something."""

    def __init__(self) -> None:
        self.state: source.ClusterState | None = None

    @property
    def snapshot(self) -> Snapshot:
        return self.state.snapshot if self.state else Snapshot()

    async def follow(self, client: Client, scope: Scope) -> None:
        async for self.state in source.watch(client, scope, BRISK):
            pass


@asynccontextmanager
async def watching(client: Client, scope: Scope) -> AsyncIterator[World]:
    world = World()
    task = asyncio.create_task(world.follow(client, scope))
    try:
        yield world
    finally:
        await _end(task)


async def _end(task: "asyncio.Task[object]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
