"""What `sevengate lab up` shows while it runs: tables that are kept fresh on a terminal, lines of news elsewhere.

Takes a View (lab/view.py) and an event that ends it. The picture is drawn anew only when it differs, at most twice a
second, so that it is calm and costs nothing while nothing happens.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sevengate.cli.output import printable, say

if TYPE_CHECKING:
    from rich.console import Group

    from sevengate.lab.view import Section, View

_PAUSE: Final = 0.5
_GOOD: Final = frozenset({"Ready", "Running", "Completed"})
_BAD: Final = ("NotReady", "Error", "CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "Failed")


async def show(view: "View", where: Sequence[str], stop: asyncio.Event) -> None:
    """Show what goes on until `stop` is set; `where` says how the lab is reached."""
    for line in where:
        say(line)
    sys.stdout.flush()
    if sys.stdout.isatty():
        await _draw(view, where, stop)
    else:
        await _tell(view, stop)


async def _tell(view: "View", stop: asyncio.Event) -> None:
    """Print a line for each node and pod whose state has changed."""
    while not await _is_over(stop):
        for line in view.news():
            say(line)
        sys.stdout.flush()


async def _draw(view: "View", where: Sequence[str], stop: asyncio.Event) -> None:
    from rich.live import Live

    drawn: tuple[Section, ...] = ()
    with Live(auto_refresh=False, screen=True) as live:
        while not await _is_over(stop):
            sections = tuple(view.sections())
            if sections != drawn:
                live.update(_picture(sections, where), refresh=True)
                drawn = sections


async def _is_over(stop: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), _PAUSE)
    except TimeoutError:
        return False
    return True


def _picture(sections: "Sequence[Section]", where: Sequence[str]) -> "Group":
    from rich.console import Group
    from rich.text import Text

    ends = "Ctrl-C ends the lab and everything in it"
    return Group(*(Text(line, "bold") for line in where), Text(ends, "dim"), *map(_table, sections))


def _table(section: "Section") -> "Group":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in section.columns:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in section.rows:
        table.add_row(*(Text(printable(cell), _style(cell)) for cell in row))
    more = [Text(f"and {section.more} more", "dim")] if section.more else []
    return Group(Text(f"\n{section.title}", "bold cyan"), table, *more)


def _style(cell: str) -> str:
    if cell in _GOOD:
        return "green"
    return "red" if cell.startswith(_BAD) else ""
