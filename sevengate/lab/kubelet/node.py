"""One node of the lab: what it says of itself to the API server, and what it gives to its pods.

Takes the Machine and the Workplace; registers a Node with its addresses, labels and conditions,
renews its Lease, and finds objects and tokens for pods. Which pods run on it is decided by the scheduler and carried
out by `kubelet`. Source: Kubernetes, "Nodes", "Node Status", "Leases".
"""

import asyncio
import logging
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from sevengate import __version__
from sevengate.cluster.errors import ClusterError, ConflictError, NotFoundError
from sevengate.cluster.resources import CONFIG_MAPS, ENDPOINT_SLICES, LEASES, NODES, PODS, SECRETS, SERVICES
from sevengate.lab.kubelet.machine import Machine
from sevengate.lab.kubelet.names import Known, service_of
from sevengate.lab.kubelet.volumes import TokenWish
from sevengate.lab.mirror import Object
from sevengate.lab.recorder import Recorder
from sevengate.lab.resources import SERVICE_ACCOUNTS
from sevengate.lab.workplace import Workplace

log = logging.getLogger("sevengate.lab")

KUBELET_PORT: Final = 10250
#: Pods that a node takes; more than a real one's 110, because most of a lab's pods have no process.
CAPACITY: Final = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "2000"}
#: Seconds between two signs of life, and after which a node that gives none counts as lost.
HEARTBEAT: Final = 10.0
LEASE_SECONDS: Final = 40
_LEASES_IN: Final = "kube-node-lease"
_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


class Node:
    """A node of the plan."""

    def __init__(self, name: str, machine: Machine, work: Workplace) -> None:
        self.name = name
        self.machine = machine
        self.address = machine.plan.node_address(name)
        self.folder = machine.folder / "nodes" / name
        self.writer = work.writer
        self.recorder = Recorder(work.client, "kubelet", name)
        self._work = work
        self._mirrors = work.mirrors
        self._services = work.mirrors.of(SERVICES).index(lambda one: [one["metadata"]["namespace"]])
        self._slices = work.mirrors.of(ENDPOINT_SLICES).index(service_of)

    # --- what pods ask for

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """Give a ConfigMap or Secret, None if there is none."""
        resource = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}[kind]
        return self._mirrors.of(resource).objects.get(f"{namespace}/{name}")

    async def account_of(self, pod: Object) -> Object | None:
        """Give the ServiceAccount of a pod; None if there is no `default`, NotFoundError if there is no other one."""
        name = pod["spec"].get("serviceAccountName") or "default"
        try:
            answer = await self._work.client.get(SERVICE_ACCOUNTS.path(pod["metadata"]["namespace"], name))
        except NotFoundError:
            if name != "default":
                raise
            return None
        account: Object = msgspec.json.decode(answer)
        return account

    def services_for(self, pod: Object) -> Iterator[Object]:
        """Give the Services that a pod is told of, with the ports that are really listened on; the API's own first.

        Pods are led to the API server directly and not over its Service, so that they need no kube-proxy for it.
        """
        parts = urlsplit(self._work.client.server)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield _service("kubernetes", parts.hostname or "", [{"name": "https", "port": port}])
        if pod["spec"].get("enableServiceLinks") is False:
            return
        for service in self._services.find(pod["metadata"]["namespace"]):
            name, spec = service["metadata"]["name"], service["spec"]
            if name != "kubernetes":
                moved = [{**one, "port": self.machine.plan.port(one["port"])} for one in spec.get("ports") or ()]
                yield _service(name, spec.get("clusterIP") or "", moved)

    @property
    def known(self) -> Known:
        """What has a name in the cluster."""
        return Known(self._mirrors.of(SERVICES).objects, self._slices.find)

    async def token(self, pod: Object, wish: TokenWish) -> str:
        """Ask for a token of a pod's service account."""
        metadata = pod["metadata"]
        name = pod["spec"].get("serviceAccountName") or "default"
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {
            "audiences": [wish.audience] if wish.audience else [],
            "expirationSeconds": wish.seconds,
            "boundObjectRef": bound,
        }
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = SERVICE_ACCOUNTS.path(metadata["namespace"], name, "token")
        answer: Object = msgspec.json.decode(await self._work.client.create(path, request))
        return str(answer["status"]["token"])

    async def remove(self, pod: Object) -> None:
        """Tell the API server that a deleted pod has ended, until it has heard."""
        while True:
            try:
                await self.writer.delete(PODS, pod, grace=0)
            except ConflictError:
                log.debug("another pod has taken the name of %s", pod["metadata"]["name"])
            except ClusterError as error:
                log.warning("pod %s has ended and cannot be removed yet: %s", pod["metadata"]["name"], error)
                await asyncio.sleep(1)
                continue
            return

    # --- what the node says of itself

    async def register(self) -> None:
        """Make the Node if it is not there, and say that it is ready."""
        node = {"metadata": {"name": self.name, "labels": self._labels()}, "spec": self._spec()}
        try:
            await self.writer.create(NODES, node)
        except ConflictError:
            await self.writer.merge(NODES, node, {"metadata": {"labels": self._labels()}})
        await self.say_ready()

    async def say_ready(self) -> None:
        """Write the Node's status."""
        status = {
            "addresses": [
                {"type": "InternalIP", "address": self.address},
                {"type": "Hostname", "address": self.name},
            ],
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "conditions": list(_conditions()),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": self._info(),
        }
        await self.writer.merge(NODES, {"metadata": {"name": self.name}}, {"status": status}, "status")

    async def beat(self) -> None:
        """Renew the Lease and the status, until cancelled."""
        count = 0
        while True:
            try:
                await self._renew()
                if count % 6 == 5:
                    await self.say_ready()
            except ClusterError as error:
                log.debug("node %s: no sign of life: %s", self.name, error)
            count += 1
            await asyncio.sleep(HEARTBEAT)

    async def _renew(self) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        lease: Object = {"metadata": {"name": self.name, "namespace": _LEASES_IN}, "spec": spec}
        try:
            await self.writer.merge(LEASES, lease, {"spec": spec})
        except NotFoundError:
            await self.writer.create(LEASES, lease)

    def _labels(self) -> dict[str, str]:
        machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": machine}
        if self._is_control_plane:
            labels |= {_CONTROL_PLANE: "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
        return labels

    def _spec(self) -> Object:
        network = str(self.machine.plan.pod_network(self.name))
        spec: Object = {"podCIDR": network, "podCIDRs": [network]}
        if self._is_control_plane:
            spec["taints"] = [{"key": _CONTROL_PLANE, "effect": "NoSchedule"}]
        return spec

    @property
    def _is_control_plane(self) -> bool:
        return self.name.startswith("master")

    def _info(self) -> dict[str, str]:
        system = Path("/etc/os-release")
        lines = system.read_text(encoding="utf-8").splitlines() if system.is_file() else []
        named = dict(line.split("=", 1) for line in lines if "=" in line)
        return {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "bootID": "",
            "containerRuntimeVersion": f"sevengate-lab://{__version__}",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": f"v1.37.0+sevengate-lab-{__version__}",
            "machineID": self.name,
            "operatingSystem": "linux",
            "osImage": named.get("PRETTY_NAME", "Linux").strip('"'),
            "systemUUID": self.name,
        }


def _service(name: str, address: str, ports: list[Object]) -> Object:
    return {"metadata": {"name": name}, "spec": {"clusterIP": address, "ports": ports}}


def _conditions() -> Iterator[Object]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {
        "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
    }
    for kind, (status, reason, message) in facts.items():
        times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
        yield {"type": kind, "status": status, "reason": reason, "message": message, **times}
