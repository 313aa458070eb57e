"""What belongs to one machine is found, and what only looks like it is not."""

import pytest

from tools.tracked import findings, tracked_texts


@pytest.mark.parametrize(
    "line",
    [
        "see " + "/home" + "/ann/sevengate",
        '"' + "/root" + '/.cache/x"',
        "cd " + "/Users" + "/Ann/x",
        "pip install --" + "index-url x",
        "https" + "://pypi.example/simple/",
    ],
)
def test_a_machine_path_or_a_package_source_is_found(line: str) -> None:
    assert [finding.split(":")[:2] for finding in findings("a.md", f"fine\n{line}\n")] == [["a.md", "2"]]


@pytest.mark.parametrize(
    "line", ["/etc/nginx/nginx.conf", "path: /home", "docs/work/x", "https://example.com/simple-page"]
)
def test_a_system_path_a_route_or_a_page_is_fine(line: str) -> None:
    assert list(findings("a.md", line)) == []


def test_no_tracked_file_names_what_belongs_to_one_machine() -> None:
    texts = list(tracked_texts())
    assert texts
    assert [finding for name, text in texts for finding in findings(name, text)] == []
