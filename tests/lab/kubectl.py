"""Real kubectl, of each version that tests/lab/kubectl.yaml names, and the rows of that table to try with it."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

TABLE: Final[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("kubectl.yaml").read_text(encoding="utf-8"))
#: The programs by version; those of the table are brought by tools/setup.sh, KUBECTL=/path/to/another tries that one.
PROGRAMS: Final[dict[str, Path]] = (
    {"KUBECTL": Path(os.environ["KUBECTL"])}
    if "KUBECTL" in os.environ
    else {version: Path(sys.executable).with_name(name) for version, name in TABLE["versions"].items()}
)
NEWEST: Final = next(iter(PROGRAMS))


class Kubectl:
    """kubectl of one version in one namespace of a lab, in a folder that holds the manifests of the table."""

    def __init__(self, kubeconfig: str, folder: Path, namespace: str, version: str = NEWEST) -> None:
        self.folder = folder
        self.namespace = namespace
        self.program = PROGRAMS[version]
        if not self.program.is_file():
            pytest.skip(f"there is no kubectl {version} here")
        (folder / "kubeconfig").write_text(kubeconfig, encoding="utf-8")
        for name, manifests in TABLE["given"].items():
            (folder / name).write_text(manifests, encoding="utf-8")
        self.must("create namespace NAMESPACE")

    def command(self, line: str) -> list[str]:
        """Split a line as far as its last option, whose value may hold spaces and quotes."""
        words = line.replace("NAMESPACE", self.namespace)
        for option in (" -p ", " -l ", " -o ", " -- sh -c "):
            head, there, value = words.partition(option)
            if there and " --" not in value and " -o" not in value:
                return [str(self.program), "--namespace", self.namespace, *head.split(), *option.split(), value]
        return [str(self.program), "--namespace", self.namespace, *words.split()]

    def environment(self, editor: str = "") -> dict[str, str]:
        """Give the variables under which kubectl runs."""
        own = {"KUBECONFIG": str(self.folder / "kubeconfig"), "KUBECACHEDIR": str(self.folder / "cache")}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBE_EDITOR": editor, **own}

    def run(self, line: str, editor: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command line, without the word kubectl, to its end."""
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

    def must(self, line: str, editor: str = "") -> str:
        """Run a command line that has to succeed; gives what it printed."""
        done = self.run(line, editor)
        assert done.returncode == 0, f"kubectl {line}\n{done.stdout}"
        return done.stdout

    def follow(self, line: str) -> subprocess.Popen[str]:
        """Start a command line that goes on printing."""
        return subprocess.Popen(
            self.command(line), cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, text=True
        )

    def try_row(self, row: dict[str, Any]) -> None:
        """Do what a row of the table says, and see that it is so."""
        for name in row.get("given", ()):
            self.must(f"apply -f {name}")
        *before, last = row["run"]
        for line in before:
            self.must(line, row.get("editor", ""))
        done = self.run(last, row.get("editor", ""))
        assert (done.returncode != 0) == row.get("fails", False), done.stdout
        in_order(done.stdout, row["prints"])
        assert [text for text in row.get("lacks", ()) if text in done.stdout] == []


def in_order(output: str, texts: Iterable[str]) -> None:
    """See that an output holds some texts, one after the other."""
    place = 0
    for text in texts:
        place = output.find(text, place)
        assert place >= 0, f"no {text!r} in:\n{output}"


def rows(*, needs_cluster: bool) -> list[Any]:
    """Give each version with each row that is to be tried with it, as parameters of a test."""
    return [
        pytest.param(version, row, id=f"{version}-{row['what'].replace(' ', '-')}")
        for version in PROGRAMS
        for row in TABLE["rows"]
        if row.get("cluster", False) is needs_cluster
    ]
