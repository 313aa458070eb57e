"""An API server in memory that does what it is told, faults included: for tests of whoever talks to one.

It keeps objects as plain data, gives each change a resourceVersion, and serves lists (whole, in pages or streamed),
watches from any version that is not compacted, and writes. Faults are ordered with `refuse`, `cut`, `stall` and so on.
"""

import asyncio
import gzip
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

from aiohttp import web

from sevengate.cluster.access import Access, at_host
from sevengate.cluster.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    INGRESS_CLASSES,
    INGRESSES,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
)

Plain = dict[str, Any]
RESOURCES = {
    one.plural: one
    for one in (
        *(INGRESSES, INGRESS_CLASSES, SERVICES, ENDPOINT_SLICES, ENDPOINTS, SECRETS, CONFIG_MAPS),
        *(NAMESPACES, NODES, PODS, LEASES, EVENTS),
    )
}
BY_KIND = {one.kind: one for one in RESOURCES.values()}


class Fault:
    """An answer instead of the right one, for requests whose `METHOD path?query` holds all of some words."""

    def __init__(self, words: tuple[str, ...], status: int, headers: dict[str, str], times: int) -> None:
        self.words, self.status, self.headers, self.times = words, status, headers, times


class Watcher:
    """One watch that is open: lines to send, or None to cut it."""

    def __init__(self, plural: str, selects: Callable[[Plain], bool]) -> None:
        self.plural, self.selects = plural, selects
        self.selected: set[str] = set()
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()


