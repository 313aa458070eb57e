"""Writes the pages of docs/ that are made from tables in the code: annotations, settings, diagnostics, flags.

Without arguments it writes them; with `--check` it says which are stale and exits with 1. It reads the tables and
nothing else, so a page can only be wrong where the code is.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sevengate.annotations import access, balancing, canaries, proxying, redirects, rewriting, unsupported
from sevengate.annotations.rows import Annotation
from sevengate.cli.flags import FLAGS_BY_AREA, Flag
from sevengate.diagnostics import CODES
from sevengate.metrics import CONTROLLER, NGINX, OF_CONTROLLER, OF_WEBHOOK, REQUESTS, Family
from sevengate.settings import SETTINGS, UNSUPPORTED, UNSUPPORTED_GUARDS

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
_MADE: Final = "<!-- Made by tools/reference.py from the tables in the code; edit those. -->"

_FAMILIES: Final[tuple[tuple[str, tuple[Annotation[Any], ...]], ...]] = (
    ("Paths, and what the backend sees", rewriting.ROWS),
    ("Redirects", redirects.ROWS),
    ("Talking to the backend", proxying.ROWS),
    ("Choosing an endpoint", balancing.ROWS),
    ("Who may come in", access.ROWS),
    ("Canaries", canaries.ROWS),
)


def annotations() -> str:
    """Give the page of the annotations."""
    return _page(
        "Annotations",
        "All names stand under `nginx.ingress.kubernetes.io/`, or under the prefix that the controller was given. "
        "A value that cannot be read is left out, with an error that names it. With a **guard** it is different: what "
        "cannot be honoured closes the routes of the Ingress, which then answer 503. Regular expressions are those of "
        "[regular-expressions.md](regular-expressions.md).",
        *(part for title, rows in _FAMILIES for part in (f"## {title}", _annotation_table(rows))),
        "## Known, and not carried out yet",
        f"These may guard access, so an Ingress that has one is closed: {_names(unsupported.GUARDS)}.",
        "Not closed for a value that asks for nothing: "
        + ", ".join(f"`{name}: {text}`" for name, texts in sorted(unsupported.IDLE.items()) for text in sorted(texts))
        + ".",
        "These get a warning, and the Ingress is served without them: "
        f"{_names(unsupported.NAMES - unsupported.GUARDS)}.",
    )


def settings() -> str:
    """Give the page of the settings."""
    rows = [
        (f"`{name}`", _code(row.default), row.help + (" **Guard.**" if row.guards else ""))
        for name, row in SETTINGS.items()
    ]
    return _page(
        "Settings",
        "Keys of the ConfigMap that `--configmap` names, with the defaults of ingress-nginx. Durations are seconds or "
        "have units (`90`, `1m30s`), sizes are bytes or have units (`8k`, `1m`). A value that cannot be read leaves "
        "the default, with an error that names the key; for a **guard** it closes every route.",
        _table(("key", "default", "what it does"), rows),
        "## Known, and not carried out yet",
        f"These guard access, so any value but `false` closes every route: {_names(UNSUPPORTED_GUARDS)}.",
        f"These get a warning: {_names(UNSUPPORTED - UNSUPPORTED_GUARDS)}.",
    )


def diagnostics() -> str:
    """Give the page of the diagnostics."""
    parts = [
        part
        for group, codes in groupby(CODES, key=lambda code: code.split("/")[0])
        for part in (f"## {group}", _table(("code", "meaning"), [(f"`{code}`", CODES[code]) for code in codes]))
    ]
    return _page(
        "Diagnostics",
        "What Sevengate can complain about. Each complaint names its object and field, and file and line where the "
        "object came from a file. An **error** means that something is not served as it was asked for, a **warning** "
        "that it is served, but not as one may think; a **notice** informs.",
        *parts,
    )


def flags() -> str:
    """Give the page of the flags."""
    parts = [
        part
        for area, rows in FLAGS_BY_AREA.items()
        for part in (f"## {area}", _table(("flag", "default", "", "why"), [_flag_row(row) for row in rows]))
    ]
    return _page(
        "Flags of ingress-nginx",
        "`sevengate run` and `sevengate controller` take every flag of ingress-nginx 1.15 and of klog, written as Go's "
        "programs have it: `--name=value`, `--name value`, one dash or two, for a switch `--name` or `--name=false`. "
        "So the arguments of a deployment of ingress-nginx start them. A flag without effect is named once in the log, "
        "with the reason, unless its value asks for what is so anyway; a flag that is refused ends the start. What the "
        "flags that are carried out do stands in [commands.md](commands.md#sevengate-run).",
        *parts,
    )


def _flag_row(row: Flag) -> tuple[str, ...]:
    return f"`--{row.name}`", _code(row.default), row.honour.value, row.why


def metrics() -> str:
    """Give the page of the metrics."""
    return _page(
        "Metrics",
        "What `/metrics` on port 10254 says, in Prometheus' text format; [how to use it](monitoring.md). "
        "Names that begin with `nginx_ingress_controller_` are ingress-nginx's, those with `sevengate_` are our own. "
        f"All but the two of certificates also have the labels {_names(CONTROLLER)}.",
        "## Requests",
        "Only with `--enable-metrics`. A histogram has a series `_bucket` for each bound (label `le`), `_sum` and "
        "`_count`.",
        _metric_table(REQUESTS),
        "## NGINX",
        _metric_table(NGINX),
        "## The controller",
        _metric_table(OF_CONTROLLER),
        "## The validating webhook",
        _metric_table(OF_WEBHOOK),
    )


PAGES: Final[dict[str, Callable[[], str]]] = {
    "annotations.md": annotations,
    "diagnostics.md": diagnostics,
    "metrics.md": metrics,
    "flags.md": flags,
    "settings.md": settings,
}


def stale(folder: Path) -> list[str]:
    """Give the names of the pages in the folder that are missing or not what the code says."""
    return [
        name
        for name, make in PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != make()
    ]


def write(folder: Path) -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    if arguments != ["--check"]:
        write(DOCS)
        return 0
    names = stale(DOCS)
    if names:
        print(f"stale in docs/: {', '.join(names)}; `make reference` writes them", file=sys.stderr)
    return int(bool(names))


def _annotation_table(rows: Iterable[Annotation[Any]]) -> str:
    return _table(
        ("name", "example", "what it does", "scope", "risk"),
        [(_annotation_name(row), _code(row.example), _annotation_text(row), row.scope, row.risk) for row in rows],
    )


def _annotation_name(row: Annotation[Any]) -> str:
    return " or ".join(f"`{name}`" for name in (row.name, *row.aliases))


def _annotation_text(row: Annotation[Any]) -> str:
    return row.summary + (" **Guard.**" if row.guards else "")


def _metric_table(families: Mapping[str, Family]) -> str:
    rows = [
        (f"`{name}`", family.kind, ", ".join(f"`{label}`" for label in family.labels), family.help)
        for name, family in families.items()
    ]
    return _table(("name", "type", "labels", "what it says"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    # A bar ends a cell even within backquotes.
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _MADE, *parts)) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
