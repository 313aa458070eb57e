"""Starts the processes of containers, and commands inside of them.

Takes a Command and a Sandbox; gives a Process, which can be waited for and signalled. Isolation is found out once by
trying (`find_isolation`): `root` and `user` give a container namespaces and a root folder of its own, `none` runs it
among the machine's files. Each process is noted in a folder with the moment of its start, so that `sweep` can end what
is left after a kubelet that was killed. How the root folder looks is `filesystem`'s, what happens in the new process
is `launcher`'s.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from sevengate.lab.kubelet import launcher
from sevengate.lab.kubelet.filesystem import Layer, Step, build_steps

Isolation = Literal["root", "user", "none"]

_LAUNCHER: Final = launcher.__file__
_START_LIMIT: Final = 30.0
_PROC: Final = Path("/proc")


class StartError(Exception):
    """A command could not be started; the text says why."""


class Command(msgspec.Struct, frozen=True):
    """What to run: words, environment, folder, and as whom (the first group is the main one)."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    directory: str = "/"
    user: int = 0
    groups: tuple[int, ...] = (0,)
    terminal: bool = False


class Sandbox(msgspec.Struct, frozen=True):
    """Where to run it: an empty folder of the machine that becomes the root, and how it is built."""

    isolation: Isolation
    root: Path
    hostname: str
    steps: Sequence[Step]
    #: Folders that nobody may write to once all is built.
    frozen: tuple[str, ...] = ()


class Streams(msgspec.Struct, frozen=True):
    """File descriptors for standard input, output and errors."""

    stdin: int
    stdout: int
    stderr: int


class Process:
    """A running command: `pid` is its own, `launcher` the process that answers for it."""

    def __init__(self, launched: asyncio.subprocess.Process, pid: int, note: Path | None) -> None:
        self.pid = pid
        self._launched = launched
        self._note = note
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._pidfd = -1

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._launched.returncode is None

    async def wait(self) -> int:
        """Wait for its end and give its exit status; 128 + N if it died of signal N."""
        code = await self._launched.wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        if self._note:
            self._note.unlink(missing_ok=True)
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives; SIGKILL takes all with it that it started."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._launched.send_signal(number)

    def pidfd(self) -> int:
        """Give a handle of the process that no other process can come to own; raise StartError if it has ended."""
        if self._pidfd < 0:
            raise StartError("the container is not running")
        return self._pidfd


async def start(command: Command, sandbox: Sandbox, streams: Streams, notes: Path) -> Process:
    """Start a container's process; raise StartError."""
    sandbox.root.mkdir(parents=True, exist_ok=True)
    spec = {
        **_spec(command, sandbox.isolation),
        "root": str(sandbox.root),
        "hostname": sandbox.hostname,
        "steps": sandbox.steps,
        "frozen": sandbox.frozen,
    }
    return await _launch("run", spec, streams, notes)


async def enter(process: Process, isolation: Isolation, command: Command, streams: Streams) -> Process:
    """Start a command inside of a running container; raise StartError."""
    spec = {**_spec(command, isolation), "pidfd": process.pidfd()}
    return await _launch("enter", spec, streams, None)


def _spec(command: Command, isolation: Isolation) -> dict[str, object]:
    return {**msgspec.structs.asdict(command), "isolation": isolation, "parent": os.getpid()}


async def _launch(verb: str, spec: dict[str, object], streams: Streams, notes: Path | None) -> Process:
    reading, writing = os.pipe()
    held = os.memfd_create("spec")
    os.write(held, msgspec.json.encode(spec))
    os.lseek(held, 0, os.SEEK_SET)
    passed = [held, writing, *([handle] if isinstance(handle := spec.get("pidfd"), int) else [])]
    try:
        launched = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _LAUNCHER, verb, str(held), str(writing)),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            pass_fds=passed,
            start_new_session=True,
        )
    finally:
        os.close(writing)
        os.close(held)
    note = _noted(notes, launched.pid) if notes else None
    try:
        said = await _said(reading)
    except BaseException:
        launched.kill()
        raise
    if "error" in said or "pid" not in said:
        await launched.wait()
        if note:
            note.unlink(missing_ok=True)
        raise StartError(said.get("error") or "it died before it began")
    return Process(launched, int(said["pid"]), note)


async def _said(reading: int) -> dict[str, str]:
    """Read what the launcher says, which ends when the command runs."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb")
    )
    try:
        async with asyncio.timeout(_START_LIMIT):
            text = (await stream.read()).decode(errors="replace")
    except TimeoutError:
        return {"error": f"it did not start within {_START_LIMIT} s"}
    finally:
        transport.close()
    return {word: rest for word, _, rest in (line.partition(" ") for line in text.splitlines())}


async def find_isolation(folder: Path) -> Isolation:
    """Find out by trying which isolation this machine allows."""
    for isolation in ("root", "user") if os.geteuid() == 0 else ("user",):
        if await _works(isolation, folder / "probe"):
            return isolation
    return "none"


async def _works(isolation: Isolation, root: Path) -> bool:
    steps = build_steps(isolation, Layer(), (), "probe")
    command = Command(("true",), {"PATH": os.defpath}, user=os.geteuid(), groups=(os.getegid(),))
    nothing = asyncio.subprocess.DEVNULL
    notes = root.with_name("probing")
    try:
        sandbox = Sandbox(isolation, root, "probe", steps)
        process = await start(command, sandbox, Streams(nothing, nothing, nothing), notes)
        return await process.wait() == 0
    except StartError:
        return False
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(notes, ignore_errors=True)


# --- what a kubelet that was killed has left behind


def _noted(notes: Path, pid: int) -> Path:
    notes.mkdir(parents=True, exist_ok=True)
    note = notes / str(pid)
    note.write_text(_born(pid), encoding="ascii")
    return note


def sweep(notes: Path) -> None:
    """End all processes that are noted in a folder and still are who they were."""
    for note in notes.glob("[0-9]*"):
        pid, born = int(note.name), note.read_text(encoding="ascii")
        # A session's number is nobody else's as long as one of its members lives.
        if born and _born(pid) in {born, ""}:
            for member in _session(pid):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(member, signal.SIGKILL)
        note.unlink(missing_ok=True)


def _stat(pid: int) -> list[str]:
    """Read /proc/PID/stat from its third field on (proc(5)); nothing if there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _born(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _session(leader: int) -> list[int]:
    members = (int(entry.name) for entry in _PROC.glob("[0-9]*"))
    return [pid for pid in members if (fields := _stat(pid)) and fields[3] == str(leader)]
