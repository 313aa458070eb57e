"""Real kubectl against the lab's API server: the rows of kubectl.yaml, and what needs two programs at once."""

import itertools
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sevengate.lab.apiserver.running import OWNER, RunningApi
from tests.lab.apiserver.serving import in_thread, trusting
from tests.lab.kubectl import NEWEST, Kubectl, rows

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningApi]:
    with in_thread() as running:
        yield running


@contextmanager
def fresh(running: RunningApi, folder: Path, version: str = NEWEST) -> Iterator[Kubectl]:
    """Have kubectl in a namespace that is gone afterwards: what it holds of node ports, the next test may want."""
    kubectl = Kubectl(running.kubeconfig(), folder, f"test-{next(NUMBERS)}", version)
    yield kubectl
    request = urllib.request.Request(f"{running.url}/api/v1/namespaces/{kubectl.namespace}", method="DELETE")
    owner = trusting(running, running.client(OWNER, "system:masters"))
    with suppress(urllib.error.HTTPError):  # one test deletes it itself
        urllib.request.urlopen(request, context=owner, timeout=20).close()


@pytest.fixture
def kubectl(running: RunningApi, tmp_path: Path) -> Iterator[Kubectl]:
    with fresh(running, tmp_path) as kubectl:
        yield kubectl


@pytest.mark.parametrize(("version", "row"), rows(needs_cluster=False))
def test_kubectl(running: RunningApi, tmp_path: Path, version: str, row: dict[str, Any]) -> None:
    if row.get("tls"):
        pair = running.client("shop.example")
        (tmp_path / "CERTIFICATE").write_bytes(pair.certificate)
        (tmp_path / "KEY").write_bytes(pair.key)
    with fresh(running, tmp_path, version) as kubectl:
        kubectl.try_row(row)


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


def test_a_service_account_sees_what_its_role_allows_and_nothing_else(running: RunningApi, kubectl: Kubectl) -> None:
    for line in (
        "create sa bob",
        "create role reader --verb=get,list --resource=configmaps",
        "create rolebinding bob --role=reader --serviceaccount=NAMESPACE:bob",
        "create configmap first",
    ):
        kubectl.must(line)
    config = running.kubeconfig_of_account(kubectl.namespace, "bob")
    (kubectl.folder / "kubeconfig").write_text(config, encoding="utf-8")
    assert "first" in kubectl.run("get configmaps").stdout
    refused = kubectl.run("get secrets")
    wanted = f'User "system:serviceaccount:{kubectl.namespace}:bob" cannot list resource "secrets" in API group ""'
    assert refused.returncode != 0
    assert wanted in refused.stdout
