"""What goes on in a lab, as tables to be looked at: nodes, pods, Services, Ingresses, and the newest requests.

Takes Mirrors, and the folder in which the kubelet keeps logs; gives Sections of plain text. The cells are those of
`kubectl get`. Requests are read from the access logs of the gates that run as pods. How it is shown is the terminal's
business.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from sevengate.cluster.resources import INGRESSES, NODES, PODS, SERVICES, Resource
from sevengate.lab.apiserver.columns import COLUMNS
from sevengate.lab.mirror import Change, Mirrors, Object

#: Rows that are shown of each table; a lab may have thousands.
MOST_ROWS: Final = 12
_SHOWN: Final[dict[Resource, tuple[str, ...]]] = {
    NODES: ("Status", "Roles", "Internal-IP"),
    PODS: ("Ready", "Status", "Restarts", "IP", "Node"),
    SERVICES: ("Type", "Cluster-IP", "External-IP", "Port(s)"),
    INGRESSES: ("Class", "Hosts", "Address"),
}
#: A line of NGINX's access log as gates write it: client, request, status, Service, endpoint.
_REQUEST: Final = re.compile(
    r'(?P<client>[0-9a-fA-F.:]+) - \S* \[[^\]]*\] "(?P<request>[^"]*)" (?P<status>\d{3}) .*'
    r"\[(?P<service>[^\]]*)\] \[[^\]]*\] (?P<endpoint>\S+) "
)
_TAIL: Final = 16 * 1024
_REQUESTS: Final = 8


class Section(msgspec.Struct, frozen=True):
    """One table: its title, column names, rows, and how many rows there are besides."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


class View:
    """Looks at one lab."""

    def __init__(self, mirrors: Mirrors, logs: Path) -> None:
        self._mirrors = {resource: mirrors.of(resource) for resource in _SHOWN}
        self._logs = logs
        # The objects that have changed since somebody asked for news, and what was said of each.
        self._changed: dict[tuple[Resource, str], Object | None] = {}
        self._said: dict[tuple[Resource, str], str] = {}
        for resource in (NODES, PODS):
            self._mirrors[resource].subscribe(partial(self._heard, resource))

    def _heard(self, resource: Resource, change: Change) -> None:
        self._changed[resource, change.key] = change.after

    def sections(self) -> Iterator[Section]:
        """Give what there is now."""
        for resource, columns in _SHOWN.items():
            yield _section(resource, columns, self._mirrors[resource].objects)
        if requests := tuple(self._requests()):
            yield Section("Requests", ("Client", "Request", "Status", "Service", "Endpoint"), requests)

    def news(self) -> Iterator[str]:
        """Give a line for each node and pod that is not what was said of it the last time."""
        changed, self._changed = self._changed, {}
        for (resource, key), thing in changed.items():
            cells = _cells(thing, _SHOWN[resource]) if thing else ("gone",)
            line = f"{resource.kind.lower()} {key}: {' '.join(cell for cell in cells if cell not in {'', '<none>'})}"
            if self._said.get((resource, key)) != line:
                self._said[resource, key] = line
                yield line

    def _requests(self) -> Iterator[tuple[str, ...]]:
        """Give the newest requests, the newest last."""
        lines = sorted(line for log in self._gate_logs() for line in _last_lines(log))
        found = [match for line in lines if (match := _REQUEST.search(line))]
        for match in found[-_REQUESTS:]:
            yield (match["client"], match["request"], match["status"], match["service"], match["endpoint"])

    def _gate_logs(self) -> Iterator[Path]:
        for pod in self._mirrors[PODS].objects.values():
            if any(re.search("sevengate|ingress", one.get("image", "")) for one in pod["spec"]["containers"]):
                yield from (self._logs / pod["metadata"]["uid"] / "logs").rglob("*.log")


def _section(resource: Resource, columns: tuple[str, ...], objects: Mapping[str, Object]) -> Section:
    keys = sorted(objects)
    rows = tuple((_shown_key(key), *_cells(objects[key], columns)) for key in keys[:MOST_ROWS])
    return Section(resource.plural.capitalize(), ("Name", *columns), rows, max(0, len(keys) - MOST_ROWS))


def _shown_key(key: str) -> str:
    return key.removeprefix("default/")


def _cells(thing: Object, wanted: tuple[str, ...]) -> tuple[str, ...]:
    known = COLUMNS[thing["kind"]]
    cells = dict(zip(known.titles, known.cells(thing, datetime.now(UTC)), strict=True))
    # When the last restart was changes by itself, and the picture is to be calm.
    return tuple(str(cells[title]).partition(" (")[0] for title in wanted)


def _last_lines(log: Path) -> list[str]:
    """Give the last lines of a log, each with the time at which it came at its beginning."""
    try:
        with log.open("rb") as file:
            start = max(0, log.stat().st_size - _TAIL)
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
            return lines[1:] if start else lines
    except OSError:
        return []
