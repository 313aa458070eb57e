"""The pod of a manifest, or of the chart, runs with the rights of its own ServiceAccount: enough, and none idle.

The manifest is applied to the lab's API server with kubectl; then both containers are started with the very arguments
of the manifest, but for ports and the directory, and the server notes who asks for what.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.calls import Call
from sevengate.lab.apiserver.faults import FaultRule, Faults
from sevengate.lab.apiserver.running import RunningApi, serving_api
from sevengate.lab.home import write_private
from tests.deploy.helm import CHART, ROOT, Objects, by_name, container, helm, needs_helm
from tests.spawned import Spawned, probe
from tests.waiting import LIMIT, free_port, until

KUBECTL = Path(sys.executable).with_name("kubectl")
NAMESPACE = "sevengate"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:sevengate"
#: Names that only serve to have a status to write, and an Event.
INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {
        "ingressClassName": "nginx",
        "defaultBackend": {"service": {"name": "missing", "port": {"number": 80}}},
    },
}
ADDRESS = "192.0.2.1"
NAMESPACES: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {"edge": "yes"}}},
    ],
}
NODE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-1"},
    "status": {"addresses": [{"type": "InternalIP", "address": ADDRESS}]},
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "gate-1", "namespace": NAMESPACE, "labels": {"app": "gate"}},
    "spec": {"nodeName": "node-1", "containers": [{"name": "controller", "image": "sevengate"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}

pytestmark = pytest.mark.skipif(not KUBECTL.is_file(), reason="there is no kubectl in .venv/bin; make test brings it")


class Right(msgspec.Struct, frozen=True):
    """A verb on a resource."""

    group: str
    resource: str
    verb: str


class Noting(Faults):
    """Lets nothing go wrong, and notes what an account was allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[Right] = set()

    def take(self, call: Call, header: str = "") -> FaultRule | None:
        if call.user.name == ACCOUNT:
            resource = "/".join(filter(None, (call.resource.plural, call.subresource)))
            self.used.add(Right(call.resource.group, resource, call.verb))
        return super().take(call, header)


