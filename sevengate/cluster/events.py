"""Diagnostics become Events of the objects that they are about, so that `kubectl describe` shows them.

Each complaint is told once: the Event's name is a digest of the object, the code and the message, so a restarted or a
second controller that says the same meets a 409 and leaves it. They are sent one after the other with a pause between
(a cluster of 10,000 broken Ingresses is no reason to storm its API server), and only while we lead. Which diagnostics
deserve an Event is decided in publisher.py.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, ConflictError, ForbiddenError
from sevengate.cluster.resources import EVENTS
from sevengate.diagnostics import Diagnostic
from sevengate.kube.decode import KINDS
from sevengate.kube.objects import AnyObject

log = logging.getLogger("sevengate.cluster")

CONTROLLER: Final = "sevengate.io/controller"
#: Seconds between two Events.
PAUSE: Final = 0.2
#: Events that wait, and those that are remembered as told; what is beyond is told after the next change, or again.
MOST_WAITING: Final = 1000
MOST_TOLD: Final = 50_000
#: The API server takes no longer note, in bytes.
LONGEST_NOTE: Final = 1024

Complaint = tuple[AnyObject, Diagnostic]


class EventWriter:
    """Tells complaints to the API server; `instance` is the pod or machine that we are."""

    def __init__(self, client: Client, is_leader: Callable[[], bool], instance: str) -> None:
        self._client = client
        self._is_leader = is_leader
        self._instance = instance
        self._waiting: deque[dict[str, Any]] = deque()
        self._told: dict[str, None] = {}
        self._came = asyncio.Event()
        #: Whether something was not taken in, or not sent, that is to be told again.
        self.has_left_out = False

    def tell(self, complaints: Iterable[Complaint]) -> None:
        """Take in what is to be told; what was told before is not told again."""
        self.has_left_out = False
        for about, diagnostic in complaints if self._is_leader() else ():
            name = _name(about, diagnostic)
            if name in self._told:
                continue
            if len(self._waiting) >= MOST_WAITING:
                self.has_left_out = True
                return
            self._remember(name)
            self._waiting.append(self._event(name, about, diagnostic))
            self._came.set()

    async def run(self) -> None:
        """Send what is to be told, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                await self._send(self._waiting.popleft())
                await asyncio.sleep(PAUSE)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            await self._client.create(EVENTS.path(event["metadata"]["namespace"]), event)
        except ConflictError:
            log.debug("this was told before")
        except ForbiddenError:
            log.warning("Events cannot be written: no RBAC rule gives verb create on events of events.k8s.io")
            self._waiting.clear()
        except ClusterError as error:
            log.warning("an Event could not be written: %s", error)
            self._told.pop(event["metadata"]["name"], None)
            self.has_left_out = True

    def _remember(self, name: str) -> None:
        self._told[name] = None
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    def _event(self, name: str, about: AnyObject, diagnostic: Diagnostic) -> dict[str, Any]:
        metadata = about.metadata
        # Events of what lives in no namespace live in default.
        namespace = metadata.namespace or "default"
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance[:128],
            "action": "Compile",
            "reason": _reason(diagnostic.code),
            "type": "Warning",
            "note": _note(diagnostic),
            "regarding": {
                "apiVersion": _API_VERSIONS[about.KIND],
                "kind": about.KIND,
                "namespace": metadata.namespace,
                "name": metadata.name,
                "uid": metadata.uid,
            },
        }


#: The apiVersion that clusters serve for each kind.
_API_VERSIONS: Final = {kind: version for (version, kind), row in KINDS.items() if not row.successor}


def _name(about: AnyObject, diagnostic: Diagnostic) -> str:
    said = "\0".join((about.KIND, about.key, about.metadata.uid, diagnostic.code, diagnostic.message))
    return f"{about.metadata.name[:200].rstrip('.-')}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _reason(code: str) -> str:
    """Write a code as Events write reasons: backend/port-not-found is BackendPortNotFound."""
    return "".join(word.capitalize() for word in code.replace("/", "-").split("-"))


def _note(diagnostic: Diagnostic) -> str:
    field = f"{diagnostic.where.field}: " if diagnostic.where.field else ""
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return f"{field}{diagnostic.message}{hint}".encode()[:LONGEST_NOTE].decode(errors="ignore")
