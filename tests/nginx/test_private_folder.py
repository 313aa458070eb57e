"""Where the package lies in a folder that only its owner may enter, NGINX's workers, who are nobody, still serve."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT

EXPECTED = "- {request: {url: 'http://nobody.example/'}, expect: {status: 404}}\n"


def test_workers_need_not_read_the_package(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(ROOT / "sevengate", private / "sevengate")
    (tmp_path / "expect.yaml").write_text(EXPECTED, encoding="utf-8")
    manifest = ROOT / "examples" / "article"
    command = (sys.executable, "-m", "sevengate", "test", str(manifest), "--expect", str(tmp_path / "expect.yaml"))
    done = subprocess.run(
        [*command, "--live"],
        env={"PYTHONPATH": str(private), "PATH": "/usr/sbin:/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
