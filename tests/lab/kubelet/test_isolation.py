"""Pods where the machine allows less than it does to root: namespaces of a user, or none at all."""

import http.client
from collections.abc import Iterator

import pytest

from tests.lab.kubelet.nodes import Nodes, noted, pod, running_nodes, shell
from tests.lab.kubelet.test_end import PARENT, alive, family
from tests.lab.kubelet.test_gate import furnish, gate

SHIFT = 8000


@pytest.fixture(scope="module")
def bare() -> Iterator[Nodes]:
    with running_nodes(isolation="none", port_shift=SHIFT) as running:
        yield running


def ask(address: str, port: int, host: str = "") -> str:
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host} if host else {})
        return connection.getresponse().read().decode()
    except ConnectionError:  # not there yet; NGINX also opens its ports for a moment when it tests its configuration
        return ""
    finally:
        connection.close()


def test_with_namespaces_of_a_user_a_pod_has_a_root_folder_of_its_own() -> None:
    with running_nodes(isolation="user") as nodes:
        volumes = {"volumes": [{"name": "v", "emptyDir": {}}]}
        mounts = [{"name": "v", "mountPath": "/data"}]
        echo = pod("web", "traefik/whoami", ports=[{"containerPort": 8080}])
        nodes.apply(shell("own", "sleep 1000", volumeMounts=mounts, spec=volumes), echo)
        nodes.until_ready("own", "web")
        inside = nodes.kubectl("exec", "own", "--", "sh", "-c", "echo x > /data/note; ls /; cat /data/note; hostname")
        assert inside.endswith("x\nown\n")
        assert "data" in inside
        assert "Read-only" in nodes.kubectl("exec", "own", "--", "touch", "/usr/mine", fails=True)
        assert "Hostname: web" in ask(nodes.address("web"), 8080)


def test_without_namespaces_nginx_serves_pages_of_its_own_on_a_port_that_everybody_may_have(bare: Nodes) -> None:
    bare.apply(pod("web"))
    bare.until_ready("web")
    assert "Welcome to nginx" in ask(bare.address("web"), 80 + SHIFT)
    page = next((bare.folder / "kubelet" / "pods").rglob("usr/share/nginx/html/index.html"))
    page.write_text("changed", encoding="utf-8")
    assert ask(bare.address("web"), 80 + SHIFT) == "changed"


def test_without_namespaces_no_command_from_outside_meets_the_machines_files(bare: Nodes) -> None:
    bare.apply(pod("closed"))
    bare.until_ready("closed")
    refused = bare.kubectl("exec", "closed", "--", "touch", "/tmp/changed", fails=True)
    assert "this machine gives the lab no namespaces" in refused


def test_without_namespaces_sevengate_finds_the_api_and_serves(bare: Nodes) -> None:
    bare.apply(pod("shop", "traefik/whoami", ports=[{"containerPort": 8080}]))
    bare.until_ready("shop")
    furnish(bare)
    bare.apply(gate("gate", "sevengate", args=["run"]))
    bare.until_true(lambda: "Hostname: shop" in ask(bare.address("gate"), 80 + SHIFT, "shop.example"))


def test_without_namespaces_a_container_takes_what_it_started_with_it(bare: Nodes) -> None:
    before = set(noted(bare.folder / "kubelet"))
    bare.apply(shell("parent", PARENT))
    bare.until_ready("parent")
    (leader,) = set(noted(bare.folder / "kubelet")) - before
    bare.until_true(lambda: len(family(leader)) > 3)
    everything = family(leader)
    bare.kubectl("delete", "pod", "parent")
    bare.until_true(lambda: not any(alive(pid) for pid in everything))
