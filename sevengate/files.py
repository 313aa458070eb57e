"""Manifests on disk or standard input become a Snapshot, once or again whenever somebody edits them.

Paths are files, folders (searched for *.yaml, *.yml and *.json, however deep), globs, or `-`. What a text means is
sevengate.kube.manifest's business; here files are found, read whole and followed. To follow is to compare modification
times, sizes and inodes, which needs no library and works on every file system. Editors write in several steps, so a
change is taken up when it has looked the same twice, and a file that has become broken keeps its last good objects.
"""

import asyncio
import glob
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from sevengate.diagnostics import Diagnostic, ObjectRef, Origin, Report, Severity, Where
from sevengate.kube import manifest
from sevengate.kube.manifest import Definition, Locator, Manifest
from sevengate.kube.snapshot import Changes, Deleted, Event, Snapshot

STDIN: Final = "-"
SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
#: A hundred thousand Ingresses; more is a mistake, such as a disk image.
MAX_BYTES: Final = 256 * 1024 * 1024


class Manifests:
    """All objects of some manifests, what there was to say about them, and where each is written."""

    def __init__(
        self, snapshot: Snapshot, definitions: Mapping[ObjectRef, Definition], diagnostics: tuple[Diagnostic, ...]
    ) -> None:
        self.snapshot = snapshot
        self.definitions = definitions
        self.diagnostics = diagnostics
        self._locator = Locator()

    def locate(self, where: Where) -> Origin | None:
        """Give the file and line of what a diagnostic is about, or of the nearest parent of its field."""
        if where.origin is not None or where.object is None:
            return where.origin
        definition = self.definitions.get(where.object)
        if definition is None:
            return None
        return self._locator.origin(definition, where.field)


def load(paths: Sequence[str], *, stdin: TextIO | None = None) -> Manifests:
    """Read all manifests that the paths name; `-` reads `stdin`."""
    return ManifestFiles(paths, stdin=stdin).manifests


async def watch(paths: Sequence[str], interval: float = 0.5) -> AsyncIterator[tuple[Manifests, Changes]]:
    """Give all manifests, with Changes that name everything, and again after each edit; look every `interval` seconds.

    Changes are empty where only lines or diagnostics differ. Standard input is read once.
    """
    files = await asyncio.to_thread(ManifestFiles, paths)
    yield files.manifests, files.changes
    while True:
        await asyncio.sleep(interval)
        if await asyncio.to_thread(files.poll):
            yield files.manifests, files.changes


class Stamp(NamedTuple):
    """What changes with a file's content: which file it is, its size in bytes, and times in nanoseconds."""

    device: int
    inode: int
    size: int = 0
    modified: int = 0
    changed: int = 0


class Found(NamedTuple):
    """The files that the paths name, in order, and what there was to say about the paths."""

    files: Mapping[str, Stamp]
    diagnostics: tuple[Diagnostic, ...]


class ManifestFiles:
    """Follows the files that some paths name; `manifests` is the newest state, `changes` what led to it."""

    def __init__(self, paths: Sequence[str], *, stdin: TextIO | None = None) -> None:
        self._paths = tuple(paths)
        self._stdin = _from_stdin(stdin or sys.stdin) if STDIN in paths else None
        self._seen = find(self._paths)
        self._complaints = self._seen.diagnostics
        self._stamps = dict(self._seen.files)
        self._read = {file: read(file) for file in self._seen.files}
        self.manifests = Manifests(Snapshot(), {}, ())
        self.changes = Changes()
        self._assemble()

    def poll(self) -> bool:
        """Look once at all files, take up what has changed and come to rest, and say whether anything had."""
        before, now = self._seen, find(self._paths)
        self._seen = now
        has_changed = before.diagnostics == now.diagnostics != self._complaints
        if has_changed:
            self._complaints = now.diagnostics
        for file in self._settled(before, now):
            has_changed = self._take(file, now.files.get(file)) or has_changed
        if has_changed:
            self._assemble()
        return has_changed

    def _settled(self, before: Found, now: Found) -> list[str]:
        """Give the files that differ from what was read, and have looked the same twice."""
        files = [*now.files, *(file for file in self._stamps if file not in now.files)]
        return [
            file
            for file in files
            if now.files.get(file) == before.files.get(file) and now.files.get(file) != self._stamps.get(file)
        ]

    def _take(self, file: str, stamp: Stamp | None) -> bool:
        if stamp is None:
            del self._read[file], self._stamps[file]
            return True
        edited = read(file)
        if _stamp(file) != stamp:
            # Somebody wrote while it was read; what was read may be half of it, so the next look decides.
            return False
        self._read[file] = _keep_last_good(self._read.get(file), edited)
        self._stamps[file] = stamp
        return True

    def _assemble(self) -> None:
        files = [self._read[file] for file in self._seen.files if file in self._read]
        # A file that has just vanished may be on its way back; until that is settled its objects stay.
        files += [old for file, old in self._read.items() if file not in self._seen.files]
        files += [self._stdin] if self._stdin else []
        report = Report()
        report.extend(self._complaints)
        for one in files:
            report.extend(one.diagnostics)
        definitions = _by_name(files, report)
        events = _events(self.manifests.definitions, definitions)
        snapshot, self.changes = self.manifests.snapshot.after(events)
        self.manifests = Manifests(snapshot, definitions, report.done())


def _events(old: Mapping[ObjectRef, Definition], new: Mapping[ObjectRef, Definition]) -> Iterator[Event]:
    for ref, definition in old.items():
        if ref not in new:
            yield Deleted(ref.kind, definition.object.key)
    for ref, definition in new.items():
        if ref not in old or old[ref].object is not definition.object:
            yield definition.object


