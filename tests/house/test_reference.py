"""The pages of docs/ that are made from tables are what the tables say."""

from pathlib import Path

import pytest

from sevengate.annotations.catalogue import KNOWN
from sevengate.diagnostics import CODES
from sevengate.metrics import METRICS
from sevengate.settings import SETTINGS, UNSUPPORTED
from tools import reference


def test_the_pages_are_fresh() -> None:
    assert reference.stale(reference.DOCS) == [], "`make reference` writes them"


def test_a_page_that_was_changed_or_is_missing_is_stale(tmp_path: Path) -> None:
    assert reference.stale(tmp_path) == [*reference.PAGES]
    reference.write(tmp_path)
    assert reference.stale(tmp_path) == []
    (tmp_path / "settings.md").write_text("# Settings\n")
    assert reference.stale(tmp_path) == ["settings.md"]


def test_a_check_says_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "annotations.md" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_every_name_that_is_known_is_documented() -> None:
    pages = reference.annotations() + reference.settings() + reference.diagnostics() + reference.metrics()
    assert [name for name in (*KNOWN, *SETTINGS, *UNSUPPORTED, *CODES, *METRICS) if f"`{name}`" not in pages] == []
