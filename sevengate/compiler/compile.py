"""From a Snapshot to a RoutingTable, and from one Compilation to the next.

compile_all takes a Snapshot and the options and reads everything; recompile takes the Compilation before and what
changed since, and gives exactly what compile_all would, at the cost of what changed. Both are one pass: compile_all
starts from nothing and calls all Ingresses changed. Which Ingresses are to be read again, which hosts merged, which
Backends made, the indexes in memory.py tell. Nothing is written in place (revision.py): a Compilation stays true
while the next one is made.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from sevengate.compiler.backends import BackendMaker
from sevengate.compiler.certificates import CertificateStore
from sevengate.compiler.claims import Reading
from sevengate.compiler.defaults import Defaults, concern_defaults, read_default_backend, read_defaults
from sevengate.compiler.ingress import IngressReader
from sevengate.compiler.memory import Memory, MemoryRevision, Replacements
from sevengate.compiler.merge import merge
from sevengate.compiler.revision import Revision
from sevengate.compiler.statuses import Status, status_of
from sevengate.compiler.tls import TLSReader
from sevengate.diagnostics import Diagnostic, ObjectRef, Report
from sevengate.kube.objects import Ingress, Object, Service
from sevengate.kube.snapshot import Changes, Snapshot
from sevengate.routing.table import DEFAULT_CERTIFICATE, Certificate, RoutingTable, TableChanges
from sevengate.settings import Options, Settings

#: The key under which the default backend stands among the users of Backends: no Ingress can have it.
_NOBODY: Final = ""


class Compilation(msgspec.Struct, frozen=True):
    """A RoutingTable, how it differs from the one before (None: made anew), and what there is to say of each object."""

    table: RoutingTable
    changes: TableChanges | None
    diagnostics: Mapping[ObjectRef, tuple[Diagnostic, ...]]
    settings: Settings
    statuses: Mapping[ObjectRef, Status]
    memory: Memory


def compile_all(snapshot: Snapshot, options: Options, now: datetime) -> Compilation:
    """Compile everything; `now`, with a time zone, is the moment at which certificates are looked at."""
    return _compile_anew(snapshot, options, now, None)


def recompile(previous: Compilation, snapshot: Snapshot, changes: Changes, now: datetime) -> Compilation:
    """Give what compile_all would give for `snapshot`, which differs from the previous one by `changes`.

    Profiles that are no longer used stay in the table. `now` must not be earlier than before.
    """
    memory = previous.memory
    changes |= Changes(secrets=memory.turned(now))
    if concern_defaults(changes, memory.options):
        return _compile_anew(snapshot, memory.options, now, previous)
    certificates = CertificateStore(snapshot.secrets, memory.key_pairs)
    return _Pass(previous, snapshot, certificates, now).run(changes)


def _compile_anew(snapshot: Snapshot, options: Options, now: datetime, previous: Compilation | None) -> Compilation:
    certificates = CertificateStore(snapshot.secrets, previous.memory.key_pairs if previous else {})
    defaults = read_defaults(snapshot, options, certificates, now)
    profiles = previous.table.profiles if previous else frozenset()
    nothing = Compilation(
        RoutingTable(profiles=profiles, default_backend=defaults.backend.name if defaults.backend else ""),
        None,
        defaults.diagnostics,
        defaults.settings,
        {},
        Memory(snapshot, options, now),
    )
    compiling = _Pass(nothing, snapshot, certificates, now)
    compiling.hold(defaults)
    everything = Changes(frozenset(snapshot.ingresses), services=frozenset({options.default_backend_service} - {""}))
    return msgspec.structs.replace(compiling.run(everything), changes=None)


class _Pass:
    """One pass over what has changed: each step leaves to the next what it has to look at."""

    def __init__(
        self, previous: Compilation, snapshot: Snapshot, certificates: CertificateStore, now: datetime
    ) -> None:
        self._previous = previous
        self._snapshot = snapshot
        self._options = previous.memory.options
        self._store = certificates
        self._now = now
        self._memory = MemoryRevision(previous.memory)
        table = previous.table
        self._hosts = Revision(table.hosts)
        self._backends = Revision(table.backends)
        self._certificates = Revision(table.certificates)
        self._server_names = Revision(table.server_names)
        self._profiles = table.profiles
        self._diagnostics = Revision(previous.diagnostics)
        self._statuses = Revision(previous.statuses)
        self._spoken_of: set[str] = set()

    def hold(self, defaults: Defaults) -> None:
        """Take in what holds for all Ingresses."""
        if defaults.backend:
            self._memory.hold(defaults.backend, _NOBODY)
        if defaults.key_pair:
            self._memory.key_pairs.put(self._options.default_ssl_certificate, defaults.key_pair)
        self._certificates.put(DEFAULT_CERTIFICATE, defaults.certificate)

    def run(self, changes: Changes) -> Compilation:
        """Compile what has changed and what that touches."""
        stale = self._memory.stale(changes, self._snapshot)
        differing = self._memory.replace(self._read(stale)) if stale else []
        touched = {host for _, *both in differing for reading in both if reading for host in reading.hosts}
        touched |= self._decide_server_names(differing)
        self._take_profiles(differing)
        self._show_certificates(changes.secrets | self._memory.secrets.changed)
        self._merge_hosts(touched)
        self._make_backends(changes.services | changes.endpoints | self._memory.wanted.changed)
        self._speak({key for key, _, _ in differing} | self._spoken_of)
        return self._result()

    def _read(self, stale: Iterable[str]) -> dict[str, Reading | None]:
        reader = IngressReader(
            self._snapshot, self._previous.settings, self._options, TLSReader(self._store, self._now)
        )
        found = ((key, self._snapshot.ingresses.get(key)) for key in stale)
        return {key: reader.read(ingress) if ingress else None for key, ingress in found}

    def _decide_server_names(self, differing: Replacements) -> set[str]:
        """Settle whose wish for each server name prevails; give the names for which the wish is another than before."""
        for name in {name for _, *both in differing for reading in both if reading for name in reading.server_names}:
            naming = self._memory.server_names.members(name)
            reading = self._memory.readings.get(naming[0][-1]) if naming else None
            wish = reading.server_names[name] if reading else None
            if self._memory.prevailing.put(name, wish):
                self._server_names.put(name, wish.certificate if wish else None)
        return self._memory.prevailing.changed

    def _take_profiles(self, differing: Replacements) -> None:
        used = {
            new.claimant.wishes.profile
            for _, _, new in differing
            if new and new.hosts and new.claimant and not new.claimant.wishes.canary
        }
        if not used <= self._profiles:
            self._profiles |= used

    def _show_certificates(self, secrets: Iterable[str]) -> None:
        for key in secrets:
            pair = self._store.get(key) if self._memory.secrets.members(key) else None
            self._certificates.put(key, pair.content if pair and isinstance(pair.content, Certificate) else None)
            if key != self._options.default_ssl_certificate:
                self._memory.key_pairs.put(key, pair)

    def _merge_hosts(self, touched: Iterable[str]) -> None:
        for host in touched:
            claiming = (self._memory.readings.get(member[-1]) for member in self._memory.hosts.members(host))
            readings = [reading for reading in claiming if reading]
            merged = merge(host, readings, self._memory.prevailing.get(host), self._previous.settings)
            self._hosts.put(host, merged.host)
            for complaints in (self._memory.complaints.get(host), merged.diagnostics):
                self._spoken_of.update(complaints or ())
            self._memory.complaints.put(host, merged.diagnostics or None)

    def _make_backends(self, services: Iterable[str]) -> None:
        maker = BackendMaker(self._snapshot, names_allowed=not self._options.disable_svc_external_name)
        for key in services:
            wanted = self._memory.wanted.members(key)
            report = Report()
            if key == self._options.default_backend_service:
                read_default_backend(self._snapshot, key, report)
            for ref in wanted:
                self._backends.put(ref.name, maker.make(ref, report))
            for ref in self._previous.memory.wanted.get(key, ()):
                if ref not in wanted:
                    self._backends.put(ref.name, None)
            self._diagnostics.put(_ref(Service, key), tuple(dict.fromkeys(report)) or None)

    def _speak(self, keys: Iterable[str]) -> None:
        """Gather what there is to say of Ingresses: what was found on reading, and on merging each of their hosts."""
        for key in keys:
            reading = self._memory.readings.get(key)
            ref = _ref(Ingress, key)
            found = reading.diagnostics if reading else ()
            for host in reading.hosts if reading else ():
                complaints = self._memory.complaints.get(host)
                found += complaints.get(key, ()) if complaints else ()
            self._diagnostics.put(ref, found or None)
            self._statuses.put(ref, status_of(reading, found) if reading else None)

    def _result(self) -> Compilation:
        table = RoutingTable(
            self._hosts.current,
            self._backends.current,
            self._certificates.current,
            self._server_names.current,
            self._previous.table.default_backend,
            self._profiles,
        )
        changes = TableChanges(
            frozenset(self._hosts.changed),
            frozenset(self._backends.changed),
            frozenset(self._certificates.changed),
            frozenset(self._server_names.changed),
        )
        memory = self._memory.done(self._snapshot, self._now)
        settings = self._previous.settings
        return Compilation(table, changes, self._diagnostics.current, settings, self._statuses.current, memory)


def _ref(kind: type[Object], key: str) -> ObjectRef:
    namespace, _, name = key.rpartition("/")
    return ObjectRef(kind.KIND, namespace, name)
