"""Two nodes share an address by keepalived; whichever way the one that holds it fails, requests go on.

Nodes are network namespaces. How long nobody answered is printed (`make failover` shows it) and kept as a property of
the test; it is asserted only that it ends.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.features.networks import Machine, Network, Program
from tests.waiting import LIMIT, until_sync

KEEPALIVED = shutil.which("keepalived", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
VIRTUAL = "10.77.0.100"
CLIENT = Path(__file__).with_name("steady_client.py")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or KEEPALIVED is None or shutil.which("ip") is None,
    reason="needs root to make network namespaces, and the Debian packages keepalived and iproute2",
)

MANIFEST = """
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
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [127.0.1.1]}]
"""


class Node:
    """A machine with both halves of a gate, keepalived, and a web server that answers with the node's name."""

    def __init__(self, machine: Machine, name: str, folder: Path) -> None:
        self.machine, self.name, self.folder = machine, name, folder
        self.manifest, pages = folder / "shop.yaml", folder / f"pages-{name}"
        pages.mkdir()
        (pages / "index.html").write_text(name, encoding="utf-8")
        self.manifest.write_text(MANIFEST, encoding="utf-8")
        machine.start(sys.executable, "-m", "http.server", "8080", "--bind", "127.0.1.1", "--directory", pages)
        self.start_gate()
        self.keepalived = self._start_keepalived()

    def start_gate(self) -> None:
        """Start both halves of the gate, as the two containers of a pod on the host's network."""
        common = ("--dataplane-directory", self.folder / f"gate-{self.name}", "--shutdown-grace-period", "30")
        self.dataplane = self._sevengate("dataplane", *common)
        self.controller = self._sevengate("controller", *common, self.manifest)

    def kill_gate(self) -> None:
        self.controller.kill()
        self.dataplane.kill()

    def end_gate(self) -> None:
        """Tell the gate to end, as an upgrade does."""
        self.controller.signal(signal.SIGTERM)
        self.dataplane.signal(signal.SIGTERM)

    def entered(self, state: str) -> int:
        """Say how often keepalived came into a state."""
        return self.keepalived.said(f"Entering {state} STATE")

    def _sevengate(self, *arguments: str | Path) -> Program:
        return self.machine.start(sys.executable, "-m", "sevengate", *arguments)

    def _start_keepalived(self) -> Program:
        vip = ("--vip", f"{VIRTUAL}/24", "--interface", "eth0", "--advert-interval", "0.2", "--priority", "250")
        conf = self.folder / f"{self.name}.conf"
        conf.write_text(self._sevengate("keepalived", *vip).output(), encoding="utf-8")
        pids = [f"--{kind}={self.folder}/{self.name}-{kind}" for kind in ("pid", "vrrp_pid")]
        flags = ["--dont-fork", "--log-console", "--log-detail", "--vrrp", *pids]
        return self.machine.start(str(KEEPALIVED), *flags, f"--use-file={conf}")


class Client:
    """Asks all the time, and knows who answered when."""

    def __init__(self, machine: Machine) -> None:
        self._program = machine.start(sys.executable, CLIENT, VIRTUAL, "0.01")

    def hears(self, name: str) -> bool:
        """Say whether the last answers all came from one node."""
        return [line.partition(" ")[2] for line in self._program.lines[-20:]] == [name] * 20

    def gap(self, before: str, after: str) -> tuple[float, int]:
        """Give the seconds from the last answer of one node to the first one of the other, and what failed between."""
        lines = [line.split(" ", 1) for line in self._program.lines]
        answers = [(float(when), who) for when, who in lines]
        last = max(when for when, who in answers if who == before)
        first = min(when for when, who in answers if who == after and when > last)
        return first - last, sum(last < when < first for when, _ in answers)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sevengate-") as name:
        yield Path(name)


@pytest.fixture
def network() -> Iterator[Network]:
    with Network.made() as network:
        yield network


def test_requests_go_on_whichever_way_the_node_that_holds_the_address_fails(
    network: Network, folder: Path, record_property: Callable[[str, object], None]
) -> None:
    def moves(what: str, holder: Node, other: Node) -> None:
        """Wait until the other node answers, and until the first would take over again where it still can."""
        until_sync(lambda: client.hears(other.name), 3 * LIMIT)
        gap, failed = client.gap(holder.name, other.name)
        record_property(what, f"{gap:.3f}")
        print(f"{what}: nobody answered for {gap:.2f} s, {failed} requests failed")

    def recovers(node: Node, holder: Node) -> None:
        backups = node.entered("BACKUP")
        node.start_gate()
        until_sync(lambda: node.entered("BACKUP") > backups, 3 * LIMIT)
        assert client.hears(holder.name), "the address moved back without need"

    a = Node(network.add("a", "10.77.0.1/24"), "a", folder)
    client = Client(network.add("client", "10.77.0.3/24"))
    until_sync(lambda: client.hears("a"), 3 * LIMIT)
    b = Node(network.add("b", "10.77.0.2/24"), "b", folder)
    until_sync(lambda: b.entered("BACKUP"), 3 * LIMIT)

    a.end_gate()
    moves("the gate is told to end", a, b)
    a.kill_gate()
    recovers(a, b)

    b.kill_gate()
    moves("the gate is killed", b, a)
    recovers(b, a)

    a.keepalived.kill()
    a.machine.unplug()
    moves("the node is gone", a, b)