def _by_name(files: Iterable[Manifest], report: Report) -> dict[ObjectRef, Definition]:
    definitions: dict[ObjectRef, Definition] = {}
    locator = Locator()
    for one in files:
        for definition in one.definitions:
            ref = definition.object.ref
            if ref in definitions:
                message = f"{ref} is defined at {locator.origin(definitions[ref])} too; this later definition is used"
                where = Where(ref, origin=locator.origin(definition))
                report.warning("manifest/duplicate-object", where, message)
            definitions[ref] = definition
    return definitions


def _keep_last_good(old: Manifest | None, new: Manifest) -> Manifest:
    """Give the new content of a file, with the old objects in place of those that cannot be read any more.

    Where the text itself is broken nobody can tell which objects it meant to hold, so all old ones stay.
    """
    errors = [diagnostic for diagnostic in new.diagnostics if diagnostic.severity is Severity.ERROR]
    if old is None or not errors:
        return new
    broken = {error.where.object for error in errors}
    readable = {definition.object.ref for definition in new.definitions}
    if None in broken:
        definitions, kept = old.definitions, old.definitions
    else:
        kept = tuple(one for one in old.definitions if one.object.ref in broken - readable)
        definitions = new.definitions + kept
    return Manifest(new.file, definitions, new.diagnostics + tuple(_kept(kept, errors[0])))


def _kept(definitions: tuple[Definition, ...], error: Diagnostic) -> Iterator[Diagnostic]:
    if definitions:
        names = ", ".join(str(one.object.ref) for one in definitions[:3])
        more = f" and {len(definitions) - 3} more" if len(definitions) > 3 else ""
        message = f"What was last read of this file is still used: {names}{more}"
        yield Diagnostic(Severity.WARNING, "manifest/kept", Where(origin=error.where.origin), message)


# --- finding files


def find(paths: Iterable[str]) -> Found:
    """Give all files that the paths name, each once, in the order of the paths and by name within a folder."""
    report = Report()
    files: dict[str, Stamp] = {}
    known: set[tuple[int, int]] = set()
    for path in paths:
        if path == STDIN:
            continue
        for file in _expanded(path, report):
            stamp = _stamp(file)
            if stamp is None:
                _say_unreadable(file, "no such file", report)
            elif (stamp.device, stamp.inode) not in known:
                known.add((stamp.device, stamp.inode))
                files[file] = stamp
    return Found(files, report.done())


def _expanded(path: str, report: Report) -> list[str]:
    is_glob = glob.has_magic(path) and not os.path.lexists(path)
    # pathlib cannot glob an absolute pattern.
    matches = sorted(glob.glob(path, recursive=True)) if is_glob else [path]  # noqa: PTH207
    files = [file for match in matches for file in (_folder(match, report) if Path(match).is_dir() else [match])]
    if not files:
        where = Where(origin=Origin(path, 1))
        report.error("manifest/nothing-found", where, "No *.yaml, *.yml or *.json file is found here")
    return files


def _folder(path: str, report: Report) -> list[str]:
    """Give the manifests in a folder, without hidden ones: they belong to editors, git and mounted volumes."""

    def say(error: OSError) -> None:
        _say_unreadable(str(error.filename), error.strerror or str(error), report)

    files = []
    for parent, folders, names in os.walk(path, onerror=say):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [
            str(Path(parent, name))
            for name in sorted(names)
            if Path(name).suffix in SUFFIXES and not name.startswith(".")
        ]
    return files


def _stamp(file: str) -> Stamp | None:
    try:
        status = Path(file).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        # A pipe can be read once; it never looks changed.
        return Stamp(status.st_dev, status.st_ino)
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


# --- reading them


def read(file: str) -> Manifest:
    """Read one file whole."""
    return _manifest(file, partial(_bytes, file))


def _from_stdin(stdin: TextIO) -> Manifest:
    return _manifest("<stdin>", stdin.read)


def _manifest(file: str, read_text: Callable[[], bytes | str]) -> Manifest:
    report = Report()
    text = _text(file, read_text, report)
    return Manifest(file, (), report.done()) if text is None else manifest.read(text, file)


def texts(paths: Sequence[str], stdin: TextIO, report: Report) -> Iterator[tuple[str, str]]:
    """Give name and text of each file that the paths name; what cannot be read is told to the report."""
    found = find(paths)
    report.extend(found.diagnostics)
    readers: list[tuple[str, Callable[[], bytes | str]]] = [(file, partial(_bytes, file)) for file in found.files]
    for file, read_text in [*readers, *([("<stdin>", stdin.read)] if STDIN in paths else [])]:
        if (text := _text(file, read_text, report)) is not None:
            yield file, text


def _text(file: str, read_text: Callable[[], bytes | str], report: Report) -> str | None:
    try:
        content = read_text()
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = bytes(error.object[: error.start]).count(b"\n") + 1
        _say_unreadable(file, f"not UTF-8 text ({error.reason})", report, line)
    except (OSError, ValueError) as error:
        _say_unreadable(file, getattr(error, "strerror", None) or str(error), report)
    else:
        if len(content) <= MAX_BYTES:
            return text
        message = f"The file is larger than {MAX_BYTES} bytes"
        report.error("manifest/too-large", Where(origin=Origin(file, 1)), message)
    return None


def _bytes(file: str) -> bytes:
    with Path(file).open("rb") as source:
        return source.read(MAX_BYTES + 1)


def _say_unreadable(file: str, why: str, report: Report, line: int = 1) -> None:
    report.error("manifest/unreadable", Where(origin=Origin(file, line)), f"The file cannot be read: {why}")
