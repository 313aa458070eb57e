import os
from pathlib import Path

import pytest

from sevengate.nginx.processors import processors


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run on a machine with 64 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def asked(folder: Path, ours: str, **quotas: str) -> int:
    """Ask with `/proc/self/cgroup` and the files of cgroups by their paths, `/` written as `__`."""
    (folder / "ours").write_text(ours)
    for name, text in quotas.items():
        file = folder / "cgroups" / name.replace("__", "/").replace("cpu_", "cpu.", 1)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return processors(folder / "cgroups", folder / "ours")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("ours", "quotas", "expected"),
    [
        ("0::/\n", {}, 64),
        ("0::/\n", {"cpu_max": "max 100000"}, 64),
        ("0::/\n", {"cpu_max": "200000 100000"}, 2),
        ("0::/\n", {"cpu_max": "150000 100000"}, 2),
        ("0::/\n", {"cpu_max": "1000 100000"}, 1),
        ("0::/\n", {"cpu_max": "99900000 100000"}, 64),
        ("0::/kube/pod\n", {"kube__cpu_max": "400000 100000", "kube__pod__cpu_max": "max 100000"}, 4),
        ("0::/kube/pod\n", {"kube__cpu_max": "max 100000", "kube__pod__cpu_max": "300000 100000"}, 3),
        ("5:cpuset:/\n4:cpu,cpuacct:/host/only\n", {"cpu__cpu_cfs_quota_us": "250000"}, 64),
        ("", {"cpu_max": "nonsense"}, 64),
        ("0::/\n", {"cpu_max": "nonsense"}, 64),
        ("0::/\n", {"cpu_max": "100000 0"}, 64),
    ],
)
def test_a_quota_counts_where_it_is_less_than_the_processors(
    tmp_path: Path, ours: str, quotas: dict[str, str], expected: int
) -> None:
    assert asked(tmp_path, ours, **quotas) == expected


@pytest.mark.usefixtures("many")
def test_the_first_version_of_cgroups_is_understood_too(tmp_path: Path) -> None:
    quotas = {"cpu__cpu_cfs_quota_us": "250000", "cpu__cpu_cfs_period_us": "100000"}
    assert asked(tmp_path, "4:cpu,cpuacct:/host/only\n", **quotas) == 3
    assert asked(tmp_path, "4:cpu,cpuacct:/host/only\n", cpu__cpu_cfs_quota_us="-1") == 64


def test_on_this_machine_it_is_no_more_than_the_scheduler_allows() -> None:
    assert 1 <= processors() <= len(os.sched_getaffinity(0))
