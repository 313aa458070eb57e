"""Look through all tracked text for what belongs to one machine and must not be published.

That is: paths of somebody's home or checkout, and options or addresses that say where Python packages come from, which
is the installer's own setting. Prints each place as file:line and exits 1 if there is any. Routes in manifests and
tests may look like paths of a machine, so only roots under which people keep their work are looked for.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PRIVATE_ROOTS = ("home/[a-z]", "root/[.a-z]", "Users/[A-Za-z]", "work/[a-z]", "workspace/[a-z]", "farm/[a-z]")
MACHINE_PATH = re.compile(rf"(?<![\w./$}}:-])/(?:{'|'.join(PRIVATE_ROOTS)})")
PACKAGE_SOURCE = re.compile(
    r"https?://\S*(?:/simple(?![\w-])|pypi|pythonhosted|/packages/|registry)|--(?:extra-)?index-url|--find-link[s]"
)


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Give name and text of each file that Git knows and that is there; what is no UTF-8 text is passed over."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listing.stdout.split("\0")):
        with suppress(FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            yield name, (ROOT / name).read_text(encoding="utf-8")


def findings(name: str, text: str) -> Iterator[str]:
    """Give `file:line: what` for each line that names a machine's path or a package source."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in (("path of one machine", MACHINE_PATH), ("source of packages", PACKAGE_SOURCE)):
            if found := pattern.search(line):
                yield f"{name}:{number}: {what}: {found[0]}"


def main() -> int:
    """Print all findings; give 1 if there are any."""
    found = [finding for name, text in tracked_texts() for finding in findings(name, text)]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
