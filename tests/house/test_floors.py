"""The contracts of pyproject.toml hold: floors, walls, and the pure core."""

import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT


def test_every_contract_between_rooms_is_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    linted = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
