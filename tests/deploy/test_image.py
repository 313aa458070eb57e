"""The Dockerfile's image, made without a container engine, serves with no more rights than the chart gives its pod.

debootstrap stands for the base image, tests/deploy/dockerfile.py follows the steps. Containers are played with the
kernel's own means: the root read-only, the volumes mounted, user 101, no new privileges, and of all capabilities none,
or NET_BIND_SERVICE alone. It takes a minute or two and the network, so `make image` runs it and `make test` does not.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import sevengate
from sevengate.nginx.installation import APT_COMMAND
from tests.asking import Answer, ask
from tests.backends import EchoBackends
from tests.deploy.dockerfile import Build, Stage, read
from tests.deploy.helm import ROOT
from tests.spawned import soon

DOCKERFILE = ROOT / "Dockerfile"
ASKED = "SEVENGATE_TEST_IMAGE"
#: One address for each run, so that ports 80 and 443 of it are free.
ADDRESS = f"127.{secrets.randbelow(100) + 100}.{secrets.randbelow(254) + 1}.1"

needs_root = pytest.mark.skipif(
    ASKED not in os.environ or os.geteuid() != 0 or not shutil.which("debootstrap") or not shutil.which("capsh"),
    reason=f"`make image` runs it: with {ASKED}, as root, with the packages debootstrap and libcap2-bin",
)

#: What a container runtime does, in words of the shell: $1 is the root, $2 the volumes, the rest goes to capsh.
CONTAINER = """
set -e
root=$1 volumes=$2; shift 2
mount --bind "$root" "$root" && mount --options remount,ro,bind "$root"
mount --types proc proc "$root/proc"
mount --types tmpfs --options mode=1777 tmpfs "$root/tmp"
mount --bind "$volumes/sockets" "$root/run/sevengate"
mount --bind "$volumes/temporary" "$root/run/sevengate/temporary"
mount --bind "$volumes/manifests" "$root/mnt"
exec capsh --chroot="$root" "$@"
"""

MANIFEST = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: nginx}}
spec: {{controller: k8s.io/ingress-nginx}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop}}
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http:
        paths:
          - {{path: /, pathType: Prefix, backend: {{service: {{name: shop, port: {{number: 80}}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  ports: [{{port: 80, targetPort: {port}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: shop-1, labels: {{kubernetes.io/service-name: shop}}}}
addressType: IPv4
ports: [{{port: {port}}}]
endpoints: [{{addresses: [{address}]}}]
"""


