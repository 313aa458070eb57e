"""A real NGINX for a short while: on loopback, on ports that were free, with a given table, for code without asyncio.

`with live(table) as gate:` starts it and gives the ports; `gate.apply(table)` makes another table live; at the end
nothing is left. It is what `sevengate test --live` and the tests of this project ask their requests of. The event loop
that drives the data plane runs in a thread of its own, so callers may block.
"""

import asyncio
import random
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from sevengate.nginx.dataplane import Applied, DataPlane
from sevengate.nginx.installation import find_installation
from sevengate.nginx.listening import AddressTakenError, Listen, refuse_taken
from sevengate.nginx.resolve import Resolver
from sevengate.nginx.supervisor import Supervisor
from sevengate.routing.table import RoutingTable, TableChanges
from sevengate.settings import Settings

#: Where ports are picked: below those that the kernel gives to clients, and to servers that ask for any.
PORTS: Final = range(20_000, 30_000)
#: Somebody may take a port between its being picked and NGINX's listening: pick again, this number of times.
PICKS: Final = 5

_T = TypeVar("_T")


class Live:
    """A data plane that runs, its NGINX, and where that listens."""

    def __init__(
        self, dataplane: DataPlane, supervisor: Supervisor, listen: Listen, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.dataplane = dataplane
        self.supervisor = supervisor
        self.address = listen.addresses[0]
        self.http_port = listen.http_port
        self.https_port = listen.https_port
        self.default_port = listen.default_port
        self._loop = loop
        self._settings = Settings()

    def apply(
        self, table: RoutingTable, settings: Settings | None = None, changes: TableChanges | None = None
    ) -> Applied:
        """Make a table live and say what that took; without settings those of the last time hold."""
        self._settings = settings or self._settings
        return self.wait(self.dataplane.apply(table, changes, self._settings))

    def close(self) -> None:
        """Stop NGINX and leave nothing behind."""
        self.wait(self.dataplane.close())
        self.wait(self.supervisor.close())

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the data plane's event loop and give its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def live(
    table: RoutingTable | None = None,
    settings: Settings | None = None,
    *,
    address: str = "127.0.0.1",
    resolver: Resolver | None = None,
    dictionary: int | None = None,
) -> Iterator[Live]:
    """Run NGINX with a table on free ports of a loopback address; raise NginxError or NginxMissingError."""
    with ExitStack() as stack:
        loop = stack.enter_context(_loop())
        installation = find_installation()
        for attempt in range(PICKS):
            directory = Path(tempfile.mkdtemp(prefix="sevengate-"))
            listen = Listen((address,), *_free_ports(address, 3))
            supervisor = Supervisor(installation, directory, listen)
            dataplane = DataPlane(supervisor, resolver=resolver, dictionary=dictionary)
            gate = Live(dataplane, supervisor, listen, loop)
            stack.callback(gate.close)
            try:
                gate.apply(table or RoutingTable(), settings)
            except AddressTakenError:
                if attempt == PICKS - 1:
                    raise
            else:
                break
        yield gate


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sevengate-live", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _free_ports(address: str, number: int) -> list[int]:
    # By dice of the system's: whoever sets Python's own to one number would pick the same ports in every process.
    drawn = random.SystemRandom().sample(PORTS, len(PORTS))
    return list(islice((port for port in drawn if _is_free(address, port)), number))


def _is_free(address: str, port: int) -> bool:
    try:
        refuse_taken(address, port)
    except AddressTakenError:
        return False
    return True
