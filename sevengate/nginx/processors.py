"""How many processors a process may really use: what NGINX's `worker_processes auto` does not ask.

It gives the processors that the scheduler lets us run on, or what the cgroup's quota comes to if that is less: a
container that may use two of a node's 64 must not have 64 workers, each with its memory. The files are those of
https://docs.kernel.org/admin-guide/cgroup-v2.html and of version 1.
"""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OURS: Final = Path("/proc/self/cgroup")


def processors(cgroups: Path = _CGROUPS, ours: Path = _OURS) -> int:
    """Give the number, at least 1."""
    allowed = len(os.sched_getaffinity(0))
    return max(1, min([allowed, *(ceil(share) for share in _shares(cgroups, ours))]))


def _shares(cgroups: Path, ours: Path) -> Iterator[float]:
    """Give what each quota above us allows, in processors."""
    for line in _text(ours).splitlines():
        _, controllers, path = line.split(":", 2)
        is_first_version = "cpu" in controllers.split(",")
        if controllers and not is_first_version:
            continue
        # In a container the path may be one that only the host can see; then the root is ours.
        root = cgroups / "cpu" if is_first_version else cgroups
        for folder in (root, *_down(root, path)):
            quota, _, period = _quota(folder).partition(" ")
            if quota.isdecimal() and period.isdecimal() and int(period):
                yield int(quota) / int(period)


def _down(root: Path, path: str) -> Iterator[Path]:
    folder = root
    for name in path.strip("/").split("/"):
        folder /= name
        yield folder


def _quota(folder: Path) -> str:
    """Give `quota period` in microseconds; the quota is `max` or -1 where there is none."""
    return _text(folder / "cpu.max") or f"{_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}"


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
