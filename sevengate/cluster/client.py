"""HTTP to one API server: requests that are tried again where that is right, and watches as batches of lines.

Takes an Access. A request has a time-out; 401 makes it ask for a fresh credential once; 429, and 503 with Retry-After,
are waited for as long as the server says; a GET that got no answer is sent again with back-off. Everything else is
raised as one of errors.py. What a path holds and what is decoded of an answer is left to reflector.py and the writers;
a watch that breaks is theirs to resume, for only they know from where.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec

from sevengate import __version__
from sevengate.cluster.access import Access
from sevengate.cluster.backoff import Backoff
from sevengate.cluster.credentials import Credential, read_bytes
from sevengate.cluster.errors import (
    ApiError,
    ServerError,
    StreamError,
    TooManyRequestsError,
    UnreachableError,
    error_of,
)

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
#: A line of a watch is one object; etcd takes none of more than a few MB, so more is no watch.
LONGEST_LINE: Final = 64 * 1024 * 1024


class ClientTiming(msgspec.Struct, frozen=True):
    """Seconds: for a connection, for a whole request, between two tries; and how often something is tried."""

    connect: float = 10.0
    request: float = 30.0
    first_pause: float = 0.2
    longest_pause: float = 10.0
    tries: int = 5


class _Request(msgspec.Struct, frozen=True):
    method: str
    path: str
    params: Mapping[str, str]
    timeout: aiohttp.ClientTimeout
    body: bytes | None = None
    headers: Mapping[str, str] = {}


class Client:
    """Talks to one API server; an async context that holds the connections."""

    def __init__(self, access: Access, timing: ClientTiming | None = None, manager: str = "sevengate") -> None:
        """`manager` is under whose name the API server notes what fields were written."""
        self._access = access
        self._manager = manager
        self._timing = timing or ClientTiming()
        self._session: aiohttp.ClientSession | None = None
        self._tls: tuple[Credential, ssl.SSLContext] | None = None

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._access.server

    @property
    def namespace(self) -> str:
        """The namespace we live in."""
        return self._access.namespace

    @property
    def authority(self) -> str:
        """The certificates by which the server is trusted, in PEM; "" for those of the machine."""
        trust = self._access.trust
        return (read_bytes(trust.ca_file) if trust.ca_file else trust.ca).decode("ascii", errors="replace")

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Each watch holds a connection of its own for minutes.
            connector=aiohttp.TCPConnector(limit=0),
            headers={"User-Agent": f"sevengate/{__version__}", "Accept": JSON, **self._access.headers},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Give what lies at a path; gzip makes a list a tenth on its way."""
        headers = {"Accept-Encoding": "gzip"}
        return await self._insist(_Request("GET", path, params or {}, self._whole(), headers=headers))

    async def create(self, path: str, body: object) -> bytes:
        """Add an object to a collection."""
        return await self._write("POST", path, body, JSON)

    async def replace(self, path: str, body: object) -> bytes:
        """Put an object in place of the one it was read from."""
        return await self._write("PUT", path, body, JSON)

    async def merge(self, path: str, body: object) -> bytes:
        """Change the fields that `body` names (RFC 7386)."""
        return await self._write("PATCH", path, body, MERGE_PATCH)

    async def merge_lists(self, path: str, body: object) -> bytes:
        """Change the fields that `body` names, where items of a list are told apart by keys (a strategic patch)."""
        return await self._write("PATCH", path, body, STRATEGIC_PATCH)

    async def delete(self, path: str, options: Mapping[str, object]) -> bytes:
        """Remove an object, as DeleteOptions say; what comes back is the object that waits to go, or a Status."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        return await self._write("DELETE", path, body, JSON)

    async def watch(self, path: str, params: Mapping[str, str], idle: float) -> AsyncGenerator[list[bytes], None]:
        """Give the lines of a watch as they come, those together that came together; end when the server ends it.

        A line that was cut is not given. UnreachableError: the connection broke, or nothing came for `idle` seconds.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=self._timing.connect, sock_read=idle)
        headers = {"Accept-Encoding": "identity"}
        request = _Request("GET", path, {**params, "watch": "true"}, timeout, headers=headers)
        async with self._answer(request) as answer:
            async for lines in _lines(answer.content):
                yield lines

    async def _write(self, method: str, path: str, body: object, content_type: str) -> bytes:
        params = {} if method == "DELETE" else {"fieldManager": self._manager}
        headers = {"Content-Type": content_type}
        return await self._insist(_Request(method, path, params, self._whole(), msgspec.json.encode(body), headers))

    async def _insist(self, request: _Request) -> bytes:
        backoff = Backoff(self._timing.first_pause, self._timing.longest_pause)
        for _ in range(self._timing.tries - 1):
            try:
                return await self._once(request)
            except (ApiError, UnreachableError) as error:
                if not _is_worth_another_try(request, error):
                    raise
                asked = error.retry_after if isinstance(error, ApiError) else 0.0
            await asyncio.sleep(max(backoff.next(), asked))
        return await self._once(request)

    async def _once(self, request: _Request) -> bytes:
        async with self._answer(request) as answer:
            return await answer.read()

    @asynccontextmanager
    async def _answer(self, request: _Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give an answer that is a success; raise the error that it is otherwise."""
        try:
            for may_refresh in (True, False):
                credential = await self._access.credentials.current()
                async with self._send(request, credential) as answer:
                    if answer.status == 401 and may_refresh:
                        self._access.credentials.refuse(credential)
                        continue
                    if answer.status >= 300:
                        raise error_of(answer.status, await answer.read(), answer.headers.get("Retry-After", ""))
                    yield answer
                    return
        except aiohttp.ClientConnectorCertificateError as error:
            # The cluster may have a new CA, which is read with the next context.
            self._tls = None
            raise UnreachableError(str(error)) from error
        except aiohttp.ClientPayloadError as error:
            raise UnreachableError("the connection broke off") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(str(error) or type(error).__name__) from error

    def _send(self, request: _Request, credential: Credential) -> "aiohttp.client._RequestContextManager":
        if self._session is None:
            raise RuntimeError("the client is used outside of its context")
        headers = dict(request.headers)
        if credential.authorization:
            headers["Authorization"] = credential.authorization
        return self._session.request(
            request.method,
            self._access.server + request.path,
            params=request.params,
            data=request.body,
            headers=headers,
            timeout=request.timeout,
            # An API server sends nobody elsewhere; whoever does shall not get the token.
            allow_redirects=False,
            proxy=self._access.proxy or None,
            ssl=self._context(credential) if self._access.is_tls else True,
            server_hostname=self._access.trust.server_name or None,
        )

    def _context(self, credential: Credential) -> ssl.SSLContext:
        held = self._tls
        if held is None or (held[0].certificate, held[0].key) != (credential.certificate, credential.key):
            held = self._tls = credential, self._access.trust.tls(credential)
        return held[1]

    def _whole(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self._timing.request, sock_connect=self._timing.connect)


def _is_worth_another_try(request: _Request, error: ApiError | UnreachableError) -> bool:
    """Say whether the request surely did nothing, or would do nothing else the second time."""
    match error:
        case UnreachableError() | ServerError(retry_after=0.0):
            return request.method == "GET"
        case TooManyRequestsError() | ServerError(status=503):
            return True
        case _:
            return False


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[list[bytes]]:
    beginning: list[bytes] = []
    length = 0
    async for chunk in content.iter_any():
        first, *others = chunk.split(b"\n")
        beginning.append(first)
        length += len(first)
        if length > LONGEST_LINE:
            raise StreamError(f"a line of a watch is longer than {LONGEST_LINE} bytes")
        if others:
            *whole, rest = b"".join(beginning), *others
            yield [line for line in whole if line]
            beginning, length = [rest], len(rest)
