"""Reads from /proc who listens at an address, who holds a socket, and which processes belong together.

process.py asks here when NGINX says that an address is taken, and to know its own workers; outside of Linux, or where
/proc hides other users' processes, the answer is "unknown" and nothing fails. Nothing is opened or signalled here.
"""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"  # TCP_LISTEN in the column `st` of /proc/net/tcp
_STAT = re.compile(r"(\d+) \(.*\) (\S) (\d+) (\d+)", re.DOTALL)


class Process(msgspec.Struct, frozen=True):
    """A process as /proc shows it; `title` is its command line, which NGINX's workers rewrite."""

    pid: int
    state: str
    parent: int
    group: int

    @property
    def alive(self) -> bool:
        """Whether it still runs: a zombie holds nothing any more."""
        return self.state not in "ZX"

    @property
    def title(self) -> str:
        """The command line, "" if the process is gone."""
        return _read(_PROC / str(self.pid) / "cmdline").replace("\0", " ").strip()


def group_members(group: int) -> tuple[Process, ...]:
    """Give the living processes of a process group."""
    return tuple(process for process in _processes() if process.group == group and process.alive)


def listener(address: str, port: int) -> str:
    """Say who listens at an address: `nginx (pid 123)`, or "" where that cannot be told."""
    inodes = {inode for ip, number, inode in _sockets() if number == port and _overlap(ip, address)}
    for process in _processes():
        if inodes and not inodes.isdisjoint(_open_sockets(process.pid)):
            name = _read(_PROC / str(process.pid) / "comm").strip()
            return f"{name} (pid {process.pid})"
    return ""


def holders(path: Path) -> tuple[Process, ...]:
    """Give the NGINX processes that hold a unix socket bound to a path, as far as we may look into them."""
    lines = (line.split(maxsplit=7) for line in _read(_PROC / "net" / "unix").splitlines()[1:])
    inodes = {fields[6] for fields in lines if fields[7:] == [str(path)]}
    return tuple(
        process
        for process in (_processes() if inodes else ())
        if _read(_PROC / str(process.pid) / "comm").strip() == "nginx"
        and not inodes.isdisjoint(_open_sockets(process.pid))
    )


def _processes() -> Iterator[Process]:
    for entry in _PROC.glob("[0-9]*"):
        found = _STAT.match(_read(entry / "stat"))
        if found:
            yield Process(int(found[1]), found[2], int(found[3]), int(found[4]))


def _sockets() -> Iterator[tuple[str, int, str]]:
    for name in ("tcp", "tcp6"):
        for line in _read(_PROC / "net" / name).splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING:
                host, _, port = fields[1].partition(":")
                yield _address(host), int(port, 16), fields[9]


def _address(text: str) -> str:
    # Each group of 8 hex digits is a 32-bit word in the machine's byte order.
    words = (bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(words)))


def _overlap(one: str, other: str) -> bool:
    wild = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return one == other or one in wild or other in wild


def _open_sockets(pid: int) -> set[str]:
    try:
        links = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:  # gone, or another user's
        return set()
    targets = (_target(link) for link in links)
    return {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed in the meantime
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
