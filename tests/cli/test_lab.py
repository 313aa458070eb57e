"""`sevengate lab`: a lab that comes up, answers kubectl, and leaves nothing behind."""

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from sevengate.cli.lab import find_kubectl, lab
from sevengate.lab.home import Home, Record, started_at
from tests.lab.plans import own_plan

ROOT = Path(__file__).parents[2]
OLD = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: shop}\nspec: {rules: []}\n"

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {nodeName: node01, containers: [{name: nginx, image: nginx}]}
"""

needs_kubectl = pytest.mark.skipif(find_kubectl() is None, reason="there is no kubectl")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own takes root")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sevengate", "lab", *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEVENGATE_LAB": str(folder), "HOME": str(folder.parent)}
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=environment, timeout=90)


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def folder() -> Iterator[Path]:
    # The paths of sockets must be short, and those that pytest makes are not.
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "lab")
        yield folder
        run(folder, "down")


@pytest.fixture
def up(folder: Path) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        command("up", "--api-only", "--folder", str(folder)),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith("serving https://127.0.0.1:")
    assert running.stdout.readline() == f"export KUBECONFIG={folder / 'kubeconfig'}\n"
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@needs_kubectl
def test_a_lab_answers_kubectl_until_it_is_interrupted(up: subprocess.Popen[str], folder: Path) -> None:
    asked = run(folder, "kubectl", "get", "namespaces", "-o", "name")
    assert "namespace/default" in asked.stdout
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 0
    assert not folder.exists()


def test_a_second_lab_in_the_same_folder_is_refused(up: subprocess.Popen[str], folder: Path) -> None:
    refused = run(folder, "up", "--api-only")
    assert (refused.returncode, refused.stderr) == (3, f"error: a lab is up already in {folder} (process {up.pid})\n")
    assert run(folder, "status").returncode == 0


def test_a_lab_goes_on_in_the_background_until_it_is_told_to_end(folder: Path) -> None:
    started = run(folder, "up", "--api-only", "--detach")
    assert started.stdout.startswith("serving https://127.0.0.1:")
    status = json.loads(run(folder, "status", "--output", "json").stdout)
    assert (status["plan"], status["url"] in started.stdout) == ("loopback", True)
    assert run(folder, "down").stderr == "the lab is down\n"
    assert not folder.exists()
    assert run(folder, "status").returncode == 1
    assert run(folder, "down").stderr == "no lab is up\n"


def test_a_detached_lab_that_cannot_come_up_says_why(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        started = run(folder, "up", "--api-only", "--detach", "--port", str(taken.getsockname()[1]))
    assert (started.returncode, started.stdout) == (3, "")
    assert "address already in use" in started.stderr


def test_it_is_said_where_ports_are_that_take_root(folder: Path) -> None:
    home, own = Home(folder), Record(os.getpid(), started_at(os.getpid()) or 0, "https://127.0.0.1:1", "loopback")
    try:
        home.announce(own)
        assert "moved up" not in run(folder, "status").stdout
        home.announce(msgspec.structs.replace(own, port_shift=8000))
        assert "80 is 8080" in run(folder, "status").stdout
    finally:
        home.clear()  # or the lab that is ended after each test would be this process


def test_after_a_lab_was_killed_the_next_one_starts_as_if_nothing_had_been(
    up: subprocess.Popen[str], folder: Path
) -> None:
    up.kill()
    up.wait()
    assert (folder / "kubeconfig").exists()
    assert run(folder, "up", "--api-only", "--detach").returncode == 0
    run(folder, "down")
    assert not folder.exists()


def shown(terminal: int, *wanted: bytes) -> bytes:
    """Read what a terminal is shown until it holds what is wanted; without anything wanted, until the program ends."""
    seen = b""
    while not wanted or not all(one in seen for one in wanted):
        assert select.select([terminal], [], [], 60)[0], seen
        try:
            seen += os.read(terminal, 1 << 16)
        except OSError:  # nobody has the other end any more
            assert not wanted, seen
            break
    return seen


def test_on_a_terminal_it_is_seen_what_goes_on_until_it_is_interrupted(folder: Path) -> None:
    terminal, other_end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 160, 0, 0))
    with own_plan() as plan:
        running = subprocess.Popen(
            command("up", "--shift", plan.name.rpartition("-")[2], "--folder", str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=other_end,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        )
        os.close(other_end)
        try:
            shown(terminal, b"Ctrl-C ends", b"master01", b"node02", b"kubernetes")
            running.send_signal(signal.SIGINT)
            shown(terminal)
            assert running.wait(60) == 0
            assert not folder.exists()
        finally:
            running.kill()
            running.wait()
            os.close(terminal)


@needs_kubectl
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_pods_are_reached_while_the_lab_is_up_and_end_with_it_however_that_ends(
    folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    with own_plan() as plan:
        started = run(folder, "up", "--detach", "--shift", plan.name.rpartition("-")[2])
        assert started.stdout.startswith(f"serving https://{plan.node_address('master01')}:6443\n"), started.stderr
        assert run(folder, "kubectl", "apply", "-f", str(tmp_path / "pod.yaml")).returncode == 0
        waited = run(folder, "kubectl", "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
        assert waited.returncode == 0, waited.stderr
        address = run(folder, "kubectl", "get", "pod", "web", "-o", "jsonpath={.status.podIP}").stdout
        port = 80 + json.loads(run(folder, "status", "--output", "json").stdout)["port_shift"]
        socket.create_connection((address, port), 20).close()
        os.kill(json.loads(run(folder, "status", "--output", "json").stdout)["pid"], number)
        deadline = time.monotonic() + 60
        while listens(address, port) or run(folder, "status").returncode == 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    run(folder, "down")
    assert not folder.exists()


def test_a_snapshot_keeps_the_objects_for_the_next_lab(folder: Path, tmp_path: Path) -> None:
    if find_kubectl() is None:
        pytest.skip("there is no kubectl")
    options = ("up", "--api-only", "--detach", "--snapshot", str(tmp_path / "objects.json"))
    assert run(folder, *options).returncode == 0
    assert run(folder, "kubectl", "create", "configmap", "kept", "--from-literal=a=b").returncode == 0
    run(folder, "down")
    assert run(folder, *options).returncode == 0
    assert run(folder, "kubectl", "get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout == "b"


def test_a_snapshot_that_is_none_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "objects.json").write_text("[]")
    refused = run(folder, "up", "--api-only", "--snapshot", str(tmp_path / "objects.json"))
    assert refused.returncode == 2
    assert "objects.json: it is no snapshot of a lab" in refused.stderr


@needs_kubectl
def test_old_manifests_are_told_a_way_out(up: subprocess.Popen[str], folder: Path, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    refused = run(folder, "kubectl", "apply", "-f", str(tmp_path / "old.yaml"))
    assert refused.returncode != 0
    assert 'no matches for kind "Ingress" in version "extensions/v1beta1"' in refused.stderr
    assert f"sevengate check --fix {tmp_path / 'old.yaml'} rewrites them" in refused.stderr


@needs_root
@needs_kubectl
def test_a_lab_with_a_network_of_its_own_has_a_clusters_addresses_and_is_worked_with_from_inside(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    started = run(folder, "up", "--detach", "--network", "namespace")
    assert started.stdout.startswith("serving https://192.168.217.99:6443\n"), started.stderr
    assert run(folder, "kubectl", "apply", "-f", str(tmp_path / "pod.yaml")).returncode == 0
    waited = run(folder, "kubectl", "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    assert waited.returncode == 0, waited.stderr
    address = run(folder, "kubectl", "get", "pod", "web", "-o", "jsonpath={.status.podIP}").stdout
    assert address.startswith("10.244.1.")
    asked = run(folder, "exec", "--", "curl", "-s", "--max-time", "20", f"http://{address}/")
    assert "Welcome to nginx" in asked.stdout


def test_manifests_are_loaded_and_what_is_refused_is_told(
    up: subprocess.Popen[str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---\napiVersion: v1\nkind: Nothing\n"
    )
    loaded = run(folder, "load", str(tmp_path / "maps.yaml"))
    assert loaded.returncode == 1
    assert loaded.stdout == f"{tmp_path / 'maps.yaml'}:5: error: the cluster serves no Nothing of v1\n"
    assert loaded.stderr.startswith("1 object loaded in ")


def test_a_file_that_cannot_be_read_loads_nothing(up: subprocess.Popen[str], folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    refused = run(folder, "load", str(tmp_path / "broken.yaml"))
    assert (refused.returncode, "Not YAML" in refused.stdout, refused.stderr) == (2, True, "")


def test_without_a_lab_kubectl_is_told_so(tmp_path: Path) -> None:
    asked = CliRunner().invoke(lab, ["kubectl", "--folder", str(tmp_path / "none"), "get", "pods"])
    assert asked.exit_code == 3
    assert "no lab is up" in asked.stderr or "no kubectl" in asked.stderr


def test_a_command_that_is_not_there_is_told(up: subprocess.Popen[str], folder: Path) -> None:
    asked = run(folder, "exec", "--", "no-such-command")
    assert (asked.returncode, asked.stderr) == (127, "error: no-such-command: No such file or directory\n")
