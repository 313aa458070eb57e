"""What an API server wraps objects in: the pages of a list, and the lines of a watch.

The objects inside stay raw bytes, to be decoded once and straight into the nouns of kube. A watch's ERROR is raised as
the error that its Status is, bookmarks give the version they carry, and what is no envelope at all is a StreamError:
whoever reads it has lost the thread and must list anew.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from sevengate.cluster.errors import Status, StreamError, error_of

T = TypeVar("T")

BOOKMARK: Final = "BOOKMARK"
ADDED: Final = "ADDED"
DELETED: Final = "DELETED"
_ERROR: Final = "ERROR"
_TYPES: Final = frozenset({ADDED, "MODIFIED", DELETED, BOOKMARK, _ERROR})
#: The annotation of the bookmark that ends a streamed list.
_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class _PageMetadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str | None = None
    next_page: str | None = msgspec.field(name="continue", default=None)


class _Page(msgspec.Struct, frozen=True):
    metadata: _PageMetadata
    items: list[msgspec.Raw] | None = None


class Page(msgspec.Struct, frozen=True):
    """A part of a list: raw objects, the version of the whole, and the token of the next part or ""."""

    items: Sequence[msgspec.Raw]
    version: str
    next_page: str


class Line(msgspec.Struct, frozen=True, gc=False):
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, and the raw object."""

    type: str
    object: msgspec.Raw


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    """What of an object's metadata can be read even where the rest cannot."""

    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = None
    annotations: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """`namespace/name`, or `name`; "" for what has none."""
        return f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name or ""


class _Identified(msgspec.Struct, frozen=True):
    metadata: Identity = Identity()


_pages = msgspec.json.Decoder(_Page)
_lines = msgspec.json.Decoder(Line)
_identified = msgspec.json.Decoder(_Identified)
_statuses = msgspec.json.Decoder(Status)


def read_page(body: bytes) -> Page:
    """Read one page of a list; its items may be null."""
    page = _decode(_pages, body)
    return Page(page.items or (), page.metadata.resource_version or "", page.metadata.next_page or "")


def read_line(line: bytes) -> Line:
    """Read one line of a watch; raise the ApiError that an ERROR stands for."""
    read = _decode(_lines, line)
    if read.type == _ERROR:
        raise error_of(_decode(_statuses, read.object).code or 500, bytes(read.object))
    if read.type not in _TYPES:
        raise StreamError(f"a watch has no event of type {read.type[:40]!r}")
    return read


def identity_of(raw: bytes | msgspec.Raw) -> Identity:
    """Read who an object is, as far as that can be read."""
    try:
        return _identified.decode(raw).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Identity()


def part_at_end(lines: Sequence[Line]) -> tuple[Sequence[Line], Line | None, Sequence[Line]]:
    """Part lines at the bookmark that ends a streamed list; without one, all of them come before it."""
    for position, line in enumerate(lines):
        if line.type == BOOKMARK and (identity_of(line.object).annotations or {}).get(_INITIAL_EVENTS_END) == "true":
            return lines[:position], line, lines[position + 1 :]
    return lines, None, ()


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StreamError(f"the server sent what is no list and no event: {error}") from None
