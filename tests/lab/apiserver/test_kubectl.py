"""Real kubectl against the lab: every row of tests/lab/kubectl.yaml, and what needs two programs at once."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sevengate.cli.lab import find_kubectl
from sevengate.lab.apiserver.running import RunningApi
from tests.lab.apiserver.serving import in_thread

TABLE = yaml.safe_load((Path(__file__).parents[1] / "kubectl.yaml").read_text(encoding="utf-8"))
NUMBERS = itertools.count(1)
#: The kubectl of constraints.txt; KUBECTL=/path/to/another shows that another version does as well.
PINNED = Path(os.environ.get("KUBECTL") or Path(sys.executable).with_name("kubectl"))


class Kubectl:
    """kubectl in one namespace of a lab."""

    def __init__(self, running: RunningApi, folder: Path, namespace: str) -> None:
        self.running = running
        self.folder = folder
        self.namespace = namespace
        self.program = str(PINNED) if PINNED.is_file() else find_kubectl() or pytest.skip("there is no kubectl")
        (folder / "kubeconfig").write_text(running.kubeconfig(), encoding="utf-8")
        for name, manifests in TABLE["given"].items():
            (folder / name).write_text(manifests, encoding="utf-8")
        self.run("create namespace NAMESPACE")

    def command(self, line: str) -> list[str]:
        """Split a line as far as its last option, whose value may hold spaces and quotes."""
        words = line.replace("NAMESPACE", self.namespace)
        for option in (" -p ", " -l ", " -o "):
            head, there, value = words.partition(option)
            if there and " --" not in value and " -o" not in value:
                return [self.program, "--namespace", self.namespace, *head.split(), option.strip(), value]
        return [self.program, "--namespace", self.namespace, *words.split()]

    def environment(self, editor: str = "") -> dict[str, str]:
        own = {"KUBECONFIG": str(self.folder / "kubeconfig"), "KUBECACHEDIR": str(self.folder / "cache")}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBE_EDITOR": editor, **own}

    def run(self, line: str, editor: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(line),
            cwd=self.folder,
            env=self.environment(editor),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )

    def follow(self, line: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(line), cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def running() -> Iterator[RunningApi]:
    with in_thread() as running:
        yield running


@pytest.fixture
def kubectl(running: RunningApi, tmp_path: Path) -> Kubectl:
    return Kubectl(running, tmp_path, f"test-{next(NUMBERS)}")


@pytest.mark.parametrize("row", TABLE["rows"], ids=lambda row: row["what"].replace(" ", "-"))
def test_kubectl(kubectl: Kubectl, row: dict[str, Any]) -> None:
    for name in row.get("given", ()):
        applied = kubectl.run(f"apply -f {name}")
        assert applied.returncode == 0, applied.stdout
    if row.get("tls"):
        pair = kubectl.running.client("shop.example")
        (kubectl.folder / "CERTIFICATE").write_bytes(pair.certificate)
        (kubectl.folder / "KEY").write_bytes(pair.key)
    *before, last = row["run"]
    for line in before:
        done = kubectl.run(line, row.get("editor", ""))
        assert done.returncode == 0, done.stdout
    done = kubectl.run(last, row.get("editor", ""))
    assert (done.returncode != 0) == row.get("fails", False), done.stdout
    place = 0
    for text in row["prints"]:
        place = done.stdout.find(text, place)
        assert place >= 0, f"no {text!r} in:\n{done.stdout}"
    assert [text for text in row.get("lacks", ()) if text in done.stdout] == []


def test_get_watch_shows_changes_as_they_come(kubectl: Kubectl) -> None:
    kubectl.run("create configmap first")
    watching = kubectl.follow("get configmap -w -o name")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "configmap/first\n"
        kubectl.run("create configmap second")
        assert watching.stdout.readline() == "configmap/second\n"
    finally:
        watching.terminate()
        watching.communicate(timeout=20)


def test_wait_comes_back_when_the_condition_is_met(kubectl: Kubectl) -> None:
    kubectl.run("create configmap first")
    waiting = kubectl.follow("wait --for=delete configmap/first --timeout=30s")
    kubectl.run("delete configmap first")
    output, _ = waiting.communicate(timeout=40)
    assert waiting.returncode == 0, output


def test_a_service_account_sees_what_its_role_allows_and_nothing_else(kubectl: Kubectl) -> None:
    for line in (
        "create sa bob",
        "create role reader --verb=get,list --resource=configmaps",
        "create rolebinding bob --role=reader --serviceaccount=NAMESPACE:bob",
        "create configmap first",
    ):
        assert kubectl.run(line).returncode == 0
    config = kubectl.running.kubeconfig_of_account(kubectl.namespace, "bob")
    (kubectl.folder / "kubeconfig").write_text(config, encoding="utf-8")
    assert "first" in kubectl.run("get configmaps").stdout
    refused = kubectl.run("get secrets")
    wanted = f'User "system:serviceaccount:{kubectl.namespace}:bob" cannot list resource "secrets" in API group ""'
    assert refused.returncode != 0
    assert wanted in refused.stdout
