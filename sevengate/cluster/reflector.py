"""One reflector keeps up with one Selection: it lists all objects once, then follows what the server says changed.

It gives each object as it is now, decoded, or Deleted, to `deliver`. A server that can streams the list as the start
of a watch (sendInitialEvents), others give it in pages. A watch that ends, breaks or falls silent is resumed at the
last resourceVersion; when that is too old (410, as a status or as an event) everything is listed again and compared,
so that no delete is missed. Between two tries there is always a pause. A refusal (403) becomes a Diagnostic that names
the missing rule, and what was read before stays. What an event means is decided in known.py, how lines look in
envelope.py. Who writes as well may tell it what came of a write (`learn`, `learn_gone`) and need not wait for the
watch to say so.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Generic, NoReturn, TypeVar

import msgspec

from sevengate.cluster.backoff import Backoff
from sevengate.cluster.client import Client
from sevengate.cluster.envelope import Line, identity_of, part_at_end, read_line, read_page
from sevengate.cluster.errors import (
    ApiError,
    ClusterError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    StreamError,
)
from sevengate.cluster.known import Decode, Known, number_of
from sevengate.cluster.resources import Selection
from sevengate.diagnostics import Diagnostic, Severity, Where
from sevengate.kube.snapshot import Deleted

T = TypeVar("T")

log = logging.getLogger("sevengate.cluster")

#: Objects a page of a list, as kubectl and client-go ask for them.
PAGE: Final = "500"
#: Parameters that make a watch begin with everything there is
#: (https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists).
STREAMED_LIST: Final = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": ""}


class Timing(msgspec.Struct, frozen=True):
    """Seconds: how long a watch is asked to last, how long it may be silent, how long to pause after a fault.

    API servers send a bookmark about every minute, so two silent minutes mean that a connection is dead. What lasted
    `healthy` seconds was no failure, and the next pause is the first one again.
    """

    least_watch: int = 300
    longest_watch: int = 600
    idle: float = 120.0
    first_pause: float = 0.4
    longest_pause: float = 30.0
    healthy: float = 10.0


class Reflector(Generic[T]):
    """Follows one Selection; `is_synced` once all was listed, or is denied and not required."""

    def __init__(
        self,
        client: Client,
        selection: Selection,
        decode: Decode[T],
        deliver: Callable[[Sequence[T | Deleted]], None],
        timing: Timing | None = None,
    ) -> None:
        self.selection = selection
        self.is_synced = False
        self._decode = decode
        self.known = self._nothing()
        self._client = client
        self._deliver = deliver
        self._timing = timing or Timing()
        self._version = ""
        self._streams_lists = True
        self._refusal: Diagnostic | None = None
        self._trouble = ""

    @property
    def is_denied(self) -> bool:
        """Whether what is required was refused, and never read."""
        return self._refusal is not None and not self.is_synced

    @property
    def diagnostics(self) -> Iterator[Diagnostic]:
        """What there is to say now: a refusal, and what is wrong with objects."""
        if self._refusal:
            yield self._refusal
        for complaints in self.known.complaints.values():
            yield from complaints

    def learn(self, raw: bytes) -> None:
        """Take in an object as a write of our own gave it back, unless the watch is past that already."""
        if self.is_synced and number_of(identity_of(raw).resource_version or "") > number_of(self._version):
            self._deliver(self.known.put(msgspec.Raw(raw)))

    def learn_gone(self, key: str) -> None:
        """Take in that a write of our own removed an object."""
        self._deliver(self.known.drop(key))

    async def run(self) -> NoReturn:
        """Keep up, for ever."""
        backoff = Backoff(self._timing.first_pause, self._timing.longest_pause)
        while True:
            began, asked = time.monotonic(), 0.0
            try:
                await self._keep_up()
            except ClusterError as error:
                asked = error.retry_after if isinstance(error, ApiError) else 0.0
                self._take(error)
            except Exception:
                log.exception("%s: a fault of our own; everything is listed again", self.selection)
                self._version = ""
            if time.monotonic() - began >= self._timing.healthy:
                backoff.reset()
            await asyncio.sleep(max(backoff.next(), asked))

    async def _keep_up(self) -> None:
        """List if there is nothing to resume from, then watch until the server ends it."""
        if not self._version and self._streams_lists:
            # Only a stream that came to the end of its list shows that this server has such streams.
            self._streams_lists = False
            try:
                await self._stream()
            except InvalidError as error:
                log.debug("%s: lists are not streamed: %s", self.selection, error)
        if not self._version:
            await self._list()
        await self._watch()

    def _nothing(self) -> Known[T]:
        return Known(self.selection.resource, self._decode)

    async def _list(self) -> None:
        fresh, events = self._nothing(), list[T | Deleted]()
        params = {**self.selection.params, "limit": PAGE}
        while True:
            page = read_page(await self._client.get(self.selection.path, params))
            for item in page.items:
                events += fresh.put(item)
            if not page.next_page:
                return self._adopt(fresh, events, page.version)
            params["continue"] = page.next_page

    async def _stream(self) -> None:
        fresh, events, is_listing = self._nothing(), list[T | Deleted](), True
        async with aclosing(self._batches(STREAMED_LIST)) as batches:
            async for lines in batches:
                rest: Sequence[Line] = lines
                if is_listing:
                    initial, end, rest = part_at_end(lines)
                    for line in initial:
                        events += fresh.take(line)
                    if end is None:
                        continue
                    is_listing, self._streams_lists = False, True
                    self._adopt(fresh, events, identity_of(end.object).resource_version or "")
                self._follow(rest)

    def _adopt(self, fresh: Known[T], events: Sequence[T | Deleted], version: str) -> None:
        """Put a list in place of all that was known; what is not in it is gone."""
        kind = self.selection.resource.kind
        gone = [Deleted(kind, key) for key in self.known.versions if key not in fresh.versions]
        self.known = fresh
        self._version = version
        self.is_synced = True
        self._recover()
        self._deliver([*gone, *events])

    async def _watch(self) -> None:
        async with aclosing(self._batches({"resourceVersion": self._version})) as batches:
            async for lines in batches:
                self._follow(lines)

    async def _batches(self, params: Mapping[str, str]) -> AsyncGenerator[list[Line], None]:
        # Watches that began together do not all end together.
        seconds = random.randint(self._timing.least_watch, self._timing.longest_watch)  # noqa: S311
        params = {**self.selection.params, **params, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        async with aclosing(self._client.watch(self.selection.path, params, self._timing.idle)) as batches:
            async for lines in batches:
                yield [read_line(line) for line in lines]

    def _follow(self, lines: Sequence[Line]) -> None:
        """Take in what came together."""
        events: list[T | Deleted] = []
        complaints = dict(self.known.complaints)
        for line in lines:
            events += self.known.take(line)
            self._version = identity_of(line.object).resource_version or self._version
        if (lines and self._recover()) or events or complaints != self.known.complaints:
            self._deliver(events)

    def _take(self, error: ClusterError) -> None:
        """Draw the consequence of a fault, and say it once."""
        if isinstance(error, GoneError | StreamError | InvalidError):
            self._version = ""
        if isinstance(error, ForbiddenError | NotFoundError):
            self._refuse(error)
        trouble = type(error).__name__
        if trouble != self._trouble and not isinstance(error, GoneError):
            self._say(self._refusal.message if self._refusal else str(error))
            self._trouble = trouble

    def _say(self, what: str) -> None:
        if not self.is_synced:
            log.warning("%s: %s; nothing was read of them yet", self.selection, what)
        elif self._refusal is None:  # else it is a Diagnostic, which is told
            log.warning("%s: %s; what was last read of them stays", self.selection, what)

    def _refuse(self, error: ForbiddenError | NotFoundError) -> None:
        before, self._refusal = self._refusal, _refusal(self.selection, error)
        self.is_synced = self.is_synced or not self.selection.required
        if before != self._refusal:
            self._deliver(())

    def _recover(self) -> bool:
        """Take note that the server answers as it should; say whether a refusal is over."""
        if self._trouble:
            log.info("%s: read again", self.selection)
        was_refused = self._refusal is not None
        self._trouble, self._refusal = "", None
        return was_refused


def _refusal(selection: Selection, error: ForbiddenError | NotFoundError) -> Diagnostic:
    kind = selection.resource.kind
    if isinstance(error, NotFoundError):
        message = f"This API server has no {kind} of {selection.resource.api_version}"
        return Diagnostic(Severity.ERROR, "cluster/unknown-kind", Where(), message)
    message = f"{kind} objects cannot be read: no RBAC rule gives {selection.rule}"
    hint = "" if selection.required else "the rest is served without them"
    severity = Severity.ERROR if selection.required else Severity.WARNING
    return Diagnostic(severity, "cluster/forbidden", Where(), message, hint)
