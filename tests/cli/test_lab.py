"""`sevengate lab`: a lab that comes up, answers kubectl, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sevengate.cli.lab import find_kubectl, lab

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sevengate", "lab", *arguments]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    kubeconfig = tmp_path / "folder" / "kubeconfig"
    running = subprocess.Popen(
        command("up", "--api-only", "--kubeconfig", str(kubeconfig)),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith("serving https://127.0.0.1:")
    assert running.stdout.readline() == f"export KUBECONFIG={kubeconfig}\n"
    try:
        yield running, kubeconfig
    finally:
        running.kill()
        running.communicate()


def test_a_lab_answers_kubectl_until_it_is_interrupted(up: tuple[subprocess.Popen[str], Path]) -> None:
    running, kubeconfig = up
    if find_kubectl() is None:
        pytest.skip("there is no kubectl")
    assert kubeconfig.stat().st_mode & 0o077 == 0
    asked = subprocess.run(
        command("kubectl", "--kubeconfig", str(kubeconfig), "get", "namespaces", "-o", "name"),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(kubeconfig.parent)},
    )
    assert "namespace/default" in asked.stdout
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 0
    assert not kubeconfig.exists()


def test_a_lab_takes_away_only_its_own_kubeconfig(up: tuple[subprocess.Popen[str], Path]) -> None:
    running, kubeconfig = up
    kubeconfig.write_text("another lab's", encoding="utf-8")
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    assert kubeconfig.read_text(encoding="utf-8") == "another lab's"


def test_without_a_lab_kubectl_is_told_so(tmp_path: Path) -> None:
    asked = CliRunner().invoke(lab, ["kubectl", "--kubeconfig", str(tmp_path / "none"), "get", "pods"])
    assert asked.exit_code == 3
    assert "no lab is up" in asked.stderr or "no kubectl" in asked.stderr


def test_a_lab_without_nodes_must_be_asked_for_by_name() -> None:
    asked = CliRunner().invoke(lab, ["up"])
    assert asked.exit_code == 2
    assert "--api-only" in asked.stderr
