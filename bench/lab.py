"""Question (i): how long a lab takes to become a cluster of 2,000 Ingresses, 500 Services and 2,000 pods.

The lab is a whole one in a process of its own, with nodes, controllers and kube-proxy, on addresses that no other lab
has. Its pods have addresses and no process. They are loaded by `sevengate lab load`; the cluster is there when every
pod is a ready endpoint of its Service.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.answers import Answer, Bar, Figure
from bench.cluster import Plain
from bench.gauges import cpu_seconds_of_threads, memory
from bench.peers import BenchError
from bench.scale import Scale
from sevengate.cluster.client import Client
from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.cluster.resources import ENDPOINT_SLICES
from sevengate.lab.addresses import LOOPBACK
from sevengate.lab.home import Home
from sevengate.lab.mirror import Mirrors, Object
from sevengate.lab.serving import Wish, serving_lab

QUESTION: Final = (
    "2,000 Ingresses, 500 Services and 2,000 pods that have addresses but no process, loaded into a lab by `sevengate "
    "lab load`: time until all objects are there, and until every pod is a ready endpoint of its Service."
)
#: Seconds after which something is not slow but broken.
LIMIT: Final = 120.0
PODS_OF_A_SERVICE: Final = 4
_PLAN: Final = LOOPBACK.shifted(60)


def answer(scale: Scale) -> Answer:
    """Start a lab, and load it."""
    pods = scale.hosts // 5
    with tempfile.TemporaryDirectory() as folder, _lab(Path(folder)) as lab:
        manifests = Path(folder) / "manifests.json"
        manifests.write_bytes(b"\n---\n".join(map(msgspec.json.encode, _objects(pods))))
        before = cpu_seconds_of_threads(lab.pid)
        there, ready = asyncio.run(_load(Path(folder), manifests, pods))
        cpu, used = cpu_seconds_of_threads(lab.pid) - before, memory(lab.pid)
    return Answer(
        (
            Figure("all objects are there", there, "s"),
            Figure("every pod is a ready endpoint", ready, "s", Bar(15)),
            Figure("the lab's CPU time", cpu, "s"),
            Figure("the lab's memory", used["Rss"], "MiB"),
        ),
        (f"{pods:,} Ingresses, {pods // PODS_OF_A_SERVICE:,} Services, {pods:,} pods; one run.",),
    )


@contextmanager
def _lab(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    # What it says goes into a file: a pipe that nobody reads would stop it once it is full.
    said = folder / "said.log"
    command = [sys.executable, "-m", "bench.lab", str(folder)]
    with said.open("wb") as log, subprocess.Popen(command, stderr=log) as lab:
        try:
            deadline = time.monotonic() + LIMIT
            while not Home(folder).kubeconfig.is_file():
                if lab.poll() is not None or time.monotonic() > deadline:
                    raise BenchError(f"the lab did not come up: {said.read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.05)
            yield lab
        finally:
            # It ends its own processes, which a signal that kills would leave behind.
            lab.send_signal(signal.SIGINT)


async def _load(folder: Path, manifests: Path, pods: int) -> tuple[float, float]:
    """Give the seconds until all was loaded, and until all was ready."""
    access = load_kubeconfig([Home(folder).kubeconfig])
    async with Client(access) as client, Mirrors(client) as mirrors, asyncio.timeout(LIMIT):
        slices = mirrors.of(ENDPOINT_SLICES)
        await mirrors.synced()
        start = time.monotonic()
        command = [sys.executable, "-m", "sevengate", "lab", "load", "--folder", str(folder), str(manifests)]
        loading = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
        if await loading.wait():
            raise BenchError("the manifests could not be loaded")
        there = time.monotonic() - start
        changed = asyncio.Event()
        slices.subscribe(lambda _: changed.set())
        while _ready(slices.objects) < pods:
            await changed.wait()
            changed.clear()
        return there, time.monotonic() - start


def _ready(slices: Mapping[str, Object]) -> int:
    """Count the ready endpoints of pods."""
    return sum(
        bool(endpoint["conditions"].get("ready")) and "targetRef" in endpoint
        for one in slices.values()
        for endpoint in one.get("endpoints") or ()
    )


def _objects(pods: int) -> Iterator[Plain]:
    services = pods // PODS_OF_A_SERVICE
    for number in range(services):
        spec = {"selector": {"app": f"app-{number}"}, "ports": [{"port": 80, "targetPort": 8080}]}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"service-{number}"}, "spec": spec}
    for number in range(pods):
        metadata = {
            "name": f"pod-{number}",
            "labels": {"app": f"app-{number % services}"},
            "annotations": {"lab.sevengate.io/process": "none"},
        }
        spec = {"containers": [{"name": "web", "image": "nginx:1.27"}]}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    for number in range(pods):
        backend = {"service": {"name": f"service-{number % services}", "port": {"number": 80}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        rule = {"host": f"host-{number}.example.com", "http": {"paths": [path]}}
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": f"ingress-{number}"},
            "spec": {"ingressClassName": "nginx", "rules": [rule]},
        }


async def _serve(folder: Path) -> None:
    async with serving_lab(Wish(plan=_PLAN, port=0), Home(folder)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
