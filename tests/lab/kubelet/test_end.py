"""Nothing of a lab's pods is left: not after its end, and not after it was killed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from sevengate.cluster.client import Client
from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.cluster.resources import PODS
from sevengate.lab.kubelet.machine import find_machine
from tests.lab.kubelet.nodes import Nodes, noted, pod, running_nodes, shell
from tests.lab.plans import own_plan
from tests.waiting import until

#: Starts processes of its own, which end with it all the same.
PARENT = "sleep 1000 & setsid sleep 1000 & wait"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def family(pid: int) -> list[int]:
    """Give a process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def test_with_the_lab_end_its_processes_and_files() -> None:
    with running_nodes(has_proxy=True) as nodes:
        everything = begun(nodes)
    assert len(everything) > 6
    assert [pid for pid in everything if alive(pid)] == []
    assert nodes.left == []


def begun(nodes: Nodes) -> list[int]:
    nodes.apply(pod("web"), shell("parent", PARENT))
    nodes.until_ready("web", "parent")
    return [one for pid in noted(nodes.folder / "kubelet") for one in family(pid)]


#: A lab in a process of its own: the API server and the kubelet of a shifted plan.
LAB = """
import asyncio, sys
from pathlib import Path
from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.lab.addresses import LOOPBACK
from sevengate.lab.apiserver.running import serving_api
from sevengate.lab.kubelet import kubelet
from sevengate.lab.workplace import workplace

async def main(folder, octet):
    async with serving_api() as running:
        (folder / "kubeconfig").write_text(running.kubeconfig())
        async with workplace(load_kubeconfig([folder / "kubeconfig"]), LOOPBACK.shifted(octet)) as work:
            await kubelet.run(work, folder / "kubelet")

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_a_lab_that_is_killed_takes_its_processes_with_it_and_the_next_one_its_files(tmp_path: Path) -> None:
    with own_plan() as plan:
        lab = subprocess.Popen([sys.executable, "-c", LAB, tmp_path, plan.name.rpartition("-")[2]])
        asyncio.run(_killed(lab, tmp_path))
        assert list((tmp_path / "kubelet" / "pods").iterdir())
        asyncio.run(find_machine(plan, tmp_path / "kubelet"))
        assert noted(tmp_path / "kubelet") == []
        assert not (tmp_path / "kubelet" / "pods").exists()


async def _killed(lab: subprocess.Popen[bytes], folder: Path) -> None:
    kubeconfig = folder / "kubeconfig"
    await until(kubeconfig.exists)
    async with Client(load_kubeconfig([kubeconfig])) as client:
        await client.create(PODS.path("default"), pod("web"))
        await client.create(PODS.path("default"), shell("parent", PARENT))
        await until(lambda: len(noted(folder / "kubelet")) == 2)
        await until(lambda: min(len(family(pid)) for pid in noted(folder / "kubelet")) > 2)
        found = [family(pid) for pid in noted(folder / "kubelet")]
    lab.send_signal(signal.SIGKILL)
    lab.wait()
    await until(lambda: not any(alive(pid) for one in found for pid in one))
