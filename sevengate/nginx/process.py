"""The NGINX master as a child of this process: test, start, reload, drain, stop, and the news of its death.

It takes the text of a configuration and keeps everything in one runtime directory (runtime.py). A start or a reload is
over when the caller's `ready` says that a worker of the new configuration answers; after a reload, besides, no worker
of the old one accepts connections any more, so what is pushed next meets only new workers. What the configuration says
is static.py's; what is said over the control socket is control.py's; starting a dead NGINX again is supervisor.py's.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import re
import resource
import signal
from collections.abc import Awaitable, Callable, Iterable
from typing import BinaryIO, Final

from sevengate.nginx import outlet, ports
from sevengate.nginx.installation import Installation, NginxError
from sevengate.nginx.listening import AddressTakenError, taken
from sevengate.nginx.runtime import Runtime

log = logging.getLogger("sevengate.nginx")

#: Seconds for a start or a reload. NGINX itself tries for 2.5 s to bind an address that is taken.
START_LIMIT: Final = 20.0
#: Seconds between two looks at a state that nobody tells us of.
LOOK: Final = 0.005
#: Seconds for processes to go after SIGTERM before they are killed.
STOP_LIMIT: Final = 5.0

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG: Final = 1
_LINE = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?P<level>\w+)\] (?:\d+#\d+: )?(?P<text>.*)")
_TAKEN = re.compile(r"bind\(\) to (?P<address>\S+) failed \(98:")
_FORBIDDEN = re.compile(r"bind\(\) to (?P<address>\S+) failed \(13:")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.DEBUG,
    "notice": logging.DEBUG,
    "warn": logging.WARNING,
}


#: Whether a worker of the configuration that was asked for answers.
Ready = Callable[[], Awaitable[bool]]


class ConfRejectedError(NginxError):
    """`nginx -t` refuses the configuration."""


class NginxProcess:
    """One NGINX: its master is our child, alone in a process group with its workers."""

    def __init__(self, installation: Installation, runtime: Runtime) -> None:
        self.runtime = runtime
        self._installation = installation
        self._master: asyncio.subprocess.Process | None = None
        self._group = 0
        self._reader: asyncio.Task[None] | None = None
        self._outlet: outlet.Outlet | None = None
        self._complaints: list[str] = []

    @property
    def running(self) -> bool:
        """Whether the master lives."""
        return self._master is not None and self._master.returncode is None

    @property
    def pid(self) -> int:
        """The master's process id, 0 before the first start."""
        return self._master.pid if self._master else 0

    def workers(self) -> dict[int, bool]:
        """Say of each worker whether it still accepts connections."""
        return {
            process.pid: "shutting down" not in process.title
            for process in ports.group_members(self.pid)
            if process.pid != self.pid and "worker process" in process.title
        }

    async def test(self, conf: str) -> None:
        """Let NGINX read a configuration; raise ConfRejectedError, or AddressTakenError if it may not listen."""
        path = self.runtime.write("test.conf", conf.encode())
        asked = await self._spawn(
            *("-t", "-q", "-c", str(path)), errors=asyncio.subprocess.PIPE, output=asyncio.subprocess.DEVNULL
        )
        _, said = await asked.communicate()
        lines = [_parsed(line)[1] for line in said.decode(errors="replace").splitlines()]
        if asked.returncode:
            _raise_for_address(lines)
            raise ConfRejectedError("nginx refuses its configuration: " + "; ".join(lines))
        for line in lines:
            log.warning("%s", line)

    async def end_orphans(self) -> None:
        """Kill an NGINX whose parent was killed and that works in our directory: nobody else drives it any more."""
        orphans = {process.group for process in ports.holders(self.runtime.control)} - {self._group}
        for group in orphans:
            log.warning("an nginx that a killed process left behind is ended (group %s)", group)
            await _kill(group)

    async def start(self, conf: str, ready: Ready) -> None:
        """Start NGINX and wait until it is ready; raise NginxError, and AddressTakenError for a taken port."""
        await self._kill_group()
        self.runtime.sweep()
        self.runtime.write("nginx.conf", conf.encode())
        self._complaints.clear()
        # A pipe of our own: asyncio's would make it wait for the workers too, which outlive a master that is killed.
        reading, writing = os.pipe()
        self._outlet = outlet.Outlet() if outlet.is_needed() else None
        output = self._outlet.writing if self._outlet else None
        try:
            self._master = await self._spawn("-c", str(self.runtime.conf), errors=writing, output=output)
        finally:
            os.close(writing)
            if self._outlet:
                self._outlet.close()
        self._group = self._master.pid
        self._reader = asyncio.create_task(self._read(os.fdopen(reading, "rb")))
        try:
            await self._wait_until(ready, "start")
        except BaseException:
            await self.stop()
            raise

    async def reload(self, conf: str, ready: Ready) -> None:
        """Put a configuration in place and wait until only its workers accept; raise NginxError, the old one stays."""
        previous, old = self.runtime.conf.read_bytes(), self.workers()
        self.runtime.write("nginx.conf", conf.encode())
        self._complaints.clear()
        self._signal(signal.SIGHUP)

        async def replaced() -> bool:
            return await ready() and not any(self.workers().get(pid) for pid in old)

        try:
            await self._wait_until(replaced, "reload")
        except NginxError:
            with contextlib.suppress(NginxError):  # a full disk; what runs is in NGINX's memory
                self.runtime.write("nginx.conf", previous)
            raise

    async def quit(self, limit: float) -> None:
        """Drain: take no more connections, finish what is under way for at most `limit` seconds, then stop."""
        self._signal(signal.SIGQUIT)
        await self._gone(limit)
        await self.stop()

    async def stop(self) -> None:
        """Stop at once; nothing of this NGINX is left when it returns."""
        self._signal(signal.SIGTERM)
        if not await self._gone(STOP_LIMIT):
            log.warning("nginx did not stop within %s s and is killed", STOP_LIMIT)
        await self._kill_group()
        await self._gone(STOP_LIMIT)
        if self._reader:
            await self._reader
        if self._outlet:
            await asyncio.to_thread(self._outlet.wait, STOP_LIMIT)

    async def died(self) -> int:
        """Wait for the end of the master, take its orphaned workers away and give its exit status."""
        if self._master is None:
            raise NginxError("nginx was never started")
        group = self._group
        status = await self._master.wait()
        if self._group == group:  # else it was started again in the meantime, and the old group is gone
            await self._kill_group()
        return status

    async def _spawn(self, *args: str, errors: int, output: int | None) -> asyncio.subprocess.Process:
        parent = os.getpid()
        return await asyncio.create_subprocess_exec(
            self._installation.executable,
            *("-p", str(self.runtime.directory), "-e", "stderr", *args),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=lambda: _prepare(parent),
        )

    async def _read(self, pipe: BinaryIO) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        level = ""
        while line := await _line(stream):
            own, text = _parsed(line)
            level = own or level  # a line without a level goes on with what the last one said
            log.log(_LEVELS.get(level, logging.ERROR), "%s", text)
            if own == "emerg":
                self._complaints.append(text)
        transport.close()

    async def _wait_until(self, reached: Ready, what: str) -> None:
        try:
            async with asyncio.timeout(START_LIMIT):
                while not await reached():
                    self._check(what)
                    await asyncio.sleep(LOOK)
        except TimeoutError as error:
            raise NginxError(f"nginx did not {what} within {START_LIMIT} s") from error

    def _check(self, what: str) -> None:
        # A start that fails ends the master. A reload that fails leaves it as it was, but it tries to bind an address
        # that is taken for 2.5 s and may succeed, so those complaints alone decide nothing.
        refused = [complaint for complaint in self._complaints if not complaint.startswith("bind() to")]
        if self.running and not (what == "reload" and refused):
            return
        _raise_for_address(self._complaints)
        said = "; ".join(refused) or f"it ended with status {self._master and self._master.returncode}"
        raise NginxError(f"nginx could not {what}: {said}")

    def _signal(self, number: signal.Signals) -> None:
        if self._master and self._master.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._master.send_signal(number)

    async def _gone(self, limit: float) -> bool:
        if self._master is None:
            return True
        try:
            async with asyncio.timeout(limit):
                await self._master.wait()
        except TimeoutError:
            return False
        return True

    async def _kill_group(self) -> None:
        """Kill whoever is left: workers outlive a master that was killed, and hold its addresses."""
        if self._group:
            await _kill(self._group)
        if self._group and not self.running:
            _reap(self._group)
        self._group = 0  # from now on the number may be another's


async def _kill(group: int) -> None:
    while ports.group_members(group):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        await asyncio.sleep(LOOK)


def _reap(group: int) -> None:
    """Take the statuses of orphaned workers: where we are the first process of a container, nobody else does."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass


def _prepare(parent: int) -> None:
    """Let this process open as many files as it may, and die with its parent (prctl(2), PR_SET_PDEATHSIG).

    Most systems begin with 1,024 files, of which each request that is passed on takes two, and leave it to the program
    to ask for more.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # a line of more than 64 kB, of which the rest follows
        return b"[warn] a very long line\n"


def _parsed(line: bytes | str) -> tuple[str, str]:
    text = (line.decode(errors="replace") if isinstance(line, bytes) else line).strip()
    found = _LINE.match(text)
    return (found["level"], found["text"]) if found else ("", text.removeprefix("nginx: "))


def _raise_for_address(complaints: Iterable[str]) -> None:
    for complaint in complaints:
        if found := _TAKEN.search(complaint):
            raise taken(found["address"])
        if forbidden := _FORBIDDEN.search(complaint):
            raise AddressTakenError(
                f"not allowed to listen at {forbidden['address']}: ports below 1024 need root or CAP_NET_BIND_SERVICE"
            )
