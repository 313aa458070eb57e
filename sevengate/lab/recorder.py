"""Events of a lab's components: what they did to an object and why, as `kubectl describe` and `kubectl events` show it.

Takes an object, a reason in one word and a message; writes an Event of the core group, and counts in it what is said
again, as Kubernetes' own components do. Events are sent one after the other in the background, in the order in which
they happened; one that cannot be written is left out, because nothing depends on it.
"""

import asyncio
import logging
import secrets
from collections import deque
from datetime import UTC, datetime
from typing import Final

from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, NotFoundError
from sevengate.cluster.resources import Resource
from sevengate.lab.mirror import Object

log = logging.getLogger("sevengate.lab")

CORE_EVENTS: Final = Resource("v1", "Event", "events")
#: Events that wait to be sent, and those whose repetitions are counted.
MOST_WAITING: Final = 10_000
MOST_COUNTED: Final = 5_000
_LONGEST_MESSAGE: Final = 1024

_Said = tuple[str, str, str, str, str]


class Recorder:
    """Tells what a component did; `host` is the node that it works for, if any."""

    def __init__(self, client: Client, component: str, host: str = "") -> None:
        self._client = client
        self._source = {"component": component} | ({"host": host} if host else {})
        self._waiting: deque[tuple[_Said, Object]] = deque()
        self._counted: dict[_Said, Object] = {}
        self._came = asyncio.Event()

    def tell(self, about: Object, reason: str, message: str, kind: str = "Normal", field: str = "") -> None:
        """Say that something happened to an object, or with `field` to a part of it; `kind` is Normal or Warning."""
        metadata = about["metadata"]
        involved = {
            "apiVersion": about.get("apiVersion", "v1"),
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
            "fieldPath": field,
        }
        said = (str(metadata.get("uid") or metadata["name"]), field, kind, reason, message)
        if len(self._waiting) < MOST_WAITING:
            event = {"involvedObject": {name: value for name, value in involved.items() if value}}
            self._waiting.append(
                (said, event | {"type": kind, "reason": reason, "message": message[:_LONGEST_MESSAGE]})
            )
            self._came.set()

    async def run(self) -> None:
        """Send what is told, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                said, event = self._waiting.popleft()
                try:
                    await self._send(said, event)
                except ClusterError as error:
                    log.debug("an Event was not written: %s", error)

    async def _send(self, said: _Said, event: Object) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if (counted := self._counted.get(said)) is not None and await self._count(counted, now):
            return
        about = event["involvedObject"]
        namespace = about.get("namespace") or "default"
        metadata = {"name": f"{about['name'][:200]}.{secrets.token_hex(8)}", "namespace": namespace}
        whole = {
            "apiVersion": CORE_EVENTS.api_version,
            "kind": CORE_EVENTS.kind,
            "metadata": metadata,
            **event,
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._client.create(CORE_EVENTS.path(namespace), whole)
        self._counted[said] = {"metadata": metadata, "count": 1}
        if len(self._counted) > MOST_COUNTED:
            del self._counted[next(iter(self._counted))]

    async def _count(self, counted: Object, now: str) -> bool:
        """Say that an Event happened once more; False if it is gone."""
        metadata = counted["metadata"]
        counted["count"] += 1
        try:
            path = CORE_EVENTS.path(metadata["namespace"], metadata["name"])
            await self._client.merge(path, {"count": counted["count"], "lastTimestamp": now})
        except NotFoundError:
            return False
        return True
