"""A lab's API server with nodes, in a thread, and real kubectl for it."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sevengate.lab.addresses import Plan
from sevengate.lab.apiserver.running import RunningApi
from sevengate.lab.kubelet import kubelet
from sevengate.lab.kubelet.sandbox import Isolation
from sevengate.lab.proxy import proxy
from sevengate.lab.workplace import workplace
from tests.lab.apiserver.serving import in_thread
from tests.lab.clients import access_to
from tests.lab.plans import own_plan

Object = dict[str, Any]
KUBECTL = os.environ.get("KUBECTL") or str(Path(sys.executable).with_name("kubectl"))
LIMIT = 30.0


class Nodes:
    """A cluster whose pods run, and kubectl."""

    def __init__(self, running: RunningApi, plan: Plan, folder: Path) -> None:
        self.running = running
        self.plan = plan
        self.folder = folder
        self._home = folder / "home"
        self._home.mkdir()
        #: What is left of the lab's files after its end.
        self.left: list[str] = []
        (self._home / "kubeconfig").write_text(running.kubeconfig(), encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        return [KUBECTL, *words]

    @property
    def environment(self) -> dict[str, str]:
        own = {"KUBECONFIG": str(self._home / "kubeconfig"), "KUBECACHEDIR": str(self._home / "cache")}
        return {"PATH": os.environ["PATH"], "HOME": str(self._home), **own}

    def kubectl(self, *words: str, given: str = "", fails: bool = False) -> str:
        """Run kubectl and give what it says; its errors too where it must fail."""
        run = subprocess.run(
            self.command(*words),
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if fails else subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        assert bool(run.returncode) == fails, (words, run.stdout, run.stderr)
        return run.stdout

    def apply(self, *things: Object) -> None:
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(things))

    def get(self, kind: str, name: str) -> Object:
        found: Object = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def address(self, pod: str) -> str:
        return str(self.get("pod", pod)["status"]["podIP"])

    def until(self, pod: str, reached: Callable[[Object], object]) -> Object:
        """Wait until a pod is as it should be."""
        found: Object = self.until_true(lambda: thing if reached(thing := self.get("pod", pod)) else None)
        return found

    def until_true(self, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + LIMIT
        while not (found := look()):
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.05)
        return found

    def until_ready(self, *pods: str) -> None:
        self.kubectl("wait", "--for=condition=Ready", f"--timeout={LIMIT:.0f}s", *(f"pod/{pod}" for pod in pods))

    def events(self, pod: str) -> str:
        return self.kubectl("events", "--for", f"pod/{pod}")


def pod(name: str, image: str = "nginx:1.25", node: str = "node01", **container: Any) -> Object:
    """Make a Pod of one container; `spec` and `annotations` are put into the pod."""
    spec, annotations = container.pop("spec", {}), container.pop("annotations", {})
    containers = [{"name": "web", "image": image, **container}]
    metadata = {"name": name, "labels": {"app": name}, "annotations": annotations}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 3, "containers": containers, **spec},
    }


def shell(name: str, script: str, **more: Any) -> Object:
    """Make a Pod that runs a script."""
    return pod(name, "busybox", command=["sh", "-c", script], **more)


def state(thing: Object) -> Object:
    """Give the state of a pod's first container."""
    statuses = thing["status"].get("containerStatuses") or [{"state": {}}]
    found: Object = statuses[0]["state"]
    return found


def waits_for(*reasons: str) -> Callable[[Object], bool]:
    return lambda thing: state(thing).get("waiting", {}).get("reason") in reasons


@contextmanager
def running_nodes(
    *, has_proxy: bool = False, isolation: Isolation | None = None, port_shift: int = 0
) -> Iterator[Nodes]:
    """Run an API server and the kubelet of a plan's nodes; with `has_proxy`, Services are reached as well."""
    with own_plan() as claimed, tempfile.TemporaryDirectory() as name:
        plan = msgspec.structs.replace(claimed, port_shift=port_shift)

        async def beside(running: RunningApi) -> None:
            async with workplace(access_to(running), plan) as work, asyncio.TaskGroup() as tasks:
                tasks.create_task(kubelet.run(work, Path(name, "kubelet"), isolation))
                if has_proxy:
                    tasks.create_task(proxy.run(work, Path(name, "proxy")))

        with in_thread(plan=plan, beside=beside) as running:
            nodes = Nodes(running, plan, Path(name))
            nodes.until_true(lambda: nodes.kubectl("get", "nodes", "--no-headers").count("Ready") == 3)
            yield nodes
        nodes.left = [path.name for path in Path(name).iterdir() if path.name != "home"]


def noted(folder: Path) -> list[int]:
    """Give the processes that a kubelet has noted in its folder."""
    return [int(note.name) for note in (folder / "processes").glob("[0-9]*")]