@pytest.fixture(scope="module")
def image() -> Iterator[Stage]:
    """The root of the image."""
    with tempfile.TemporaryDirectory(prefix="sevengate-image-", dir="/var/tmp") as folder:
        base = Path(folder, "base")
        command = ["debootstrap", "--variant=minbase", "trixie", str(base)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout[-2000:]
        # Docker's Debian starts no services while packages are installed, either.
        (base / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (base / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy2("/etc/resolv.conf", base / "etc/resolv.conf")
        Path(folder).chmod(0o755)
        yield Build(DOCKERFILE, base, Path(folder)).run()


@pytest.fixture
def volumes() -> Iterator[Path]:
    """The pod's volumes, as Kubernetes makes them with `fsGroup: 101`: root's, and the group may write."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        Path(folder).chmod(0o755)
        for name in ("sockets", "temporary", "manifests", "sockets/temporary"):
            volume = Path(folder, name)
            volume.mkdir()
            os.chown(volume, 0, 101)
            volume.chmod(0o2777)
        yield Path(folder)


class Container:
    """A process in the image, and what it says."""

    def __init__(self, image: Stage, volumes: Path, capabilities: str, *arguments: str) -> None:
        every = subprocess.run(["capsh", "--print"], capture_output=True, text=True, check=True).stdout
        bounding = next(line for line in every.splitlines() if line.startswith("Bounding set")).partition("=")[2]
        dropped = ",".join(set(bounding.split(",")) - {capabilities})
        user, group = image.user.split(":")
        program, *first = image.entrypoint
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it is read as long as the process is looked at
        self.process = subprocess.Popen(
            [
                *("unshare", "--mount", "--propagation", "private", "sh", "-c", CONTAINER, "sh"),
                *(str(image.root), str(volumes), f"--drop={dropped}", "--keep=1", f"--gid={group}", f"--uid={user}"),
                *("--caps=" + (f"{capabilities}=ep" if capabilities else "="), "--no-new-privs"),
                *(f"--shell={program}", "--", *first, *arguments),
            ],
            env={**image.environment, "SEVENGATE_BIND_ADDRESS": ADDRESS},
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._said.close()

    @property
    def said(self) -> str:
        self._said.seek(0)
        return self._said.read()


BIND = "cap_net_bind_service"


def inside(image: Stage, *command: str) -> str:
    run = subprocess.run(["chroot", str(image.root), *command], capture_output=True, text=True, check=False)
    return run.stdout.strip()


def probe(port: int) -> int:
    with suppress(OSError):
        return ask(port, "localhost", "/readyz", address=ADDRESS).status
    return 0


@needs_root
def test_what_the_image_holds_is_what_runs_and_nothing_that_builds(image: Stage) -> None:
    assert inside(image, *image.entrypoint, "version") == f"sevengate {sevengate.__version__}"
    assert inside(image, "sh", "-c", "command -v gcc cc make pip pip3 git curl") == ""
    assert inside(image, "/opt/sevengate/bin/sevengate", "version") == f"sevengate {sevengate.__version__}"
    assert image.user == "101:101"
    assert image.exposed >= {80, 443, 8181, 8443, 10246, 10254}
    size = subprocess.run(["du", "-sm", str(image.root)], capture_output=True, text=True, check=True).stdout.split()[0]
    print(f"the image takes {size} MB unpacked; {inside(image, 'sh', '-c', 'nginx -v 2>&1')}")


@needs_root
def test_both_containers_serve_http_and_https_with_only_the_rights_of_the_chart(
    image: Stage, volumes: Path, backends: EchoBackends
) -> None:
    def get(*, tls: bool) -> Answer:
        return ask(443 if tls else 80, "shop.example", address=ADDRESS, tls=tls)

    endpoint = backends.start("shop")
    manifest = MANIFEST.format(address=endpoint.address, port=endpoint.port)
    (volumes / "manifests" / "shop.yaml").write_text(manifest, encoding="utf-8")
    with (
        Container(image, volumes, BIND, "dataplane", "--shutdown-grace-period", "0") as dataplane,
        Container(image, volumes, "", "controller", "--manifests", "/mnt") as controller,
    ):
        soon(lambda: probe(10246) == probe(10254) == 200 or dataplane.process.poll() or controller.process.poll())
        assert (dataplane.process.poll(), controller.process.poll()) == (None, None), dataplane.said + controller.said
        assert [get(tls=tls).json["name"] for tls in (False, True)] == ["shop", "shop"]
        large = ask(80, "shop.example", address=ADDRESS, method="POST", body=b"x" * 500_000)
        assert len(large.json["body"]) == 500_000
        dataplane.process.terminate()
        assert dataplane.process.wait(30) == 0, dataplane.said
        assert "Traceback" not in dataplane.said + controller.said


@needs_root
def test_without_the_capability_it_says_what_is_missing(image: Stage, volumes: Path) -> None:
    with Container(image, volumes, "", "dataplane") as dataplane:
        assert dataplane.process.wait(30) == 3
        assert "NET_BIND_SERVICE" in dataplane.said
        assert "Traceback" not in dataplane.said


def test_the_dockerfile_installs_what_the_gate_asks_for() -> None:
    text = " ".join(rest for word, rest in read(DOCKERFILE.read_text(encoding="utf-8")) if word == "RUN")
    assert [name for name in APT_COMMAND.split()[2:] if name not in text.split()] == []


def test_what_is_copied_is_there_and_not_ignored() -> None:
    copied = list(Build(DOCKERFILE, Path(), Path()).copied())
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [name for name in copied if not (ROOT / name).exists() or name not in allowed] == []
    assert sorted(allowed) == sorted(copied)
