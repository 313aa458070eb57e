"""Reads from /proc what the processes of one NGINX use: CPU time, memory, storage.

It takes the process group that a supervisor knows and gives a Usage, all zeros where no process is left. Workers that
ended count too: the kernel adds their CPU time to that of the master when it takes note of their end.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from sevengate.nginx.ports import group_members

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Usage(msgspec.Struct, frozen=True):
    """What processes use together; the fields are named as their metrics end."""

    num_procs: int = 0
    cpu_seconds_total: float = 0.0
    read_bytes_total: int = 0
    write_bytes_total: int = 0
    resident_memory_bytes: int = 0
    virtual_memory_bytes: int = 0
    oldest_start_time_seconds: float = 0.0


class _Process(msgspec.Struct, frozen=True):
    cpu: float
    started: float
    virtual: int
    resident: int
    read: int
    written: int


def usage(group: int) -> Usage:
    """Give what the living processes of a group use."""
    found = [process for member in group_members(group) for process in _look_at(_PROC / str(member.pid), group)]
    if not found:
        return Usage()
    return Usage(
        num_procs=len(found),
        cpu_seconds_total=sum(process.cpu for process in found),
        read_bytes_total=sum(process.read for process in found),
        write_bytes_total=sum(process.written for process in found),
        resident_memory_bytes=sum(process.resident for process in found),
        virtual_memory_bytes=sum(process.virtual for process in found),
        oldest_start_time_seconds=_booted() + min(process.started for process in found),
    )


def _look_at(entry: Path, group: int) -> Iterator[_Process]:
    """Give a process, if it is still there."""
    try:
        # proc_pid_stat(5): the fields behind the name, from the third one on
        fields = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return
    own, of_children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    is_master = int(entry.name) == group
    yield _Process(
        cpu=(own + (of_children if is_master else 0)) / _TICKS,
        started=int(fields[19]) / _TICKS,
        virtual=int(fields[20]),
        resident=int(fields[21]) * _PAGE,
        read=_io(entry, "read_bytes"),
        written=_io(entry, "write_bytes"),
    )


def _io(entry: Path, name: str) -> int:
    """Give a number of /proc/PID/io, 0 where another user's process hides it."""
    try:
        lines = (entry / "io").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.partition(":")[2]) for line in lines if line.startswith(f"{name}:")), 0)


def _booted() -> float:
    lines = (_PROC / "stat").read_text("ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("btime "))
