"""A reflector that runs against a scripted API server, with pauses too short to be noticed, and what came of it."""

from asyncio import create_task, gather
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sevengate.cluster.client import Client, ClientTiming
from sevengate.cluster.known import noun
from sevengate.cluster.reflector import Reflector, Timing
from sevengate.cluster.resources import SERVICES, Selection
from sevengate.kube.snapshot import Event, Snapshot
from tests.cluster.api_server import ApiServer

ALL_SERVICES = Selection(SERVICES)
HASTY = Timing(idle=0.3, first_pause=0.001, longest_pause=0.02)
HASTY_CLIENT = ClientTiming(first_pause=0.001, longest_pause=0.01)


class Following:
    def __init__(self, client: Client, selection: Selection, timing: Timing = HASTY) -> None:
        self.snapshot = Snapshot()
        self.deliveries: list[Sequence[Event]] = []
        self.reflector = Reflector(client, selection, noun, self._take, timing)

    def _take(self, events: Sequence[Event]) -> None:
        self.deliveries.append(events)
        self.snapshot, _ = self.snapshot.after(events)

    @property
    def services(self) -> dict[str, str]:
        """What is held: the version by key."""
        return {key: one.metadata.resource_version for key, one in self.snapshot.services.items()}

    @property
    def codes(self) -> list[str]:
        return [diagnostic.code for diagnostic in self.reflector.diagnostics]


@asynccontextmanager
async def following(
    server: ApiServer, selection: Selection = ALL_SERVICES, timing: Timing = HASTY
) -> AsyncIterator[Following]:
    async with server.running() as access, Client(access, HASTY_CLIENT) as client:
        one = Following(client, selection, timing)
        task = create_task(one.reflector.run())
        try:
            yield one
        finally:
            task.cancel()
            await gather(task, return_exceptions=True)


def versions(server: ApiServer, plural: str = "services") -> dict[str, str]:
    """What the server holds."""
    return {key: plain["metadata"]["resourceVersion"] for key, plain in server.objects[plural].items()}


def service(name: str, port: object = 80, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"ports": [{"port": port}]},
    }
