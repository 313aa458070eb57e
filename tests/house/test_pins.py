"""Every Python package is pinned to one version and proved by hash, and the two lists agree."""

import re
import tomllib

from tests.house.sources import ROOT

PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def pins(file: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / file).read_text(encoding="utf-8")))


def names(requirements: list[str]) -> set[str]:
    return {found[0].lower().replace("_", "-") for text in requirements if (found := NAME.match(text))}


def test_everything_that_the_project_asks_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run, develop = project["project"]["dependencies"], project["dependency-groups"]["dev"]
    extras = [text for texts in project["project"]["optional-dependencies"].values() for text in texts]
    assert names(run) <= pins("requirements.txt").keys()
    assert names(run + extras + develop) <= pins("constraints.txt").keys()


def test_what_runs_and_what_builds_the_wheel_is_pinned_alike_in_all_lists() -> None:
    running, building, everything = pins("requirements.txt"), pins("tools/wheel.txt"), pins("constraints.txt")
    assert running.items() | building.items() <= everything.items()


def test_every_pin_has_a_hash() -> None:
    for file in ("requirements.txt", "constraints.txt", "tools/programs.txt", "tools/wheel.txt"):
        packages = re.split(r"^(?=[a-z0-9])", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert [package for package in packages if package.strip() and "--hash=sha256:" not in package] == []
