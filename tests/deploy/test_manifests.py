import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.helm import MODES, ROOT, Objects, by_name, check_strictly, container, needs_helm, only, pod_of
from tests.deploy.pod_security import complaints
from tools.manifests import value_rows

FILES = [ROOT / "deploy" / mode.name for mode in MODES]
KINDS = {
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "IngressClass",
    "Service",
    "PodDisruptionBudget",
    "ValidatingWebhookConfiguration",
}


def objects(name: str) -> Objects:
    return by_name((ROOT / "deploy" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", ["1.25", "1.31", "1.37"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_manifest_is_whole_and_what_kubernetes_takes(file: Path, version: str) -> None:
    found = by_name(file.read_text(encoding="utf-8"))
    check_strictly(found, version)
    kinds = {kind for kind, _ in found}
    assert kinds >= KINDS
    assert kinds & {"Deployment", "DaemonSet"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_current_apis_are_used(file: Path) -> None:
    versions = {one["apiVersion"] for one in by_name(file.read_text(encoding="utf-8")).values()}
    assert not [version for version in versions if "beta" in version or version.startswith("extensions")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_says_that_helm_looks_after_it(file: Path) -> None:
    assert "helm" not in file.read_text(encoding="utf-8").lower()


@needs_helm
def test_they_are_fresh() -> None:
    run = subprocess.run(
        [sys.executable, "tools/manifests.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


def test_behind_a_load_balancer_clients_addresses_are_kept() -> None:
    spec = objects("load-balancer")["Service", "sevengate-controller"]["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")


def test_on_the_hosts_network_each_chosen_node_listens_at_its_own_ports() -> None:
    found = objects("host-network")
    pod = pod_of(found)
    assert only(found, "DaemonSet")
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert pod["nodeSelector"]["ingress"] == "true"
    ports = {port["name"]: port["containerPort"] for port in container(found, "dataplane")["ports"]}
    assert (ports["http"], ports["https"], ports["default"]) == (80, 443, 8181)
    assert only(found, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def test_at_node_ports_the_ports_are_known_beforehand() -> None:
    found = objects("node-port")
    spec = found["Service", "sevengate-controller"]["spec"]
    assert [port["nodePort"] for port in spec["ports"]] == [30080, 30443]


@pytest.mark.parametrize("mode", ["load-balancer", "node-port"])
def test_a_namespace_that_allows_restricted_pods_only_takes_ours(mode: str) -> None:
    found = objects(mode)
    assert only(found, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert list(complaints(pod_of(found))) == []


def test_nothing_but_the_hosts_network_is_why_the_third_way_needs_more() -> None:
    assert list(complaints(pod_of(objects("host-network")))) == ["hostNetwork is true"]


def test_the_table_of_values_has_each_with_its_explanation() -> None:
    rows = list(value_rows("# First\n# line.\na:\n  # One.\n  b: 1\n  c: 2\n  # Two.\n  d: {}\n# Three.\ne: x\n"))
    assert rows == [("a", "", "First line."), ("a.b", "1", "One."), ("a.d", "{}", "Two."), ("e", "x", "Three.")]
