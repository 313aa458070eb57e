"""Golden tests: tests/golden/<topic>/<sentence>.yaml holds plain manifests, its siblings what they must become.

`.routes` is the routing table as `sevengate routes` prints it; `.diagnostics` what there is to say, and a missing one
means that nothing may be said; `.statuses` what the Ingresses' statuses say; `.served` which route serves the
requests of the head. `pytest tests/golden --update` rewrites them all; the reviewer reads the diff.

The head of a manifest, its first lines of comment, may hold `options: {...}` (fields of Options) and `request: URL`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest
import yaml

from sevengate.compiler.compile import Compilation, compile_all
from sevengate.diagnostics import Diagnostic
from sevengate.files import Manifests, load
from sevengate.routing.match import serve
from sevengate.routing.request import Request
from sevengate.routing.table import RoutingTable
from sevengate.routing.text import table_text
from sevengate.settings import Options

HERE: Final = Path(__file__).parent
CASES: Final = sorted(path.relative_to(HERE).with_suffix("") for path in HERE.glob("*/*.yaml"))
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Head(NamedTuple):
    """What the first lines of a golden manifest ask for."""

    options: Options
    requests: list[str]


def read_head(text: str) -> Head:
    options, requests = Options(), []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        word, _, value = line.removeprefix("#").strip().partition(": ")
        if word == "options":
            options = msgspec.convert(yaml.safe_load(value), Options)
        elif word == "request":
            requests.append(value)
    return Head(options, requests)


def diagnostic_text(diagnostic: Diagnostic, manifests: Manifests) -> str:
    origin = None if diagnostic.where.origin else manifests.locate(diagnostic.where)
    line = f"line {origin.line}: " if origin else ""
    hint = f"    {diagnostic.hint}\n" if diagnostic.hint else ""
    return f"{line}{diagnostic}\n{hint}"


def diagnostics_text(compilation: Compilation, manifests: Manifests) -> str:
    found = [diagnostic for _, group in sorted(compilation.diagnostics.items()) for diagnostic in group]
    return "".join(diagnostic_text(diagnostic, manifests) for diagnostic in [*manifests.diagnostics, *found])


def statuses_text(compilation: Compilation) -> str:
    return "".join(f"{ref}: {status}\n" for ref, status in sorted(compilation.statuses.items()))


def served_text(table: RoutingTable, urls: list[str]) -> str:
    return "".join(f"{url} -> {served(table, url)}\n" for url in urls)


def served(table: RoutingTable, url: str) -> str:
    scheme, host, path, query, _ = urlsplit(url)
    outcome = serve(table, Request(host, f"{path}?{query}" if query else path, scheme=scheme))
    route = outcome.route.name if outcome.route else "nobody"
    return f"{outcome.status} {route}" if outcome.status else route


def expectations(case: Path) -> dict[str, str]:
    """Compile the manifests of a case and give what its siblings ought to hold, by suffix."""
    path = HERE / f"{case}.yaml"
    head = read_head(path.read_text(encoding="utf-8"))
    manifests = load([str(path)])
    compilation = compile_all(manifests.snapshot, head.options, NOW)
    return {
        ".routes": table_text(compilation.table),
        ".diagnostics": diagnostics_text(compilation, manifests).replace(f"{path}:", "line "),
        ".statuses": statuses_text(compilation),
        ".served": served_text(compilation.table, head.requests),
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_manifests_become_what_is_expected(case: Path, update: bool) -> None:
    for suffix, text in expectations(case).items():
        expected = (HERE / case).with_suffix(suffix)
        if update:
            write(expected, text)
        assert text == (expected.read_text(encoding="utf-8") if expected.exists() else ""), suffix


def test_no_expectation_is_without_its_manifests() -> None:
    suffixes = {".routes", ".diagnostics", ".statuses", ".served"}
    left = {path for path in HERE.glob("*/*") if path.suffix in suffixes and not path.with_suffix(".yaml").exists()}
    assert left == set()


def write(path: Path, text: str) -> None:
    if text:
        path.write_text(text, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
