"""A Deployment of ten pods is replaced pod by pod under load, and no request fails."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sevengate.cluster.resources import ENDPOINT_SLICES, INGRESSES, SERVICES
from sevengate.lab.apiserver.running import RunningApi
from sevengate.lab.cluster import controlling
from sevengate.lab.kubelet import kubelet
from sevengate.lab.workplace import workplace
from tests.backends import EchoBackends
from tests.contract.clusters import Place, play
from tests.contract.objects import CLASS, endpoint_slice, ingress, service
from tests.lab.apiserver.serving import in_thread
from tests.lab.clients import access_to
from tests.lab.kubectl import Kubectl
from tests.lab.plans import own_plan
from tests.load import Load
from tests.pair import Pair
from tests.spawned import soon
from tests.test_run_cluster import Running, gate
from tests.waiting import until

PODS = 10


class Rollout:
    """Pods as the endpoints controller sees them: each on an address of its own, all on one port."""

    def __init__(self, place: Place, backends: EchoBackends) -> None:
        self._place, self._backends = place, backends
        self._endpoints: dict[str, dict[str, Any]] = {}
        self._port = self._started = 0

    async def begin(self, *names: str) -> None:
        """Make the Service with pods that are ready."""
        for name in names:
            self._start(name)
            self._endpoints[name]["conditions"] = conditions(ready=True)
        await self._place.create(SERVICES, service("shop"))
        plain = endpoint_slice("shop", port=self._port)
        await self._place.create(ENDPOINT_SLICES, {**plain, "endpoints": list(self._endpoints.values())})

    async def start(self, name: str) -> None:
        """Start a pod; it is not ready before its probe says so."""
        self._start(name)
        await self._write()

    async def become_ready(self, name: str) -> None:
        self._endpoints[name]["conditions"] = conditions(ready=True)
        await self._write()

    async def delete(self, name: str) -> None:
        """Say that a pod is terminating, and let it go without waiting for anybody: kubelets do not."""
        self._endpoints[name]["conditions"] = conditions(ready=False, terminating=True)
        await self._write()
        await asyncio.to_thread(self._backends.stop, name)
        del self._endpoints[name]
        await self._write()

    async def terminate(self, name: str) -> None:
        """Say that a pod is terminating, while it still serves."""
        self._endpoints[name]["conditions"] = conditions(ready=False, terminating=True)
        await self._write()

    def _start(self, name: str) -> None:
        self._started += 1
        place = self._backends.start(name, f"127.0.20.{self._started}", self._port)
        self._port = place.port
        self._endpoints[name] = {"addresses": [place.address], "conditions": conditions(ready=False)}

    async def _write(self) -> None:
        await self._place.merge(ENDPOINT_SLICES, "shop-1", {"endpoints": list(self._endpoints.values())})


def conditions(*, ready: bool, terminating: bool = False) -> dict[str, bool]:
    return {"ready": ready, "serving": ready or terminating, "terminating": terminating}


def flags(place: Place) -> tuple[str, ...]:
    place.require_lab()
    return "--kubeconfig", str(place.kubeconfig), "--watch-namespace", place.namespace, "--ingress-class", CLASS


async def name_of(running: Running) -> str:
    name: str = (await running.get("shop.example")).json["name"]
    return name


def test_no_request_fails_while_all_pods_are_replaced(backends: EchoBackends, temporary: str) -> None:
    async def scenario(place: Place) -> None:
        rollout = Rollout(place, backends)
        await rollout.begin(*(f"old-{number}" for number in range(PODS)))
        await place.create(INGRESSES, ingress("shop"))
        async with gate(temporary, *flags(place)) as running:
            await until(lambda: running.serves("shop.example"))
            with Load(running.http, "shop.example") as load:
                for number in range(PODS):
                    await rollout.start(f"new-{number}")
                    await asyncio.to_thread(load.go_on, 20)
                    await rollout.become_ready(f"new-{number}")
                    await rollout.delete(f"old-{number}")
                    await asyncio.to_thread(load.go_on, 50)
                await until(lambda: all(load.names[f"new-{number}"] for number in range(PODS)))
            assert load.broken == []
            assert load.answers.keys() == {200}
            assert running.said("reloaded") == 0

    play(scenario)


def test_terminating_pods_serve_only_where_nobody_else_does(backends: EchoBackends, temporary: str) -> None:
    async def scenario(place: Place) -> None:
        rollout = Rollout(place, backends)
        await rollout.begin("one", "two")
        await place.create(INGRESSES, ingress("shop"))
        async with gate(temporary, *flags(place)) as running:
            await until(lambda: running.serves("shop.example"))
            await rollout.terminate("one")
            await rollout.start("three")  # which marks the point at which the change was seen
            await rollout.become_ready("three")
            await until(lambda: is_served_by(running, {"two", "three"}))
            await rollout.terminate("two")
            await rollout.terminate("three")
            await until(lambda: is_served_by(running, {"one", "two", "three"}))

    play(scenario)


async def is_served_by(running: Running, names: set[str]) -> bool:
    return {await name_of(running) for _ in range(12)} == names


# --- with pods that are processes


@contextmanager
def lab(folder: Path) -> Iterator[Path]:
    """Run a cluster whose Deployments become processes; give its kubeconfig."""
    with own_plan() as plan:

        async def beside(running: RunningApi) -> None:
            async with workplace(access_to(running), plan) as work, controlling(work):
                await kubelet.run(work, folder / "kubelet")

        with in_thread(plan=plan, beside=beside) as running:
            (folder / "kubeconfig").write_text(running.kubeconfig(), encoding="utf-8")
            yield folder / "kubeconfig"


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 10
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: web
        image: nginx:1.25
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
"""


def test_no_request_fails_while_a_deployment_of_processes_is_rolled_out(pair: Pair, tmp_path: Path) -> None:
    with lab(tmp_path) as kubeconfig:
        (tmp_path / "shop.yaml").write_text(DEPLOYMENT)
        kubectl = Kubectl(kubeconfig.read_text(), tmp_path, "shop")
        kubectl.must(f"apply -f {tmp_path}/shop.yaml")
        kubectl.must("rollout status deployment shop --timeout=60s")
        dataplane = pair.dataplane()
        controller = pair.controller("--kubeconfig", str(kubeconfig), "--update-status=false")
        soon(lambda: pair.status_of("shop.example") == 200)
        with Load(pair.http, "shop.example", clients=4, pause=0.002) as load:
            load.go_on(100)
            kubectl.must("set image deployment shop web=nginx:1.26")
            kubectl.must("rollout status deployment shop --timeout=60s")
            load.go_on(100)
        assert load.broken == []
        assert load.answers.keys() == {200}
        assert controller.said("is live") > 2
        assert controller.said("reloaded") == dataplane.said("started again") == 0
