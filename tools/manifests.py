"""Write what is made from the Helm chart: the plain manifests of deploy/, and the table of values in docs/helm.md.

Without arguments it writes them; with `--check` it says which are stale and exits with 1. There is one manifest for
each file of deploy/modes/, which holds the values that make that mode. It needs `helm` (tools/programs.py); where that
is not to be had, the manifests are left as they are, and it says so.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
HELM: Final = Path(sys.executable).with_name("helm")
CHART: Final = ROOT / "deploy" / "chart" / "sevengate"
MODES: Final = ROOT / "deploy" / "modes"
PAGE: Final = ROOT / "docs" / "helm.md"
NAME: Final = "sevengate"

#: What only helm is interested in, and what `kubectl apply` would be told a lie by.
_HELMS_OWN = re.compile(r"^(# Source: .*| +(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*)\n", re.MULTILINE)
_MARK = "<!-- Made by tools/manifests.py from the chart's values.yaml; edit that. -->\n"

_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
    pod-security.kubernetes.io/enforce: {level}
"""


def manifest(values: Path) -> str:
    """Render the chart with a file of values, Namespace included."""
    helm = [str(HELM), "template", NAME, str(CHART), "--namespace", NAME, "--values", str(values)]
    rendered = subprocess.run(helm, check=True, capture_output=True, text=True).stdout
    about = values.read_text(encoding="utf-8").splitlines()[0]
    made = f"{about}\n# Made by `make manifests` from deploy/modes/{values.name}; edit that.\n"
    # The host's network is more than what "restricted" allows, whatever else a pod does without.
    level = "privileged" if "hostNetwork: true" in rendered else "restricted"
    return f"{made}---\n{_NAMESPACE.format(name=NAME, level=level)}{_HELMS_OWN.sub('', rendered)}"


def value_rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Give path, default and explanation of each value that values.yaml explains in comments right above it."""
    path: list[tuple[int, str]] = []
    said: list[str] = []
    for line in text.splitlines():
        indent, body = len(line) - len(line.lstrip()), line.strip()
        if body.startswith("#"):
            said.append(body.removeprefix("#").strip())
            continue
        found = re.match(r"([\w.-]+):(?: (.*))?$", body)
        if found:
            path = [(depth, name) for depth, name in path if depth < indent] + [(indent, found[1])]
            if said:
                yield ".".join(name for _, name in path), found[2] or "", " ".join(said)
        said = []


def table() -> str:
    """Give the table of all values."""
    rows = value_rows((CHART / "values.yaml").read_text(encoding="utf-8"))
    lines = (
        f"| `{path}` | {f'`{default}`' if default else ''} | {explanation.replace('|', chr(92) + '|')} |"
        for path, default, explanation in rows
    )
    return "\n".join(["| Value | Default | What it is |", "|---|---|---|", *lines]) + "\n"


def outputs() -> Iterator[tuple[Path, str]]:
    """Give each file that is made, and what has to stand in it."""
    before, mark, _ = PAGE.read_text(encoding="utf-8").partition(_MARK)
    yield PAGE, f"{before}{mark or _MARK}\n{table()}"
    if HELM.is_file():
        for values in sorted(MODES.glob("*.yaml")):
            yield ROOT / "deploy" / values.name, manifest(values)
    else:
        print("manifests: there is no helm here, so the manifests of deploy/ are left as they are")


def main() -> int:
    """Write what is stale, or say what is."""
    stale = [(path, text) for path, text in outputs() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path, text in stale:
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} is stale; run: make manifests")
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
