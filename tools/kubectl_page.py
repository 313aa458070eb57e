"""Writes docs/kubectl.md: what kubectl does against the lab, from the table that its tests run.

Without arguments it writes the page; with `--check` it says whether the page is stale and exits with 1. A row is on the
page because a test runs it with a real kubectl, so the page cannot promise more than is so.
"""

import sys
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "tests" / "lab" / "kubectl.yaml"
PAGE: Final = ROOT / "docs" / "kubectl.md"

_INTRODUCTION: Final = """\
# kubectl and the lab

<!-- Made by tools/kubectl_page.py from tests/lab/kubectl.yaml; edit that. -->

`sevengate lab kubectl ...` runs kubectl against the lab, and any kubectl finds it by its kubeconfig. Each row is run by
a test with each of these versions of real kubectl; the last command is the one that shows it.
`KUBECTL=/path/to/kubectl make test ARGS=tests/lab` tries another one; 1.29, 1.31 and 1.33 pass as well.
`get --watch`, which does not end by itself, is tried beside the table.
"""


def page(table: dict[str, Any]) -> str:
    """Give the page for a table of rows."""
    versions = list(table["versions"])
    lines = [
        f"| what | kubectl ... | {' | '.join(versions)} |",
        "|---" * (2 + len(versions)) + "|",
        *(_line(row, len(versions)) for row in table["rows"]),
    ]
    return _INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def _line(row: dict[str, Any], versions: int) -> str:
    commands = "<br>".join(f"`{_cell(command)}`" for command in row["run"])
    return f"| {_cell(row['what'])} | {commands} |" + " yes |" * versions


def _cell(text: str) -> str:
    # A bar ends a cell even within backquotes.
    return str(text).replace("|", r"\|")


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    wanted = page(yaml.safe_load(TABLE.read_text(encoding="utf-8")))
    if arguments != ["--check"]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    is_fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted
    if not is_fresh:
        print("docs/kubectl.md is stale; `make reference` writes it", file=sys.stderr)
    return int(not is_fresh)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
