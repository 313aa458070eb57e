"""Each way to install it, carried out in the lab: real helm and kubectl, and a request by the way that it promises."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sevengate.lab.addresses import Plan
from tests.asking import ask
from tests.deploy.helm import CHART, HELM, ROOT, needs_helm
from tests.lab.plans import own_plan
from tests.waiting import LIMIT, until_sync

KUBECTL = Path(sys.executable).with_name("kubectl")
NAMESPACE = "sevengate"
FIRST = "jsonpath={.status.loadBalancer.ingress[0].ip}"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
"""

pytestmark = [
    needs_helm,
    pytest.mark.skipif(os.geteuid() != 0, reason="the manifests listen at ports 80 and 443, which takes root"),
]


class Lab:
    """A lab that runs beside this test, and kubectl and helm for it."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder

    def run(self, *command: str | Path, given: str = "", succeeds: bool = True) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig"), "HOME": str(self.folder)}
        done = subprocess.run(
            [str(word) for word in command], input=given, capture_output=True, text=True, check=False, env=environment
        )
        assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kubectl(self, *words: str, given: str = "", succeeds: bool = True) -> str:
        return self.run(KUBECTL, *words, given=given, succeeds=succeeds)

    def helm(self, *words: str | Path) -> str:
        return self.run(HELM, *words, "--namespace", NAMESPACE)

    def serves(self, address: str, port: int) -> bool:
        with suppress(OSError):
            return b"nginx" in ask(port, "shop.example", address=address).body
        return False


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with two web servers in it."""
    with own_plan() as plan, tempfile.TemporaryDirectory(prefix="sg-") as parent:
        folder, shift = Path(parent, "lab"), plan.name.rpartition("-")[2]
        control = [sys.executable, "-m", "sevengate", "lab"]
        up = ["up", "--detach", "--port", "0", "--shift", shift, "--folder", str(folder)]
        subprocess.run([*control, *up], check=True, capture_output=True, cwd=ROOT)
        try:
            lab = Lab(plan, folder)
            lab.kubectl("apply", "--filename", "-", given=WEB)
            lab.kubectl("label", "node", "node01", "ingress=true")
            yield lab
        finally:
            subprocess.run([*control, "down", "--folder", str(folder)], check=True, capture_output=True, cwd=ROOT)


def way_in(lab: Lab, mode: str) -> tuple[str, int]:
    """Give the address and the port that a way of installing promises."""
    if mode == "node-port":
        return lab.plan.node_address("node02"), 30080
    if mode == "host-network":
        return lab.plan.node_address("node01"), 80
    return lab.kubectl("get", "service", "sevengate-controller", "--namespace", NAMESPACE, "--output", FIRST), 80


@pytest.mark.parametrize("mode", ["load-balancer", "node-port", "host-network"])
def test_a_request_takes_the_way_that_was_installed(lab: Lab, mode: str) -> None:
    lab.kubectl("apply", "--filename", "-", given=INGRESS.replace("NAME", "shop"))
    values = ("--values", ROOT / "deploy" / "modes" / f"{mode}.yaml")
    # A Lease that the installation before has left is not waited for.
    quick = ("--set", "controller.shutdownGracePeriod=0,controller.electionTTL=3s", "--timeout", "60s")
    lab.helm("install", "sevengate", CHART, "--create-namespace", "--wait", *values, *quick)
    address, port = way_in(lab, mode)
    until_sync(lambda: lab.serves(address, port), 2 * LIMIT)
    published = {lab.plan.node_address(name) for name in ("node01", "node02")} if mode != "load-balancer" else {address}
    until_sync(lambda: lab.kubectl("get", "ingress", "shop", "--output", FIRST) in published, 2 * LIMIT)
    refused = lab.kubectl("apply", "--filename", "-", given=INGRESS.replace("NAME", "late"), succeeds=False)
    assert "already belongs to Ingress default/shop" in refused
    lab.helm("uninstall", "sevengate", "--wait")
    lab.kubectl("delete", "ingress", "shop")
