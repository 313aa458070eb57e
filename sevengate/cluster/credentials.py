"""Who we are to the API server: a token, a password, a client certificate, or a program that hands out one of them.

A Credential is good for a while; Credentials fetch it when it is first needed, fetch it again when it has aged or the
server refused it, and let many requests share one fetch. Service account tokens are rotated by the kubelet in place, so
a token file is read again every minute (https://kubernetes.io/docs/concepts/security/service-accounts/). Where the
sources stand in a kubeconfig is kubeconfig.py's business, how a plugin is asked that of exec_plugin.py.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from math import inf
from pathlib import Path
from typing import Final

import msgspec

from sevengate.cluster.errors import ConfigError

#: Seconds after which a file that somebody may have rotated is read again.
FILE_AGE: Final = 60.0


class Credential(msgspec.Struct, frozen=True):
    """The value of the header Authorization, or a client certificate with its key in PEM, or both, or neither."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""
    good_for: float = inf

    def __repr__(self) -> str:
        return "Credential([redacted])"


Fetch = Callable[[], Awaitable[Credential]]


class Credentials:
    """The Credential of the moment."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._current: Credential | None = None
        self._stale_at = 0.0
        self._fetching = asyncio.Lock()

    async def current(self) -> Credential:
        """Give what to identify with; raise ConfigError if there is nothing."""
        async with self._fetching:
            if self._current is None or self._clock() >= self._stale_at:
                self._current = await self._fetch()
                self._stale_at = self._clock() + self._current.good_for
            return self._current

    def refuse(self, credential: Credential) -> None:
        """Say that the server did not take a credential, so that the next request asks for a fresh one."""
        # Of a hundred requests that are refused at once, ninety-nine come when a fresh one is there already.
        if credential is self._current:
            self._current = None


def constant(credential: Credential) -> Fetch:
    """Give what never changes."""

    async def fetch() -> Credential:
        return credential

    return fetch


def token_file(path: Path) -> Fetch:
    """Give the token that stands in a file."""

    async def fetch() -> Credential:
        token = (await asyncio.to_thread(read_bytes, path)).decode(errors="replace").strip()
        if not token:
            raise ConfigError(f"{path} holds no token")
        return Credential(bearer(token), good_for=FILE_AGE)

    return fetch


def certificate_files(certificate: Path, key: Path) -> Fetch:
    """Give the client certificate and key that stand in two files; kubelets rotate theirs."""

    async def fetch() -> Credential:
        chain, private = await asyncio.to_thread(lambda: (read_bytes(certificate), read_bytes(key)))
        return Credential(certificate=chain, key=private, good_for=FILE_AGE)

    return fetch


def together(first: Fetch, second: Fetch) -> Fetch:
    """Give a certificate from one source and a token from another."""

    async def fetch() -> Credential:
        one, other = await first(), await second()
        return Credential(
            one.authorization or other.authorization,
            one.certificate or other.certificate,
            one.key or other.key,
            min(one.good_for, other.good_for),
        )

    return fetch


def bearer(token: str) -> str:
    """Give the header's value for a token; raise ConfigError for text that cannot stand in a header."""
    if not token.isascii() or not token.isprintable():
        raise ConfigError("the token holds characters that no token may hold")
    return f"Bearer {token}"


def basic(username: str, password: str) -> str:
    """Give the header's value for a user name and password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def read_bytes(path: Path) -> bytes:
    """Read a file; raise ConfigError that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
