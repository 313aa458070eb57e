"""What all nodes of a lab share: the machine that they are on, and what it allows.

Found out once at the start: how processes can be isolated, which programs are there, and where files may lie.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Final

import msgspec

from sevengate.lab.addresses import Plan
from sevengate.lab.kubelet.images import Tools
from sevengate.lab.kubelet.sandbox import Isolation, find_isolation, sweep

_SEARCHED: Final = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"

#: What to say where a pod cannot have files of its own.
NO_ISOLATION: Final = (
    "this machine lets the lab make no namespaces (it takes root, or unprivileged user namespaces), so pods see the "
    "machine's own files: volumes are not mounted, and `kubectl exec` is refused"
)


class Machine(msgspec.Struct, frozen=True):
    """Where pods run."""

    plan: Plan
    folder: Path
    isolation: Isolation
    tools: Tools

    @property
    def notes(self) -> Path:
        """Where running processes are noted."""
        return self.folder / "processes"


async def find_machine(plan: Plan, folder: Path, isolation: Isolation | None = None) -> Machine:
    """Look what this machine allows, after ending what another kubelet has left in the folder.

    `isolation` says that less is wanted than would be allowed.
    """
    folder = await asyncio.to_thread(_swept, folder)
    nginx = shutil.which("nginx") or shutil.which("nginx", path=_SEARCHED) or ""
    return Machine(plan, folder, isolation or await find_isolation(folder), Tools(nginx=nginx))


def _swept(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(folder / "processes")
    shutil.rmtree(folder / "pods", ignore_errors=True)
    return folder.resolve()
