"""What a Compilation remembers so that the next one need not read everything again.

Besides the Reading of each Ingress these are indexes: from a name to those who speak of it. The members of an index
end with the key of an Ingress; what stands before it sorts them, so that the one who counts first stands first. A
Memory never changes: MemoryRevision makes the next one, and knows from `changed` of its parts what compile.py has to
look at.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from sevengate.compiler.certificates import KeyPair
from sevengate.compiler.claims import BackendRef, Reading, ServerName
from sevengate.compiler.revision import IndexRevision, Revision
from sevengate.compiler.spelling import neighbours
from sevengate.diagnostics import Diagnostic
from sevengate.kube.snapshot import Changes, Snapshot
from sevengate.settings import Options

M = TypeVar("M")

#: One of those who claim a host: seniority, key.
Claiming = tuple[str, str, str]
#: One of those who wish for a server name: standing, seniority, key.
Naming = tuple[int, str, str, str]
#: Readings that differ: the key, the old and the new one.
Replacements = list[tuple[str, Reading | None, Reading | None]]
#: Complaints about one host, by the key of the Ingress that they are about.
Complaints = Mapping[str, tuple[Diagnostic, ...]]


class Memory(msgspec.Struct, frozen=True):
    """The state of a compilation.

    `turn` is when a certificate next expires or becomes valid. `readings` and the rest are by key or name: `hosts` and
    `server_names` index Ingresses by host and server name, `secrets` by Secret, `users` by the name of a Backend;
    `wanted` says which Backends of a Service are in use, `prevailing` whose wish for a server name prevails.
    """

    snapshot: Snapshot
    options: Options
    now: datetime
    turn: datetime | None = None
    readings: Mapping[str, Reading] = {}
    hosts: Mapping[str, tuple[Claiming, ...]] = {}
    server_names: Mapping[str, tuple[Naming, ...]] = {}
    prevailing: Mapping[str, ServerName] = {}
    secrets: Mapping[str, tuple[str, ...]] = {}
    users: Mapping[str, tuple[str, ...]] = {}
    wanted: Mapping[str, tuple[BackendRef, ...]] = {}
    complaints: Mapping[str, Complaints] = {}
    key_pairs: Mapping[str, KeyPair] = {}

    def turned(self, now: datetime) -> frozenset[str]:
        """Give the keys of Secrets whose certificates have expired or become valid since."""
        if self.turn is None or now < self.turn:
            return frozenset()
        turns = {key: pair.next_turn(self.now) for key, pair in self.key_pairs.items()}
        return frozenset(key for key, turn in turns.items() if turn and turn <= now)


class MemoryRevision:
    """A Memory on its way to the next one."""

    def __init__(self, memory: Memory) -> None:
        self._base = memory
        self.readings = Revision(memory.readings)
        self.hosts = IndexRevision(memory.hosts)
        self.server_names = IndexRevision(memory.server_names)
        self.prevailing = Revision(memory.prevailing)
        self.secrets = IndexRevision(memory.secrets)
        self.users = IndexRevision(memory.users)
        self.wanted = IndexRevision(memory.wanted)
        self.complaints = Revision(memory.complaints)
        self.key_pairs = Revision(memory.key_pairs)

    def stale(self, changes: Changes, snapshot: Snapshot) -> set[str]:
        """Give the keys of Ingresses to read again: they have changed, or something that they name has."""
        keys = set(changes.ingresses)
        for secret in changes.secrets:
            keys.update(self.secrets.members(secret))
        for service in changes.services:
            keys.update(self._users_of(service))
            if (service in self._base.snapshot.services) != (service in snapshot.services):
                keys.update(self._misspellers(service, snapshot))
        return keys

    def replace(self, readings: Mapping[str, Reading | None]) -> Replacements:
        """Put new Readings, None for a deleted Ingress, in the place of old ones, and give those that differ."""
        differing = []
        for key, new in readings.items():
            old = self.readings.get(key)
            if self.readings.put(key, new):
                differing.append((key, old, new))
        _reindex(self.hosts, differing, _claimings)
        _reindex(self.server_names, differing, _namings)
        _reindex(self.secrets, differing, _secrets)
        _reindex(self.users, differing, _users)
        self._want(ref for _, old, new in differing for reading in (old, new) if reading for ref in reading.backends)
        return differing

    def hold(self, ref: BackendRef, user: str) -> None:
        """Keep a Backend in use by somebody who is not an Ingress."""
        self.users.replace((), [(ref.name, user)])
        self._want([ref])

    def done(self, snapshot: Snapshot, now: datetime) -> Memory:
        """Give the next Memory."""
        return Memory(
            snapshot,
            self._base.options,
            now,
            self._turn(now),
            self.readings.current,
            self.hosts.current,
            self.server_names.current,
            self.prevailing.current,
            self.secrets.current,
            self.users.current,
            self.wanted.current,
            self.complaints.current,
            self.key_pairs.current,
        )

    def _want(self, refs: Iterable[BackendRef]) -> None:
        """Enter in `wanted` what somebody has begun to use, and take out what nobody uses any more."""
        gone: list[tuple[str, BackendRef]] = []
        come: list[tuple[str, BackendRef]] = []
        for ref in dict.fromkeys(refs):
            was, is_now = ref in self.wanted.members(ref.service_key), bool(self.users.members(ref.name))
            if was != is_now:
                (come if is_now else gone).append((ref.service_key, ref))
        self.wanted.replace(gone, come)

    def _users_of(self, service: str) -> Iterator[str]:
        for ref in self.wanted.members(service):
            yield from self.users.members(ref.name)

    def _misspellers(self, service: str, snapshot: Snapshot) -> Iterator[str]:
        """Give who names a missing Service whose hint this one may be."""
        namespace, _, name = service.partition("/")
        for near in neighbours(name):
            key = f"{namespace}/{near}"
            if key in self.wanted.current and key not in snapshot.services:
                yield from self._users_of(key)

    def _turn(self, now: datetime) -> datetime | None:
        pairs = self.key_pairs
        if self._base.turn is None or self._base.turn > now:
            looked_at = [pairs.get(key) for key in pairs.changed]
            turns = [self._base.turn, *(pair.next_turn(now) for pair in looked_at if pair)]
        else:
            turns = [pair.next_turn(now) for pair in pairs.current.values()]
        return min(filter(None, turns), default=None)


def _reindex(
    index: IndexRevision[M], differing: Replacements, pairs: Callable[[str, Reading], Iterable[tuple[str, M]]]
) -> None:
    gone: list[tuple[str, M]] = []
    come: list[tuple[str, M]] = []
    for key, old, new in differing:
        before = set(pairs(key, old)) if old else set()
        after = set(pairs(key, new)) if new else set()
        gone += before - after
        come += after - before
    index.replace(gone, come)


def _claimings(key: str, reading: Reading) -> Iterator[tuple[str, Claiming]]:
    if reading.claimant:
        member = (*reading.claimant.seniority, key)
        yield from ((host, member) for host in reading.hosts)


def _namings(key: str, reading: Reading) -> Iterator[tuple[str, Naming]]:
    if reading.claimant:
        for name, wish in reading.server_names.items():
            yield name, (int(wish.standing), *reading.claimant.seniority, key)


def _secrets(key: str, reading: Reading) -> Iterator[tuple[str, str]]:
    return ((secret, key) for secret in reading.secrets)


def _users(key: str, reading: Reading) -> Iterator[tuple[str, str]]:
    return ((ref.name, key) for ref in reading.backends)