def granted(objects: Objects) -> set[Right]:
    """Give all rights that the roles of a manifest give."""
    return {
        Right(group, resource, verb)
        for (kind, _), one in objects.items()
        if kind in {"Role", "ClusterRole"}
        for rule in one["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def idle(objects: Objects, used: set[Right]) -> set[Right]:
    """Give the rights that were not used and serve no other server, or other day, than this one."""
    # Servers that stream lists in a watch, as the lab does, are asked for no lists; older ones are.
    lists = {msgspec.structs.replace(right, verb="list") for right in used if right.verb == "watch"}
    # An Ingress is read where nobody knows whether the last write to its status came through before the end.
    return granted(objects) - used - lists - {Right("networking.k8s.io", "ingresses", "get")}


class Cluster:
    """The lab's API server with a manifest applied to it, and the pod's two containers as processes."""

    def __init__(self, lab: RunningApi, folder: Path, manifest: str) -> None:
        self._lab, self._folder = lab, folder
        self.objects = by_name(manifest)
        self.status_port, self.healthz_port = free_port(), free_port()

    def kubectl(self, *words: str, given: str = "") -> None:
        owner = self._folder / "owner"
        write_private(owner, self._lab.kubeconfig())
        command = [str(KUBECTL), "--kubeconfig", str(owner), *words]
        run = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

    def start(self, name: str, *more: str) -> Spawned:
        """Start a container as the manifest says, on loopback and ports that are free."""
        arguments = [self._here(argument) for argument in container(self.objects, name)["args"]]
        return Spawned(
            *(*arguments, *more),
            SEVENGATE_BIND_ADDRESS="127.0.0.1",
            POD_NAME="gate-1",
            POD_NAMESPACE=NAMESPACE,
        )

    def _here(self, argument: str) -> str:
        """Give an argument as it has to be on this machine."""
        flag = argument.partition("=")[0]
        here = {
            "--dataplane-directory": str(self._folder / "gate"),
            "--healthz-port": str(self.healthz_port),
            "--status-port": str(self.status_port),
            "--validating-webhook": f":{free_port()}",
            **{port: str(free_port()) for port in ("--http-port", "--https-port", "--default-server-port")},
        }
        return f"{flag}={here[flag]}" if flag in here else argument.replace("$(POD_NAMESPACE)", NAMESPACE)

    def account(self) -> str:
        path = self._folder / "account"
        write_private(path, self._lab.kubeconfig_of_account(NAMESPACE, "sevengate"))
        return str(path)

    def read(self, group: str, plural: str, namespace: str, name: str) -> Any:
        stored = self._lab.storage.get((group, plural), (namespace, name))
        return stored.object if stored else None


@asynccontextmanager
async def applied(manifest: str, noting: Noting, folder: Path) -> AsyncIterator[Cluster]:
    api = Api()
    api.faults = noting
    async with serving_api(api=api) as lab:
        cluster = Cluster(lab, folder, manifest)
        # The Ingress first: once the webhook stands there, it has to be asked.
        for given in (json.dumps(NAMESPACES), json.dumps(INGRESS), manifest):
            await asyncio.to_thread(cluster.kubectl, "apply", "--filename", "-", given=given)
        yield cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets, through which NGINX's workers may pass."""
    with tempfile.TemporaryDirectory(prefix="sg-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


async def give_addresses(cluster: Cluster) -> None:
    """Let there be an address for statuses, wherever it is taken from."""
    balancer = {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}
    for one in (NODE, POD):
        await asyncio.to_thread(cluster.kubectl, "create", "--filename", "-", given=json.dumps(one))
    for kind, name, status in (
        ("node", "node-1", NODE["status"]),
        ("pod", "gate-1", POD["status"]),
        ("service", "sevengate-controller", balancer),
    ):
        words = ("patch", kind, name, "--namespace", NAMESPACE, "--subresource", "status")
        await asyncio.to_thread(cluster.kubectl, *words, "--patch", json.dumps({"status": status}))


def manifest_of(mode: str) -> str:
    return (ROOT / "deploy" / f"{mode}.yaml").read_text(encoding="utf-8")


def chart_with(*values: str) -> str:
    rendered = helm("template", NAMESPACE, str(CHART), "--namespace", NAMESPACE, "--set", ",".join(values))
    assert rendered.returncode == 0, rendered.stderr
    return rendered.stdout


async def run_pod(manifest: str, folder: Path) -> list[str]:
    """Run both containers until all rights were used; give the lines that complain of one that is missing."""
    noting = Noting()
    async with asyncio.timeout(4 * LIMIT), applied(manifest, noting, folder) as cluster:
        await give_addresses(cluster)
        account = ("--kubeconfig", cluster.account(), "--election-ttl", "3s")
        with cluster.start("dataplane"), cluster.start("controller", *account) as controller:
            await until(lambda: probe(cluster.healthz_port) == probe(cluster.status_port) == 200)
            await until(lambda: has_address(cluster))
            await until(lambda: is_announced(cluster))
            with suppress(TimeoutError):
                await until(lambda: idle(cluster.objects, noting.used) == set())
            assert idle(cluster.objects, noting.used) == set()
            return [line for line in controller.lines if "forbidden" in line.lower() or "RBAC" in line]


@pytest.mark.parametrize("mode", ["load-balancer", "host-network"])
def test_the_rights_of_a_manifest_are_enough_and_none_is_idle(mode: str, folder: Path) -> None:
    assert asyncio.run(run_pod(manifest_of(mode), folder)) == []


@needs_helm
@pytest.mark.parametrize(
    "values",
    [
        ("controller.scope.namespace=default", "defaultBackend.enabled=true", "defaultBackend.image.image=pages"),
        ("controller.scope.namespaceSelector=edge=yes",),
    ],
    ids=["one namespace", "some namespaces"],
)
def test_the_rights_to_watch_less_are_enough_and_none_is_idle(values: tuple[str, ...], folder: Path) -> None:
    assert asyncio.run(run_pod(chart_with("controller.scope.enabled=true", *values), folder)) == []


@needs_helm
def test_without_cluster_wide_rights_only_the_classes_are_missed(folder: Path) -> None:
    scoped = ("controller.scope.enabled=true", "controller.scope.namespace=default", "rbac.scope=true")
    missed = asyncio.run(run_pod(chart_with(*scoped, "controller.admissionWebhooks.enabled=false"), folder))
    assert missed
    assert [line for line in missed if "ingressclasses" not in line] == []


def has_address(cluster: Cluster) -> bool:
    ingress = cluster.read("networking.k8s.io", "ingresses", "default", "shop")
    return bool(ingress["status"].get("loadBalancer") == {"ingress": [{"ip": ADDRESS}]})


def is_announced(cluster: Cluster) -> bool:
    """Say whether the API server was told whom to trust about the webhook."""
    group = "admissionregistration.k8s.io"
    configuration = cluster.read(group, "validatingwebhookconfigurations", "", "sevengate-admission")
    return configuration is None or all(hook["clientConfig"].get("caBundle") for hook in configuration["webhooks"])
