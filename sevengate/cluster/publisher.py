"""All that is written to an API server: it elects who writes, and passes statuses and Events to their writers.

It is told of each Snapshot and of each outcome of compiling one: which Ingresses are ours and served, and what there is
to complain of. Whoever compiles is a floor above; addresses come from addresses.py. On shutdown the statuses are
cleared if no other controller is left to serve them, and the Lease is given back.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sevengate.cluster.addresses import Publishing, addresses
from sevengate.cluster.client import Client
from sevengate.cluster.events import Complaint, EventWriter
from sevengate.cluster.lease import Election
from sevengate.cluster.status import StatusWriter
from sevengate.diagnostics import Diagnostic, Severity
from sevengate.kube.objects import Ingress
from sevengate.kube.snapshot import Snapshot

log = logging.getLogger("sevengate.cluster")

#: Seconds that shutting down may take here.
_PATIENCE: Final = 10.0


class PublisherOptions(msgspec.Struct, frozen=True):
    """The flags, under ingress-nginx's names; `election_ttl` in seconds. `pod` is ours, as `namespace/name`, or ""."""

    publishing: Publishing = Publishing()
    update_status: bool = True
    update_status_on_shutdown: bool = True
    election_id: str = "ingress-controller-leader"
    election_ttl: float = 30.0
    disable_leader_election: bool = False
    disable_sync_events: bool = False
    pod: str = ""


class Publisher:
    """Publishes what became of the objects; `instance` is a name that no other controller has."""

    def __init__(self, client: Client, options: PublisherOptions, instance: str) -> None:
        self._options = options
        namespace = options.pod.partition("/")[0] or client.namespace
        self._election = Election(client, f"{namespace}/{options.election_id}", instance, options.election_ttl)
        self._statuses = StatusWriter(client, self._is_leader)
        self._events = EventWriter(client, self._is_leader, instance)
        self._election.tell = self._begin_or_cease_to_lead
        self._snapshot = Snapshot()
        self._ours: Mapping[str, bool] = {}
        # None until something was compiled: before that nobody knows which Ingresses are served.
        self._served: frozenset[str] | None = None
        self._diagnostics: tuple[Diagnostic, ...] = ()

    def look_at(self, snapshot: Snapshot) -> None:
        """Take in what there is now."""
        self._snapshot = snapshot
        self._publish_statuses()

    def take(self, ours: Mapping[str, bool], diagnostics: Iterable[Diagnostic]) -> None:
        """Take in which Ingresses are ours, by key, and whether they are served; and what is wrong with objects.

        What is the same mapping as the last time is not looked through again.
        """
        found = tuple(diagnostics)
        is_news = found != self._diagnostics or ours is not self._ours
        if self._served is None or ours is not self._ours:
            self._served = frozenset(key for key, is_served in ours.items() if is_served)
        self._ours, self._diagnostics = ours, found
        self._publish_statuses()
        if is_news or self._events.has_left_out:
            self._events.tell(self._complaints())

    async def run(self) -> None:
        """Publish, until cancelled."""
        async with asyncio.TaskGroup() as group:
            if not self._options.disable_leader_election:
                group.create_task(self._election.run())
            group.create_task(self._statuses.run())
            group.create_task(self._events.run())

    async def close(self) -> None:
        """Leave the statuses to those who remain, or clear them if nobody does; give the Lease back."""
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._options.update_status and self._options.update_status_on_shutdown and not self._has_peers():
                    await self._statuses.clear()
                await self._election.release()
        except TimeoutError:
            log.warning("the API server did not answer in time; statuses and lease stay as they are")

    @property
    def is_leader(self) -> bool:
        """Whether this controller may write."""
        return self._is_leader()

    def _is_leader(self) -> bool:
        return self._options.disable_leader_election or self._election.is_leader

    def _has_peers(self) -> bool:
        """Say whether others go on; those that end with us, as when a Deployment is deleted, do not."""
        others = (pod for key, pod in self._snapshot.pods.items() if key != self._options.pod)
        return any(pod.ready and not pod.ending for pod in others)

    def _begin_or_cease_to_lead(self) -> None:
        self._statuses.look()
        self._events.tell(self._complaints())

    def _publish_statuses(self) -> None:
        if self._options.update_status and self._served is not None:
            where = addresses(self._options.publishing, self._snapshot)
            self._statuses.wish(self._snapshot.ingresses, self._served, where)

    def _complaints(self) -> Iterator[Complaint]:
        """Give what an object's owner should know; Ingresses that are not ours are none of our business."""
        for diagnostic in () if self._options.disable_sync_events else self._diagnostics:
            ref = diagnostic.where.object
            about = self._snapshot.find(ref) if ref and diagnostic.severity is not Severity.NOTICE else None
            if about and (not isinstance(about, Ingress) or about.key in self._ours):
                yield about, diagnostic
