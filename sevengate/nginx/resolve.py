"""Keeps the addresses of endpoints that are DNS names.

It takes the names that the table's backends use and gives `addresses`, which documents.py writes in the names' place;
`changed` tells when they differ, so that only those backends are pushed again. NGINX itself would ask once at start, or
per request with a resolver of its own; asking here keeps DNS out of the requests' way. A name that cannot be resolved
keeps its last good answer, and an answer that leads back to this machine or to a link-local address is refused: such
names are how a user of one namespace would reach what only the controller may reach.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

log = logging.getLogger("sevengate.nginx.resolve")

#: Seconds after which an answer is asked for again.
REFRESH: Final = 30.0
#: Seconds after a first failure; doubled with each further one, up to REFRESH.
FIRST_RETRY: Final = 1.0
#: Seconds for one question, and for all new names of one table together.
PATIENCE: Final = 3.0
#: Questions that are open at the same time: each one waits in a thread.
AT_ONCE: Final = 16

Lookup = Callable[[str], Awaitable[Iterable[str]]]


class _Name:
    """What is known of one name."""

    def __init__(self) -> None:
        self.answer: tuple[str, ...] = ()
        self.failures = 0
        self.due = 0.0


class Resolver:
    """Resolves the names it watches, again and again.

    With `allow_local`, answers on this machine are taken. `own` is the address at which the gate itself is reached.
    """

    def __init__(
        self, *, lookup: Lookup | None = None, refresh: float = REFRESH, allow_local: bool = False, own: str = ""
    ) -> None:
        self._lookup = lookup or _getaddrinfo
        self._refresh = refresh
        self._allow_local = allow_local
        self._own = own
        self._names: dict[str, _Name] = {}
        self._watched = asyncio.Event()
        self._at_once = asyncio.Semaphore(AT_ONCE)

    @property
    def addresses(self) -> Mapping[str, tuple[str, ...]]:
        """The last good answer for each name, sorted; () for one that was never resolved."""
        return {name: known.answer for name, known in self._names.items()}

    async def watch(self, names: frozenset[str]) -> None:
        """Watch exactly these names; the new ones are resolved when this returns, or after a bounded time."""
        for name in self._names.keys() - names:
            del self._names[name]
        new = names - self._names.keys()
        for name in new:
            self._names[name] = _Name()
        if new:
            with contextlib.suppress(TimeoutError):  # `changed` goes on with what is left
                async with asyncio.timeout(PATIENCE):
                    await self._ask(new)
            self._watched.set()

    async def changed(self) -> frozenset[str]:
        """Wait until the answers for some names differ, and say which."""
        while True:
            await self._sleep()
            now = time.monotonic()
            due = [name for name, known in self._names.items() if known.due <= now]
            if found := await self._ask(due):
                return found

    async def _sleep(self) -> None:
        due = min((known.due for known in self._names.values()), default=None)
        self._watched.clear()
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                await self._watched.wait()
        except TimeoutError:
            return

    async def _ask(self, names: Iterable[str]) -> frozenset[str]:
        asked = tuple(names)
        different = await asyncio.gather(*(self._ask_one(name) for name in asked))
        return frozenset(name for name, differs in zip(asked, different, strict=True) if differs)

    async def _ask_one(self, name: str) -> bool:
        known = self._names.get(name)
        if known is None:  # no longer watched
            return False
        before = known.answer
        try:
            async with self._at_once, asyncio.timeout(PATIENCE):
                known.answer = self._admitted(name, await self._lookup(name))
            known.failures = 0
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that no DNS name can have
            known.failures += 1
            log.warning("%s cannot be resolved: %s; keeping %s", name, error, ", ".join(before) or "no address")
        pause = FIRST_RETRY * 2 ** (known.failures - 1) if known.failures else self._refresh
        known.due = time.monotonic() + min(pause, self._refresh)
        return known.answer != before

    def _admitted(self, name: str, answer: Iterable[str]) -> tuple[str, ...]:
        addresses = sorted(set(answer))
        good = tuple(address for address in addresses if self._allow_local or not _is_local(address, self._own))
        if not good:
            raise OSError(f"its addresses ({', '.join(addresses) or 'none'}) may not be used")
        if len(good) < len(addresses):
            log.warning("%s: refusing %s", name, ", ".join(address for address in addresses if address not in good))
        return good


async def _getaddrinfo(name: str) -> Iterable[str]:
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


def _is_local(address: str, own: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    if _is_apart(str(ip)) and _is_apart(own):
        return str(ip) == own
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast


def _is_apart(address: str) -> bool:
    """Say whether an address is of 127.0.0.0/8 and yet not where a machine's own services are, in 127.0.0.0/16.

    In a cluster whose pods all have such addresses, as the lab's, one of them is a neighbour of the others.
    """
    return address.startswith("127.") and not address.startswith("127.0.")
