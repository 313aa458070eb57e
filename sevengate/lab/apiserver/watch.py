"""Watching: the lines that a client is sent as objects change, until it goes or its time is over.

Takes a Call and Storage; gives chunks of bytes. A watch begins at a resourceVersion, or with the present state (with
`sendInitialEvents`, the streaming list of KEP-3157, closed by an annotated bookmark). It holds a place in Storage's
log and nothing else, and ends with 410 when the log has moved past that place. An object that begins or ceases to be
selected is ADDED or DELETED for this client. How an event is written is in `representation`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Final

from sevengate.lab.apiserver.answers import FieldError, expired, invalid, timed_out
from sevengate.lab.apiserver.calls import Call
from sevengate.lab.apiserver.clock import Clock
from sevengate.lab.apiserver.representation import Shower, error_event
from sevengate.lab.apiserver.selectors import Requirement, Selector
from sevengate.lab.apiserver.storage import Change, CompactedError, Event, Storage, Stored

_INITIAL_END: Final = {"k8s.io/initial-events-end": "true"}
#: How often a client that wants bookmarks gets one, besides at the end of its time, and how long a watch lasts whose
#: client does not say, in seconds.
BOOKMARK_PERIOD: Final = 60.0
LONGEST: Final = 3600


class Watch:
    """One client's watch."""

    def __init__(self, storage: Storage, call: Call, shower: Shower, clock: Clock) -> None:
        self._storage = storage
        self._call = call
        self._shower = shower
        self._clock = clock
        self._selector = _selector(call)
        self._wants_bookmarks = call.flag("allowWatchBookmarks")
        self._lasts = call.number("timeoutSeconds") or LONGEST
        self._streams_list = call.flag("sendInitialEvents")
        self._revision, self._is_fresh = self._start()

    def _start(self) -> tuple[int, bool]:
        """Give the revision to go on from, and whether the present state comes first."""
        call = self._call
        wanted = call.number("resourceVersion")
        if self._streams_list and (
            call.query.get("resourceVersionMatch") != "NotOlderThan" or not self._wants_bookmarks
        ):
            error = FieldError(
                "sendInitialEvents",
                "FieldValueForbidden",
                "Forbidden: needs resourceVersionMatch=NotOlderThan and bookmarks",
            )
            raise invalid("ListOptions", "meta.k8s.io", "", [error])
        if wanted > self._storage.revision:
            raise timed_out(f"Too large resource version: {wanted}, current: {self._storage.revision}")
        if self._streams_list or wanted == 0:
            return self._storage.revision, call.query.get("sendInitialEvents") != "false"
        try:
            self._storage.events_since(call.resource.shelf, wanted)
        except CompactedError:
            raise expired(f"too old resource version: {wanted}") from None
        return wanted, False

    async def lines(self) -> AsyncIterator[bytes]:
        """Give what to send, piece by piece, as it comes about."""
        changed = asyncio.Event()
        stop = self._storage.listen(self._call.resource.shelf, changed.set)
        clock = asyncio.get_running_loop().time
        ends = clock() + self._lasts
        due = min(ends, clock() + BOOKMARK_PERIOD) if self._wants_bookmarks else ends
        try:
            if self._is_fresh:
                yield self._initial()
            while clock() < ends:
                changed.clear()
                if lines := self._news():
                    yield lines
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), max(0.0, due - clock()))
                if self._wants_bookmarks and clock() >= due:
                    # Also where much happens of which this client hears nothing, or it would have to begin anew.
                    yield self._shower.bookmark(self._revision, {})
                    due = min(ends, clock() + BOOKMARK_PERIOD)
        except CompactedError:
            yield error_event(expired(f"too old resource version: {self._revision}"))
        finally:
            stop()

    def _initial(self) -> bytes:
        now = self._clock()
        items = self._storage.items_at(self._call.resource.shelf, self._revision, self._call.namespace)
        lines = [self._shower.event(Change.ADDED, one, now) for one in items if self._selector.matches(one.object)]
        if self._streams_list:
            lines.append(self._shower.bookmark(self._revision, _INITIAL_END))
        return b"".join(lines)

    def _news(self) -> bytes:
        """Give what happened since the place in the log; raise CompactedError if that is gone."""
        now = self._clock()
        latest = self._storage.revision
        events = self._storage.events_since(self._call.resource.shelf, self._revision)
        self._revision = latest
        return b"".join(
            self._shower.event(change, stored, now) for event in events for change, stored in self._seen(event)
        )

    def _seen(self, event: Event) -> Iterator[tuple[Change, Stored]]:
        if self._call.namespace and event.key[0] != self._call.namespace:
            return
        if not self._selector:
            yield event.change, event.stored
            return
        was = event.previous is not None and self._selector.matches(event.previous.object)
        is_selected = event.change is not Change.DELETED and self._selector.matches(event.stored.object)
        if is_selected:
            yield (Change.MODIFIED if was else Change.ADDED), event.stored
        elif was:
            yield Change.DELETED, event.stored


def _selector(call: Call) -> Selector:
    selector = call.selector()
    if not call.name:
        return selector
    named = Requirement("metadata.name", "in", frozenset({call.name}))
    return Selector(selector.labels, (*selector.fields, named))
