"""All reflectors together make Snapshots: the cluster's counterpart of files.watch.

Takes a Client and a Scope, keeps as many reflectors running as plan.py says, and gives a Snapshot with its Changes and
all there is to complain of: the first only when everything that is required was listed, the next whenever something
has changed, a burst of events as one. While the API server is away nothing is given, so the last Snapshot goes on
being served. An object that two Selections hold is gone only when neither holds it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final, NamedTuple

from sevengate.cluster.client import Client
from sevengate.cluster.known import noun
from sevengate.cluster.plan import Scope, plan
from sevengate.cluster.reflector import Reflector, Timing
from sevengate.cluster.resources import Resource, Selection
from sevengate.diagnostics import Diagnostic
from sevengate.kube.objects import AnyObject
from sevengate.kube.snapshot import Changes, Deleted, Event, Snapshot

#: Seconds for which events are gathered: a rollout changes many objects within one.
BURST: Final = 0.005


class ClusterState(NamedTuple):
    """What the cluster wishes, how it differs from the state before, and what was wrong with reading it.

    `since` is when the first of the changes arrived, by time.monotonic().
    """

    snapshot: Snapshot
    changes: Changes
    diagnostics: tuple[Diagnostic, ...]
    since: float


class _Running(NamedTuple):
    reflector: Reflector[AnyObject]
    task: "asyncio.Task[None]"


async def watch(client: Client, scope: Scope, timing: Timing | None = None) -> AsyncGenerator[ClusterState, None]:
    """Give the state of the cluster, and again after each change; Changes are empty where only complaints differ."""
    source = _Source(client, scope, timing)
    try:
        while True:
            yield await source.next()
    finally:
        await source.close()


class _Source:
    def __init__(self, client: Client, scope: Scope, timing: Timing | None) -> None:
        self._client = client
        self._scope = scope
        self._timing = timing
        self._running: dict[Selection, _Running] = {}
        self._snapshot = Snapshot()
        self._changes = Changes()
        self._pending: list[Event] = []
        self._since: float | None = None
        self._came = asyncio.Event()
        self._was_complete = False
        # Kinds of which something that is required was refused from the start.
        self._denied: frozenset[Resource] = frozenset()
        self._start_and_stop()

    async def next(self) -> ClusterState:
        """Wait for something new, and for everything that is required the first time."""
        while True:
            await self._came.wait()
            await asyncio.sleep(BURST)
            self._came.clear()
            self._apply()
            self._start_and_stop()
            if self._is_complete():
                changes, self._changes = self._changes, Changes()
                since, self._since = self._since or time.monotonic(), None
                complaints = (found for one in self._running.values() for found in one.reflector.diagnostics)
                return ClusterState(self._snapshot, changes, tuple(dict.fromkeys(complaints)), since)

    async def close(self) -> None:
        """End all reflectors."""
        tasks = [one.task for one in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _apply(self) -> None:
        events, self._pending = self._pending, []
        self._snapshot, changes = self._snapshot.after(events)
        self._changes |= changes

    def _is_complete(self) -> bool:
        """Say whether all that is required was listed once; what is selected later need not be waited for."""
        required = (one.reflector for one in self._running.values() if one.reflector.selection.required)
        self._was_complete = self._was_complete or all(reflector.is_synced for reflector in required)
        return self._was_complete

    def _start_and_stop(self) -> None:
        refused = {one.selection.resource for one, _ in self._running.values() if one.is_denied}
        self._denied |= refused
        wanted = plan(self._scope, self._snapshot, denied=self._denied)
        for selection in self._running.keys() - wanted:
            self._stop(selection)
        for selection in wanted - self._running.keys():
            self._start(selection)

    def _start(self, selection: Selection) -> None:
        def deliver(events: Sequence[Event]) -> None:
            self._since = self._since or time.monotonic()
            self._pending += (event for event in events if not self._is_held_elsewhere(event, selection))
            self._came.set()

        reflector = Reflector(self._client, selection, noun, deliver, self._timing)
        self._running[selection] = _Running(reflector, asyncio.create_task(reflector.run()))

    def _stop(self, selection: Selection) -> None:
        reflector, task = self._running.pop(selection)
        task.cancel()
        gone = [Deleted(selection.resource.kind, key) for key in reflector.known.versions]
        self._pending += (event for event in gone if not self._is_held_elsewhere(event, selection))
        self._came.set()

    def _is_held_elsewhere(self, event: Event, selection: Selection) -> bool:
        if not isinstance(event, Deleted):
            return False
        others = (one.reflector for other, one in self._running.items() if other != selection)
        return any(
            other.selection.resource.kind == event.kind and event.key in other.known.versions for other in others
        )
