"""Follows a Dockerfile without a container engine: `Build(path, base, folder).run()` gives the last stage's root.

Takes the folder of an unpacked Debian that stands for every FROM of an image; each stage begins as a copy of it or of
an earlier stage. RUN is executed by chroot, as root and with the network, COPY and ENV do what they say. An instruction
that is not known here is an error, so nothing is passed over.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: What a build is told about the network that it runs in, as `docker build` is by build arguments.
NETWORK = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Instruction(NamedTuple):
    """One line of a Dockerfile, joined where it goes on."""

    word: str
    rest: str


def read(text: str) -> list[Instruction]:
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    joined = re.sub(r"\\\n", " ", lines)
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


class Stage:
    """One stage: a root, and what was said about processes in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": PATH}
        self.directory = "/"
        self.user = "0:0"
        self.entrypoint: list[str] = []
        self.exposed: set[int] = set()

    def at(self, path: str) -> Path:
        """Give the place of a path of this stage."""
        inside = path if path.startswith("/") else f"{self.directory}/{path}"
        return self.root / inside.strip("/")


class Build:
    """One build from a Dockerfile and the folder that it lies in."""

    def __init__(self, file: Path, base: Path, folder: Path) -> None:
        self.context = file.parent
        self.instructions = read(file.read_text(encoding="utf-8"))
        self.stages: dict[str, Stage] = {}
        self._base, self._folder = base, folder

    def run(self) -> Stage:
        """Follow all instructions and give the last stage."""
        for word, rest in self.instructions:
            if word == "FROM":
                stage = self._begin(rest)
            else:
                getattr(self, f"_{word.lower()}")(stage, rest)
        return stage

    def copied(self) -> Iterator[str]:
        """Give what is copied from the context."""
        for word, rest in self.instructions:
            if word == "COPY" and "--from=" not in rest:
                yield from shlex.split(rest)[:-1]

    def _begin(self, rest: str) -> Stage:
        image, _, name = rest.partition(" AS ")
        assert image == "debian:trixie-slim", f"only that base is known here, and not {image}"
        root = self._folder / f"stage-{len(self.stages)}"
        subprocess.run(["cp", "--archive", "--reflink=auto", str(self._base), str(root)], check=True)
        return self.stages.setdefault(name or str(len(self.stages)), Stage(root))

    def _run(self, stage: Stage, rest: str) -> None:
        environment = {**stage.environment, "DEBIAN_FRONTEND": "noninteractive", **network(stage)}
        command = ["chroot", str(stage.root), "/bin/sh", "-c", f"cd {shlex.quote(stage.directory)} && {rest}"]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"RUN {rest}\n{run.stdout[-2000:]}\n{run.stderr[-4000:]}"

    def _copy(self, stage: Stage, rest: str) -> None:
        *sources, target = shlex.split(rest)
        source = self.context
        if sources[0].startswith("--from="):
            source = self.stages[sources.pop(0).removeprefix("--from=")].root
        for name in sources:
            place = stage.at(target) / Path(name).name if target.endswith("/") else stage.at(target)
            if (source / name.strip("/")).is_dir():
                ignored = shutil.ignore_patterns("__pycache__") if source == self.context else None
                shutil.copytree(
                    source / name.strip("/"), stage.at(target), symlinks=True, ignore=ignored, dirs_exist_ok=True
                )
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, place)

    def _workdir(self, stage: Stage, rest: str) -> None:
        stage.directory = rest
        stage.at(rest).mkdir(parents=True, exist_ok=True)

    def _env(self, stage: Stage, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            stage.environment[name] = value

    def _user(self, stage: Stage, rest: str) -> None:
        stage.user = rest

    def _expose(self, stage: Stage, rest: str) -> None:
        stage.exposed = {int(port) for port in rest.split()}

    def _entrypoint(self, stage: Stage, rest: str) -> None:
        stage.entrypoint = json.loads(rest)

    def _cmd(self, stage: Stage, rest: str) -> None:
        assert isinstance(json.loads(rest), list)

    def _label(self, stage: Stage, rest: str) -> None:
        assert all("=" in pair for pair in shlex.split(rest))


def network(stage: Stage) -> dict[str, str]:
    """Give the variables by which a build gets through to the network; a certificate is lent to the stage."""
    found = {name: os.environ[name] for name in NETWORK if name in os.environ}
    if certificate := os.environ.get("PIP_CERT"):
        shutil.copy2(certificate, stage.at("/run/lent.crt"))
        found["PIP_CERT"] = "/run/lent.crt"
    return found
