"""Real kubectl against a whole lab: the rows of kubectl.yaml that take nodes and controllers."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.kubectl import Kubectl, rows
from tests.lab.whole import Whole, whole_lab

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Whole]:
    with whole_lab() as lab:
        yield lab


@pytest.mark.parametrize(("version", "row"), rows(needs_cluster=True))
def test_kubectl(lab: Whole, tmp_path: Path, version: str, row: dict[str, Any]) -> None:
    Kubectl(lab.kubeconfig, tmp_path, f"test-{next(NUMBERS)}", version).try_row(row)
