"""The seam between two processes: a supervisor served at a unix socket, and the client that stands in for it.

`serving` answers at the socket for a Supervisor; RemoteSupervisor is to its driver what the Supervisor itself is in one
process, errors included. What passes is Blueprints and Standings as JSON, decoded strictly by their types: no
configuration text, no file names to read or write. Who may come to the socket is decided by the folder it lies in.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from sevengate.nginx.blueprint import Blueprint, Standing, Supervision
from sevengate.nginx.control import ControlError, SupervisorAwayError
from sevengate.nginx.installation import NginxError
from sevengate.nginx.listening import AddressTakenError
from sevengate.nginx.process import START_LIMIT, ConfRejectedError
from sevengate.nginx.runtime import Runtime
from sevengate.nginx.usage import Usage

#: Bytes of a Blueprint: each Profile takes about a hundred.
LARGEST: Final = 16 * 1024 * 1024
#: Seconds after which a question for news is answered even if there are none, and is asked again.
NEWS: Final = 60.0
#: Seconds for an answer: testing, and starting or reloading, NGINX.
LIMIT: Final = aiohttp.ClientTimeout(total=3 * START_LIMIT + NEWS, connect=5)

_PATH: Final = "/v1/standing"
_USAGE: Final = "/v1/usage"
#: Errors by the word under which they travel.
_ERRORS: Final[dict[str, type[NginxError]]] = {
    "conf-rejected": ConfRejectedError,
    "address-taken": AddressTakenError,
    "nginx": NginxError,
}

_encode = msgspec.json.Encoder().encode
_Answer = TypeVar("_Answer", Standing, Usage)


class _Refusal(msgspec.Struct, frozen=True):
    kind: str
    message: str


@asynccontextmanager
async def serving(supervisor: Supervision, path: Path) -> AsyncIterator[None]:
    """Answer for a supervisor at a unix socket; a socket file that somebody left behind is replaced.

    A question that was begun is carried out, even if whoever asked goes away in the middle.
    """
    application = web.Application(client_max_size=LARGEST)

    async def get(request: web.Request) -> web.Response:
        if "unlike" not in request.query:
            return _answer(await supervisor.standing())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NEWS):
                return _answer(await supervisor.news(request.query["unlike"]))
        return _answer(await supervisor.standing())

    async def put(request: web.Request) -> web.Response:
        try:
            blueprint = msgspec.json.decode(await request.read(), type=Blueprint)
        except msgspec.DecodeError as error:
            return _answer(_Refusal("nginx", f"what was sent is no Blueprint: {error}"), 400)
        try:
            return _answer(await supervisor.configure(blueprint))
        except NginxError as error:
            return _answer(_refusal(error), 422)

    async def usage(_request: web.Request) -> web.Response:
        return _answer(await supervisor.usage())

    application.router.add_get(_PATH, get)
    application.router.add_get(_USAGE, usage)
    application.router.add_put(_PATH, put)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        yield
    finally:
        await runner.cleanup()


def _refusal(error: NginxError) -> _Refusal:
    kind = next(kind for kind, known in _ERRORS.items() if isinstance(error, known))
    return _Refusal(kind, str(error))


def _answer(body: msgspec.Struct, status: int = 200) -> web.Response:
    return web.Response(body=_encode(body), status=status, content_type="application/json")


class RemoteSupervisor:
    """A supervisor in another process, reached over the socket in a directory that both share."""

    def __init__(self, directory: Path) -> None:
        runtime = Runtime(directory)
        self._path = runtime.supervisor
        self._control = runtime.control
        self._session: aiohttp.ClientSession | None = None

    @property
    def control(self) -> Path:
        """The socket at which NGINX takes documents."""
        return self._control

    async def standing(self) -> Standing:
        """Say how it stands; raise SupervisorAwayError if nobody answers."""
        return await self._ask("GET", {})

    async def usage(self) -> Usage:
        """Say what NGINX's processes use; raise SupervisorAwayError if nobody answers."""
        return _read(await self._reach("GET", _USAGE, {}), Usage)

    async def configure(self, blueprint: Blueprint) -> Standing:
        """Start or reload NGINX; raise NginxError as the supervisor did, or SupervisorAwayError."""
        return await self._ask("PUT", {}, _encode(blueprint))

    async def news(self, incarnation: str) -> Standing:
        """Wait until the incarnation is another than the given one; raise SupervisorAwayError if nobody answers."""
        while True:
            standing = await self._ask("GET", {"unlike": incarnation})
            if standing.incarnation != incarnation:
                return standing

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, query: dict[str, str], body: bytes | None = None) -> Standing:
        return _read(await self._reach(method, _PATH, query, body), Standing)

    async def _reach(self, method: str, path: str, query: dict[str, str], body: bytes | None = None) -> bytes:
        try:
            status, said = await self._exchange(method, path, query, body)
        except (aiohttp.ClientError, OSError) as error:
            raise SupervisorAwayError(f"nobody answers at {self._path}: {_why(error)}") from error
        if status == 200:
            return said
        raise _refused(status, said)

    async def _exchange(self, method: str, path: str, query: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        if self._session is None:
            # A connection for each question: they are rare, and a kept one may be closed at any moment.
            connector = aiohttp.UnixConnector(str(self._path), force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=LIMIT)
        async with self._session.request(method, f"http://supervisor{path}", params=query, data=body) as response:
            return response.status, await response.read()


def _read(said: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(said, type=kind)
    except msgspec.DecodeError as error:
        raise ControlError(f"the data plane says what we cannot read, run one version of both: {error}") from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _refused(status: int, said: bytes) -> NginxError:
    try:
        refusal = msgspec.json.decode(said, type=_Refusal)
    except msgspec.DecodeError:
        return NginxError(f"the data plane answers with status {status}")
    return _ERRORS.get(refusal.kind, NginxError)(refusal.message)
