"""The client of the control server: reads what NGINX holds and pushes documents, over a unix socket.

It takes Documents and a Commit and gives what the server answered; the words are those of documents.py and
lua/control.lua. A big push goes in parts of about a megabyte that only stage texts, and the last part carries the
commit, which is live in all workers when the answer comes. What a refused push means (read the digests again, grow the
memory, wait for NGINX) is left to dataplane.py. A round trip of a small push costs 0.2 ms, most of it here.
"""

import io
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec

from sevengate.nginx.documents import Document, batches

#: Bytes of documents in one POST, unless one document is bigger.
PART: Final = 768 * 1024
#: Seconds for one answer: a commit of 100,000 documents takes less than one.
LIMIT: Final = aiohttp.ClientTimeout(total=30, connect=5)

_encode = msgspec.json.Encoder().encode
_Answer = TypeVar("_Answer", bound=msgspec.Struct)


class ControlError(Exception):
    """The control server refused or failed; the text says what it said."""


class UnreachableError(ControlError):
    """Nobody answers at the control socket."""


class SupervisorAwayError(UnreachableError):
    """Nobody answers for NGINX's supervisor: it is not there yet, or not any more."""


class StaleError(ControlError):
    """The commit's base is not the generation that NGINX is at: someone else pushed, or NGINX started anew."""


class MemoryFullError(ControlError):
    """The dictionary cannot hold what was pushed; nothing visible has changed."""


class State(msgspec.Struct, frozen=True):
    """What a worker says of itself and of the documents' dictionary (bytes).

    `aside` counts requests that are between two locations of NGINX.
    """

    generation: int
    worker: int
    free: int
    capacity: int
    conf: str = ""
    decoded: int = 0
    aside: int = 0
    uncounted: int = 0


class Digests(msgspec.Struct, frozen=True):
    """Which documents NGINX holds, by name."""

    generation: int
    digests: dict[str, str] = {}


class Pushed(msgspec.Struct, frozen=True):
    """What NGINX is at after a push: the generation, and the dictionary's free bytes."""

    generation: int
    free: int


class Commit(msgspec.Struct, frozen=True):
    """What becomes visible at once: pointers set and names deleted, if `base` is still the generation.

    With `full`, every name that is not set is deleted, texts that were staged and forgotten go too, and the workers
    forget all that they know.
    """

    base: int
    set: Sequence[tuple[str, str]] = ()
    delete: Sequence[str] = ()
    full: bool = False


class _Header(msgspec.Struct, frozen=True):
    documents: Sequence[tuple[str, str, int]]
    commit: Commit | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: str = "?"
    generation: int = -1
    free: int = -1
    capacity: int = -1


class ControlClient:
    """Speaks to the control server at a unix socket, over connections that are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session: aiohttp.ClientSession | None = None

    async def state(self) -> State:
        """Ask a worker for its state; raise UnreachableError if none answers."""
        return await self._ask("GET", "/v1/state", State)

    async def digests(self) -> Digests:
        """Ask what NGINX holds."""
        return await self._ask("GET", "/v1/digests", Digests)

    async def connections(self) -> str:
        """Ask for NGINX's own numbers of connections and requests, as stub_status says them."""
        status, said = await self._reach("GET", "/v1/connections", None)
        if status != 200:
            raise _refused(status, said)
        return said.decode()

    async def series(self, family: str, name: str, labels: str) -> AsyncIterator[bytes]:
        """Ask for the samples of a family of request metrics, under a name and with labels before all others.

        They come as text in Prometheus' format, in pieces of any length: there may be very many.
        """
        query = {"family": family, "name": name, "labels": labels}
        try:
            async with self._connected().get("http://control/v1/series", params=query) as response:
                if response.status != 200:
                    raise _refused(response.status, await response.read())
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from error

    async def push(self, documents: Iterable[Document], commit: Commit) -> Pushed:
        """Push documents and make `commit` live; raise StaleError or MemoryFullError, and nothing has changed."""
        held: list[Document] = []
        for part in batches(documents, PART):
            if held:
                await self._post(_Header([(d.name, d.digest, len(d.text)) for d in held]), held)
            held = part
        return await self._post(_Header([(d.name, d.digest, len(d.text)) for d in held], commit), held)

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def _post(self, header: _Header, documents: Iterable[Document]) -> Pushed:
        body = b"".join((_encode(header), b"\n", *(document.text for document in documents)))
        return await self._ask("POST", "/v1/push", Pushed, body)

    async def _ask(self, method: str, path: str, answer: type[_Answer], body: bytes | None = None) -> _Answer:
        status, said = await self._reach(method, path, body)
        if status == 200:
            return msgspec.json.decode(said, type=answer)
        raise _refused(status, said)

    async def _reach(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            return await self._exchange(method, path, body)
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"{self._path}: {str(error) or type(error).__name__}")

    async def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            return await self._send(method, path, body)
        except aiohttp.ServerDisconnectedError:
            # A kept connection that an old worker closed. Once more is safe: staging twice changes nothing, and a
            # commit that was made after all is refused as stale.
            return await self._send(method, path, body)

    async def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        # aiohttp wants what is big as a stream, which it reads in a thread: dearer, so only then.
        sent = io.BytesIO(body) if body and len(body) > 1024 * 1024 else body
        async with self._connected().request(method, f"http://control{path}", data=sent) as response:
            return response.status, await response.read()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._path)), timeout=LIMIT)
        return self._session


def _refused(status: int, said: bytes) -> ControlError:
    try:
        refusal = msgspec.json.decode(said, type=_Refusal)
    except msgspec.DecodeError:
        refusal = _Refusal(error=said.decode(errors="replace")[:200])
    if status == 409:
        return StaleError(f"{refusal.error} (NGINX is at generation {refusal.generation})")
    if status == 507:
        mib = max(refusal.capacity, 0) / 1024 / 1024
        return MemoryFullError(f"{refusal.error}: the dictionary of {mib:.0f} MiB is full")
    return ControlError(f"status {status}: {refusal.error}")