class ApiServer:
    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Plain]] = {plural: {} for plural in RESOURCES}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.version = 100
        self.compacted = 0
        self.page_size = 500
        self.streams_lists = True
        self.tokens: set[str] | None = None
        self.watchers: list[Watcher] = []
        self.url = ""
        self._history: deque[tuple[int, str, str, Plain]] = deque()
        self._faults: list[Fault] = []
        self._stalled = False
        self._swapped: list[tuple[str, Plain]] | None = None

    # --- what tests and users of kubectl do

    def put(self, plain: Plain) -> Plain:
        """Create or change an object."""
        resource = BY_KIND[plain["kind"]]
        key = key_of(plain)
        before = self.objects[resource.plural].get(key)
        self.version += 1
        now = deepcopy(plain)
        now.setdefault("apiVersion", resource.api_version)
        uid = before["metadata"]["uid"] if before else f"uid-{self.version}"
        now["metadata"] |= {"resourceVersion": str(self.version), "uid": uid}
        self.objects[resource.plural][key] = now
        self._publish(resource.plural, "MODIFIED" if before else "ADDED", now)
        return now

    def delete(self, kind: str, key: str) -> None:
        plural = BY_KIND[kind].plural
        gone = deepcopy(self.objects[plural].pop(key))
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._publish(plural, "DELETED", gone)

    def get(self, kind: str, key: str) -> Plain:
        return self.objects[BY_KIND[kind].plural][key]

    # --- faults

    def refuse(self, *words: str, status: int, times: int = 1, headers: dict[str, str] | None = None) -> None:
        """Answer the next requests that hold `words` with a status."""
        self._faults.append(Fault(words, status, headers or {}, times))

    def allow(self) -> None:
        self._faults.clear()

    def compact(self) -> None:
        """Forget all history: whoever resumes from an older version gets 410."""
        self.compacted = self.version

    def restore(self, version: int) -> None:
        """Go on from an older version, as a cluster does that was restored from a backup."""
        self.version = self.compacted = version
        self._history.clear()

    def send(self, line: bytes) -> None:
        """Send a line to all watches."""
        for watcher in self.watchers:
            watcher.lines.put_nowait(line)

    def send_error(self, code: int) -> None:
        self.send(encode({"type": "ERROR", "object": status(code)}))

    def send_bookmark(self) -> None:
        for watcher in self.watchers:
            watcher.lines.put_nowait(encode(bookmark(watcher.plural, self.version)))

    def repeat(self, count: int) -> None:
        """Send the last events once more."""
        for _, plural, kind, plain in list(self._history)[-count:]:
            self._send_event(plural, kind, plain)

    def cut(self, *, within_a_line: bool = False) -> None:
        """Close all watches."""
        for watcher in self.watchers:
            if within_a_line:
                watcher.lines.put_nowait(b'{"type":"MODIFIED","object":{"metadata":{"na')
            watcher.lines.put_nowait(None)

    def stall(self) -> None:
        """Say nothing more on the watches that are open, though they stay open."""
        for watcher in self.watchers:
            watcher.plural = "stalled"

    def swap(self, first: Callable[[], object], second: Callable[[], object]) -> None:
        """Send two changes in the wrong order."""
        held: list[tuple[str, Plain]] = []
        self._swapped = held
        first(), second()
        self._swapped = None
        for kind, plain in reversed(held):
            self._send_event(BY_KIND[plain["kind"]].plural, kind, plain)

    # --- the server

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Access]:
        application = web.Application(client_max_size=16 << 20)
        application.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
            await site.start()
            assert site._server is not None
            port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
            self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            yield at_host(self.url)
        finally:
            self.cut()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        said = f"{request.method} {request.path_qs}"
        self.requests.append(said)
        self.headers.append(dict(request.headers))
        if self.tokens is not None and request.headers.get("Authorization") not in self.tokens:
            return failure(401)
        for fault in self._faults:
            if fault.times and all(word in said for word in fault.words):
                fault.times -= 1
                return failure(fault.status, fault.headers)
        plural, namespace, name, subresource = parts_of(request.path)
        if request.method != "GET":
            return await self._write(request, plural, f"{namespace}/{name}".strip("/"), subresource)
        if name:
            found = self.objects[plural].get(f"{namespace}/{name}".strip("/"))
            return web.json_response(found) if found else failure(404)
        selects = selector(namespace, request)
        if request.query.get("watch") == "true":
            return await self._watch(request, Watcher(plural, selects))
        return self._list(request, plural, selects)

    def _list(self, request: web.Request, plural: str, selects: Callable[[Plain], bool]) -> web.Response:
        start, version = 0, self.version
        if token := request.query.get("continue"):
            start, version = map(int, token.split("."))
            if version < self.compacted:
                return failure(410)
        size = min(int(request.query.get("limit", "0")) or 1 << 30, self.page_size)
        found = [one for one in self._at(plural, version) if selects(one)]
        more = f"{start + size}.{version}" if len(found) > start + size else ""
        items = found[start : start + size] or None
        body = encode({"metadata": {"resourceVersion": str(version), "continue": more}, "items": items})
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=gzip.compress(body), headers=headers)

    def _at(self, plural: str, version: int) -> list[Plain]:
        """Give the objects of a past version: the newer history is taken back."""
        state = {key: [one] for key, one in self.objects[plural].items()}
        if version == self.version:
            return [one[0] for _, one in sorted(state.items())]
        past: dict[str, Plain] = {}
        for number, of, kind, plain in self._history:
            if of == plural and number <= version:
                past[key_of(plain)] = plain
                if kind == "DELETED":
                    past.pop(key_of(plain), None)
        return [one for _, one in sorted(past.items())]

    async def _watch(self, request: web.Request, watcher: Watcher) -> web.StreamResponse:
        query = request.query
        is_streamed = query.get("sendInitialEvents") == "true"
        if is_streamed and not self.streams_lists:
            return failure(422)
        since = self.version if is_streamed else int(query["resourceVersion"])
        if since < self.compacted:
            return failure(410)
        if is_streamed:
            for one in self.objects[watcher.plural].values():
                self._offer(watcher, "ADDED", one)
            watcher.lines.put_nowait(encode(bookmark(watcher.plural, self.version, end=True)))
        if not is_streamed:
            # Which objects the watcher knows is history; one delete too many does it no harm.
            watcher.selected |= {key_of(plain) for _, _, _, plain in self._history} | self.objects[
                watcher.plural
            ].keys()
        for number, plural, kind, plain in self._history:
            if number > since and plural == watcher.plural:
                self._offer(watcher, kind, plain)
        self.watchers.append(watcher)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async for line in lines_of(watcher):
                await response.write(line)
        finally:
            self.watchers.remove(watcher)
        if request.transport:
            request.transport.close()
        return response

    async def _write(self, request: web.Request, plural: str, key: str, subresource: str) -> web.Response:
        body = await request.json()
        before = self.objects[plural].get(key)
        if request.method == "POST":
            body.setdefault("metadata", {})["namespace"] = parts_of(request.path)[1]
            if key_of(body) in self.objects[plural]:
                return failure(409)
            return web.json_response(self.put({**body, "kind": RESOURCES[plural].kind}), status=201)
        if before is None:
            return failure(404)
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != before["metadata"]["resourceVersion"]:
            return failure(409)
        if request.method == "DELETE":
            self.delete(RESOURCES[plural].kind, key)
            return web.json_response(before)
        if subresource:
            body = {subresource: body.get(subresource, {})}
            body = body if request.method == "PATCH" else {**before, **body}
        return web.json_response(self.put(merged(before, body) if request.method == "PATCH" else body))

    def _publish(self, plural: str, kind: str, plain: Plain) -> None:
        self._history.append((self.version, plural, kind, deepcopy(plain)))
        if self._swapped is not None:
            self._swapped.append((kind, deepcopy(plain)))
        else:
            self._send_event(plural, kind, plain)

    def _send_event(self, plural: str, kind: str, plain: Plain) -> None:
        for watcher in self.watchers:
            if watcher.plural == plural:
                self._offer(watcher, kind, plain)

    def _offer(self, watcher: Watcher, kind: str, plain: Plain) -> None:
        key = key_of(plain)
        if watcher.selects(plain):
            watcher.selected.add(key)
        elif key in watcher.selected:
            kind = "DELETED"
        if key in watcher.selected:
            watcher.lines.put_nowait(encode({"type": kind, "object": plain}))
        if kind == "DELETED":
            watcher.selected.discard(key)


