"""Keep the examples of README.md and of docs/ true: each shows a file as it is, or a command and what it prints.

A block that begins with `$ sevengate ...` is run, and what follows in the block is replaced by what it printed. A block
of YAML that begins with `# examples/...` shows that file. With --check nothing is written, and the exit code is 1 if
something would have changed.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"(?<=^```console\n)\$ (sevengate [^\n]+)\n.*?(?=^```$)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?<=^```yaml\n)# (examples/\S+)\n.*?(?=^```$)", re.MULTILINE | re.DOTALL)


def answered(block: re.Match[str]) -> str:
    """Give the block with the answer that its command gives today."""
    command = [sys.executable, "-m", *shlex.split(block[1])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return f"$ {block[1]}\n{done.stdout}"


def shown(block: re.Match[str]) -> str:
    """Give the block with the file that it names as it is today."""
    return f"# {block[1]}\n{(ROOT / block[1]).read_text(encoding='utf-8')}"


def main() -> int:
    """Write the pages with true examples, or say with --check whether they have them."""
    stale = [page for page in PAGES if not is_true(page, write="--check" not in sys.argv)]
    for page in stale:
        print(f"{page.relative_to(ROOT)} shows what is no longer so; make reference writes it anew")
    return int(bool(stale))


def is_true(page: Path, *, write: bool) -> bool:
    """Say whether the examples of a page are true, after writing true ones if that is asked for."""
    written = page.read_text(encoding="utf-8")
    true = FILE.sub(shown, BLOCK.sub(answered, written))
    if write and written != true:
        page.write_text(true, encoding="utf-8")
    return write or written == true


if __name__ == "__main__":
    sys.exit(main())
