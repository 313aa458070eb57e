"""Where a running lab is found, and what a dead one has left behind.

A Home is a folder that only its user can read. While a lab is up it holds `lab.json`, a Record by which the other
commands find the process, `kubeconfig`, and what nodes and pods need in `work`. One lab at a time claims it; whether
the claim still holds is told by a lock that the kernel gives up with the process, and a process is the recorded one
only if it also started when the record says. What nodes have left behind is ended by the kubelet, from its own notes.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from sevengate.lab.kubelet.sandbox import sweep

#: Characters of a folder's path that leave enough of the 107 of a socket's for what lies in it.
_LONGEST: Final = 60


class HomeTakenError(Exception):
    """A lab is up already in this folder."""


class Record(msgspec.Struct, frozen=True):
    """What is to know about a running lab: its process and when that began, its URL and its plan of addresses."""

    pid: int
    started: int
    url: str = ""
    plan: str = ""
    has_network: bool = False
    port_shift: int = 0
    legacy_apis: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there, and not another one under its number."""
        return started_at(self.pid) == self.started


def started_at(pid: int) -> int | None:
    """Give when a process started, in ticks since the machine did; None if it is gone (proc(5), stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[19]) if fields[0] != "Z" else None


class Home:
    """The folder of one lab."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def kubeconfig(self) -> Path:
        """The file by which clients find the lab."""
        return self.folder / "kubeconfig"

    @property
    def work(self) -> Path:
        """Where nodes and pods keep their files, sockets among them, whose paths must not be long."""
        return self._work.resolve() if self._work.is_symlink() else self._work

    @property
    def log(self) -> Path:
        """What a lab says that has no terminal."""
        return self.folder / "lab.log"

    @property
    def _work(self) -> Path:
        return self.folder / "work"

    @property
    def _record(self) -> Path:
        return self.folder / "lab.json"

    def running(self) -> Record | None:
        """Give the Record of the lab that is up; None if none is."""
        try:
            record = msgspec.json.decode(self._record.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            return None
        return record if record.is_alive else None

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder while a lab is up, and clear it then; raise HomeTakenError if another one has it."""
        with self._locked():
            self._clear_files()
            if len(str(self.folder)) > _LONGEST:
                self._work.symlink_to(tempfile.mkdtemp(prefix="sevengate-lab-"))
            try:
                yield
            finally:
                self.clear()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / "lock"
        with path.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_ours = path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat())
            except BlockingIOError:
                is_ours = False  # else its owner removed it while we waited, and another one may have it by now
            if not is_ours:
                running = self.running()
                who = f" (process {running.pid})" if running else ""
                raise HomeTakenError(f"a lab is up already in {self.folder}{who}")
            yield

    def announce(self, record: Record) -> None:
        """Let the other commands find the lab, now that it is up."""
        write_private(self._record, msgspec.json.encode(record).decode())

    def clear(self) -> None:
        """Remove everything of a lab that is not up any more."""
        self._clear_files()
        self.log.unlink(missing_ok=True)
        (self.folder / "lock").unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _clear_files(self) -> None:
        for notes in self.work.glob("*/processes"):
            sweep(notes)
        shutil.rmtree(self.work, ignore_errors=True)
        self._work.unlink(missing_ok=True)
        for path in (self._record, self.kubeconfig):
            path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)
