"""Leader election: of all controllers that share a Lease, one at a time may write.

The rules are client-go's (https://kubernetes.io/docs/concepts/architecture/leases/): the holder renews the Lease; the
others take it over when it was released, or when they have seen it unchanged for its whole duration. Only our own clock
is asked how long that is, one that nobody sets and that runs while the machine sleeps, so clocks that disagree or jump
do no harm. A leader stops being one, by itself, well before anybody else may take over. Who may write is asked by
status.py and events.py before each write.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, ConflictError, NotFoundError
from sevengate.cluster.resources import LEASES

log = logging.getLogger("sevengate.cluster")

#: Parts of the duration: after which a leader that could not renew stops, between two tries, and for one try.
_LEADS: Final = 2 / 3
_PAUSE: Final = 1 / 4
_TRY: Final = 1 / 6


def since_boot() -> float:
    """Give the seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    acquire_time: str | None = None
    lease_transitions: int | None = None


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str | None = None


class _Lease(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _Spec | None = None


class Election:
    """One candidate. `lease` is `namespace/name`, `ttl` in seconds; `tell` is called when we begin or cease to lead."""

    def __init__(
        self, client: Client, lease: str, identity: str, ttl: float, *, clock: Callable[[], float] = since_boot
    ) -> None:
        self.tell: Callable[[], None] = lambda: None
        self._client = client
        self._namespace, _, self._name = lease.partition("/")
        self._identity = identity
        self._ttl = ttl
        self._clock = clock
        self._seen = _Lease()
        self._seen_at = clock()
        self._leads_until = -math.inf
        self._was_leader = False
        self._trouble = ""

    @property
    def is_leader(self) -> bool:
        """Whether we may write at this moment."""
        return self._clock() < self._leads_until

    async def run(self) -> None:
        """Take part, until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(self._ttl * _PAUSE * random.uniform(0.8, 1.2))  # noqa: S311

    async def step(self) -> None:
        """Try once to get or keep the Lease."""
        if self._was_leader and not self.is_leader:
            # It may lead again in a moment, but what was to be written meanwhile was not.
            log.warning("the lease was not renewed in time; this controller writes nothing until it is")
            self._was_leader = False
        self._tell_trouble(await self._attempt())
        if self.is_leader != self._was_leader:
            self._was_leader = self.is_leader
            log.info("this controller %s the leader", "is" if self._was_leader else "is no longer")
            self.tell()

    async def _attempt(self) -> str:
        """Give what kept us from reading or writing the Lease, or ""."""
        try:
            async with asyncio.timeout(self._ttl * _TRY):
                await self._take_or_renew()
        except ConflictError:
            log.debug("another candidate was quicker")
        except TimeoutError:
            return "no answer in time"
        except (ClusterError, msgspec.DecodeError) as error:
            return str(error)
        return ""

    def _tell_trouble(self, trouble: str) -> None:
        """Say once what is wrong, however long it lasts."""
        if trouble and not self._trouble:
            log.warning("the lease %s/%s cannot be read or written: %s", self._namespace, self._name, trouble)
        self._trouble = trouble

    async def release(self) -> None:
        """Give the Lease back, so that the next leader need not wait; say nothing if that fails."""
        if not self.is_leader:
            return
        self._leads_until = -math.inf
        try:
            async with asyncio.timeout(self._ttl * _TRY):
                raw, lease = await self._read()
                if lease.spec and lease.spec.holder_identity == self._identity:
                    await self._put(raw, {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()})
        except (ClusterError, TimeoutError, msgspec.DecodeError) as error:
            log.info("the lease could not be released: %s", error)

    async def _take_or_renew(self) -> None:
        began = self._clock()
        try:
            raw, lease = await self._read()
        except NotFoundError:
            await self._client.create(LEASES.path(self._namespace), self._new())
        else:
            self._look_at(lease)
            if not self._may_take(lease.spec or _Spec()):
                self._leads_until = -math.inf
                return
            await self._put(raw, self._claim(lease.spec or _Spec()))
        # Counted from before the write: whoever sees it sees it later.
        self._leads_until = began + self._ttl * _LEADS

    def _look_at(self, lease: _Lease) -> None:
        if lease != self._seen:
            self._seen, self._seen_at = lease, self._clock()

    def _may_take(self, spec: _Spec) -> bool:
        if spec.holder_identity in {None, "", self._identity}:
            return True
        return self._clock() - self._seen_at >= max(self._ttl, spec.lease_duration_seconds or 0)

    def _claim(self, spec: _Spec) -> dict[str, Any]:
        claim = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._ttl),
            "renewTime": _now(),
        }
        if spec.holder_identity == self._identity:
            return claim
        return {**claim, "acquireTime": _now(), "leaseTransitions": (spec.lease_transitions or 0) + 1}

    def _new(self) -> dict[str, Any]:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {**self._claim(_Spec()), "leaseTransitions": 0},
        }

    async def _read(self) -> tuple[dict[str, Any], _Lease]:
        body = await self._client.get(LEASES.path(self._namespace, self._name))
        return msgspec.json.decode(body, type=dict[str, Any]), msgspec.json.decode(body, type=_Lease)

    async def _put(self, raw: dict[str, Any], spec: dict[str, Any]) -> None:
        """Write it in place of what was read; the server refuses if somebody else wrote meanwhile (409)."""
        changed = {**raw, "spec": {**(raw.get("spec") or {}), **spec}}
        await self._client.replace(LEASES.path(self._namespace, self._name), changed)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
