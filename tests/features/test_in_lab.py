"""The gate in a whole lab: installed, upgraded and removed by helm, and by manifests of old tutorials as they are."""

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.kubectl import Kubectl
from tests.lab.whole import Whole, whole_lab

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "lab" / "old"
LESSON = ROOT / "examples" / "lesson"
HELM = Path(sys.executable).with_name("helm")
CHART = ROOT / "deploy" / "chart" / "sevengate"
LIMIT = 60.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Whole]:
    with whole_lab(legacy_apis=True) as lab:
        yield lab


def status_of(url: str, host: str) -> int:
    """Ask for a host, and give the status of the answer; 0 if there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host}), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def serves(url: str, host: str, wanted: int = 200) -> None:
    """Wait until a host is answered so."""
    deadline = time.monotonic() + LIMIT
    while (status := status_of(url, host)) != wanted:
        assert time.monotonic() < deadline, f"{host} at {url}: {status}"
        time.sleep(0.1)


def helm(kubectl: Kubectl, *words: str) -> str:
    done = subprocess.run(
        [HELM, *words], cwd=ROOT, env=kubectl.environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not HELM.is_file(), reason="there is no helm here")
def test_helm_installs_upgrades_and_uninstalls_the_chart_and_what_it_installs_serves(
    lab: Whole, tmp_path: Path
) -> None:
    kubectl = Kubectl(lab.kubeconfig, tmp_path, "helm")
    kubectl.must(f"apply -f {LESSON / 'nginx-app.yaml'}")
    release = ("sevengate", str(CHART), "--namespace", "helm", "--wait", "--timeout", "60s")
    quick = ("--set", "controller.shutdownGracePeriod=0")
    assert "STATUS: deployed" in helm(kubectl, "install", *release, *quick)
    service = "get svc sevengate-controller -o jsonpath={.status.loadBalancer.ingress[0].ip}"
    url = lab.url(kubectl.must(service))
    serves(url, "www.kgc.com")
    kubectl.must("wait --for=jsonpath={.status.loadBalancer.ingress[0].ip} ingress/nginx-app-ingress --timeout=60s")
    assert "REVISION: 2" in helm(kubectl, "upgrade", *release, *quick, "--set", "controller.replicaCount=1")
    kubectl.must("wait --for=jsonpath={.status.replicas}=1 deployment/sevengate-controller --timeout=60s")
    serves(url, "www.kgc.com")
    helm(kubectl, "uninstall", "sevengate", "--namespace", "helm", "--wait", "--timeout", "60s")
    assert "sevengate" not in kubectl.must("get deployments,services,ingressclasses,clusterroles -o name")
    serves(url, "www.kgc.com", 0)


def test_the_manifests_of_old_tutorials_work_as_they_are(lab: Whole, tmp_path: Path) -> None:
    application = Kubectl(lab.kubeconfig, tmp_path, "old")
    controller = Kubectl(lab.kubeconfig, tmp_path, "ingress-nginx")
    controller.must(f"apply -f {OLD / 'mandatory.yaml'} -f {OLD / 'service-nodeport.yaml'}")
    application.must(f"apply -f {LESSON / 'in-ng.yaml'} -f {LESSON / 'old' / 'in-ng.yaml'}")
    port = int(controller.must("get svc ingress-nginx -o jsonpath={.spec.ports[0].nodePort}"))
    for _, address in lab.plan.nodes:
        serves(lab.url(address, port), "www.china.com")
    serves(lab.url(lab.plan.node_address("node01"), port), "other.china.com", 404)
    published = "{.status.loadBalancer.ingress[0].ip}"
    application.must(f"wait --for=jsonpath={published} ingress/in-ng --timeout=60s")
    controller.must("delete namespace ingress-nginx --wait=false")


def test_they_work_as_tutorials_edit_them_for_the_network_of_a_chosen_node(lab: Whole, tmp_path: Path) -> None:
    controller = Kubectl(lab.kubeconfig, tmp_path, "edited-ingress")
    text = (OLD / "mandatory.yaml").read_text(encoding="utf-8").replace("ingress-nginx", "edited-ingress")
    text = text.replace("kind: Deployment", "kind: DaemonSet").replace("  replicas: 1\n", "")
    text = text.replace("kubernetes.io/os: linux", 'test: "true"')
    text = text.replace("      nodeSelector:", "      hostNetwork: true\n      nodeSelector:")
    edited = re.sub(r"nginx-ingress-(clusterrole\S*)", r"edited-\1", text)
    (tmp_path / "edited.yaml").write_text(edited, encoding="utf-8")
    controller.must("label node node02 test=true")
    controller.must("apply -f edited.yaml")
    Kubectl(lab.kubeconfig, tmp_path, "edited").must(f"apply -f {LESSON / 'nginx-app.yaml'}")
    serves(lab.url(lab.plan.node_address("node02")), "www.kgc.com")
    assert status_of(lab.url(lab.plan.node_address("node01")), "www.kgc.com") == 0
    controller.must("delete namespace edited-ingress --wait=false")
