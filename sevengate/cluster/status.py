"""Writes into the status of each Ingress that is served at which addresses it is reached.

It is told what is there, what is served and the addresses, and writes only what differs, and only while we lead. An
Ingress that is no longer ours loses the addresses we gave it and nothing else, once; what others wrote into Ingresses
that are not ours stays. Each write names the version that it was decided on: if the object has changed since, the
server refuses and the next Snapshot decides anew. When somebody else keeps overwriting one of ours we stop: two
controllers that fight over a status wake every watcher of the cluster.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any, Final

import msgspec

from sevengate.cluster.backoff import Backoff
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, ConflictError, ForbiddenError, NotFoundError
from sevengate.cluster.resources import INGRESSES
from sevengate.diagnostics import Report
from sevengate.kube.decode import decode_json
from sevengate.kube.objects import Ingress, Metadata

log = logging.getLogger("sevengate.cluster")

#: Writes that are under way at the same time.
_AT_ONCE: Final = 8
#: How often the same status is written to an Ingress that somebody else overwrites.
_PATIENCE: Final = 3


class _Wish(msgspec.Struct, frozen=True):
    ingresses: Mapping[str, Ingress] = {}
    served: Set[str] = frozenset()
    addresses: tuple[str, ...] | None = None


class _Write(msgspec.Struct, frozen=True):
    ingress: Ingress
    addresses: tuple[str, ...]


class StatusWriter:
    """Brings the statuses to what was last wished for."""

    def __init__(self, client: Client, is_leader: Callable[[], bool]) -> None:
        self._client = client
        self._is_leader = is_leader
        self._backoff = Backoff(0.5, 60.0)
        self._wish = _Wish()
        self._came = asyncio.Event()
        # Ingresses to compare with the wish: one change among ten thousand must not cost a look at all of them.
        self._pending: set[str] = set()
        self._leaving: dict[str, tuple[str, ...]] = {}
        self._trouble = ""
        self._answered: dict[str, Ingress] = {}
        # Written to, but there was no answer, or we were cancelled before it came.
        self._uncertain: set[str] = set()
        # What was said of each, and how often it had to be said.
        self._said: dict[str, tuple[tuple[str, ...], int]] = {}

    def wish(self, ingresses: Mapping[str, Ingress], served: Set[str], addresses: tuple[str, ...] | None) -> None:
        """Tell what is there, what of it is served, and where; None for addresses leaves statuses as they are."""
        before, self._wish = self._wish, _Wish(ingresses, served, addresses)
        if addresses != before.addresses:
            self._pending.update(served)
        if ingresses is not before.ingresses:
            self._pending.update(key for key, one in ingresses.items() if before.ingresses.get(key) is not one)
            self._pending.update(before.ingresses.keys() - ingresses.keys())
        if served is not before.served:
            self._pending.update(served ^ before.served)
            self._take_leave(before.served - served, before.addresses)
        if self._pending:
            self._came.set()

    def _take_leave(self, keys: Iterable[str], addresses: tuple[str, ...] | None) -> None:
        for key in keys if addresses else ():
            self._leaving[key] = addresses or ()
            self._said.pop(key, None)

    def look(self) -> None:
        """Compare all again, as when we have just become the leader."""
        self._pending.update(self._wish.served)
        self._came.set()

    async def run(self) -> None:
        """Write what differs, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            keys, self._pending = self._pending, set()
            # Whoever does not lead need remember nothing: all is looked at again when that changes.
            if self._is_leader() and not await self._write_all(list(self._writes(keys))):
                await asyncio.sleep(self._backoff.next())
                self._pending |= keys
                self._came.set()

    async def clear(self) -> None:
        """Take our addresses out of all statuses: nobody serves them any more."""
        addresses = self._wish.addresses
        if addresses and self._is_leader():
            await self._learn_outcomes()
            self._leaving |= dict.fromkeys(self._wish.served, addresses)
            self._wish = msgspec.structs.replace(self._wish, served=frozenset())
            await self._write_all(list(self._writes(())))

    async def _learn_outcomes(self) -> None:
        """Read those Ingresses of which nobody knows whether our last write has reached them."""
        for key in list(self._uncertain):
            namespace, _, name = key.partition("/")
            try:
                self._take_answer(key, await self._client.get(INGRESSES.path(namespace, name)))
            except ClusterError as error:
                log.info("Ingress %s cannot be read: %s", key, error)

    def _writes(self, keys: Iterable[str]) -> Iterator[_Write]:
        """Give what is to be written to some of the served Ingresses, and to those that are no longer."""
        wish = self._wish
        for key in keys if wish.addresses is not None else ():
            ingress = self._newest(key)
            if key not in wish.served:
                continue
            self._leaving.pop(key, None)
            if ingress and tuple(sorted(ingress.published)) != wish.addresses and self._may_say(ingress):
                yield _Write(ingress, wish.addresses or ())
        for key, ours in list(self._leaving.items()):
            ingress = self._newest(key)
            if ingress and set(ingress.published) & set(ours):
                yield _Write(ingress, tuple(one for one in ingress.published if one not in ours))
            else:
                del self._leaving[key]

    def _newest(self, key: str) -> Ingress | None:
        """Give an Ingress as the watch brought it, or as the server answered to our write, whichever is newer."""
        seen, answered = self._wish.ingresses.get(key), self._answered.get(key)
        if seen and answered and _version(seen) < _version(answered):
            return answered
        self._answered.pop(key, None)
        return seen

    def _may_say(self, ingress: Ingress) -> bool:
        said, times = self._said.get(ingress.key, ((), 0))
        if said == self._wish.addresses and times == _PATIENCE:
            log.warning("somebody else keeps writing the status of %s; it is left to them", ingress.ref)
            self._said[ingress.key] = said, times + 1
        return said != self._wish.addresses or times < _PATIENCE

    async def _write_all(self, writes: list[_Write]) -> bool:
        """Say whether everything was written, or is no longer to be."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(write: _Write) -> ClusterError | None:
            async with limit:
                return await self._write(write) if self._is_leader() else None

        faults = [fault for fault in await asyncio.gather(*map(one, writes)) if fault]
        self._tell(faults)
        if not faults:
            self._backoff.reset()
        return not faults

    async def _write(self, write: _Write) -> ClusterError | None:
        """Write one status; give what kept us from it, if it is to be tried again."""
        metadata, key = write.ingress.metadata, write.ingress.key
        body = {
            "metadata": {"resourceVersion": metadata.resource_version},
            "status": {"loadBalancer": {"ingress": [_point(one) for one in write.addresses] or None}},
        }
        self._uncertain.add(key)
        try:
            answer = await self._send(metadata, body)
        except (ConflictError, NotFoundError):
            # It has changed or gone, and the watch will tell.
            self._uncertain.discard(key)
            return None
        except ClusterError as error:
            return error
        self._take_answer(key, answer)
        if self._leaving.pop(key, None) is None:
            said, times = self._said.get(key, ((), 0))
            self._said[key] = write.addresses, times + 1 if said == write.addresses else 1
        return None

    async def _send(self, metadata: Metadata, body: dict[str, Any]) -> bytes:
        """Change a status; where rights of old allow to replace one and not to change it, replace it."""
        path = INGRESSES.path(metadata.namespace, metadata.name)
        try:
            return await self._client.merge(f"{path}/status", body)
        except ForbiddenError:
            whole = msgspec.json.decode(await self._client.get(path), type=dict[str, Any])
            whole["metadata"] |= body["metadata"]
            whole |= {"apiVersion": INGRESSES.api_version, "kind": INGRESSES.kind, "status": body["status"]}
            return await self._client.replace(f"{path}/status", whole)

    def _take_answer(self, key: str, answer: bytes) -> None:
        self._uncertain.discard(key)
        now = decode_json(INGRESSES.api_version, INGRESSES.kind, answer, Report())
        if isinstance(now, Ingress):
            self._answered[key] = now

    def _tell(self, faults: list[ClusterError]) -> None:
        """Say once that statuses cannot be written, and once that they can again."""
        trouble = type(faults[0]).__name__ if faults else ""
        if faults and trouble != self._trouble:
            is_denied = isinstance(faults[0], ForbiddenError)
            why = "no RBAC rule gives verb patch on ingresses/status" if is_denied else str(faults[0])
            log.warning("%d statuses cannot be written: %s", len(faults), why)
        elif self._trouble and not faults:
            log.info("statuses are written again")
        self._trouble = trouble


def _version(ingress: Ingress) -> int:
    """Give the version as a number, 0 for what is none."""
    version = ingress.metadata.resource_version
    return int(version) if version.isdecimal() else 0


def _point(address: str) -> dict[str, str]:
    try:
        return {"ip": str(ipaddress.ip_address(address))}
    except ValueError:
        return {"hostname": address}