async def lines_of(watcher: Watcher) -> AsyncIterator[bytes]:
    while (line := await watcher.lines.get()) is not None:
        yield line


def encode(plain: object) -> bytes:
    return json.dumps(plain).encode() + b"\n"


def key_of(plain: Plain) -> str:
    metadata = plain["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}".strip("/")


def parts_of(path: str) -> tuple[str, str, str, str]:
    """Part a path into plural, namespace, name and subresource."""
    words = iter(path.split("/")[3 if path.startswith("/api/") else 4 :])
    first = next(words)
    namespace, rest = (next(words, ""), list(words)) if first == "namespaces" else ("", [first, *words])
    if first == "namespaces" and not rest:
        return "namespaces", "", namespace, ""
    plural, name, subresource = (*rest, "", "")[:3]
    return plural, namespace, name, subresource


def selector(namespace: str, request: web.Request) -> Callable[[Plain], bool]:
    fields = list(pairs(request.query.get("fieldSelector", "")))
    labels = list(pairs(request.query.get("labelSelector", "")))

    def selects(plain: Plain) -> bool:
        metadata = plain["metadata"]
        values = {"metadata.name": metadata["name"], "type": plain.get("type", "Opaque")}
        return (
            namespace in {"", metadata.get("namespace", "")}
            and all(values[name] == value for name, value in fields)
            and all(metadata.get("labels", {}).get(name) == value for name, value in labels)
        )

    return selects


def pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        yield name, value


def merged(target: Plain, patch: Plain) -> Plain:
    """Merge as RFC 7386 says."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name, {}), value)
        else:
            result[name] = value
    return result


def bookmark(plural: str, version: int, *, end: bool = False) -> Plain:
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if end else {}
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version), **annotations}}}


def status(code: int) -> Plain:
    return {"kind": "Status", "code": code, "reason": f"Reason{code}", "message": "as the test ordered"}


def failure(code: int, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(status(code), status=code, headers=headers)
