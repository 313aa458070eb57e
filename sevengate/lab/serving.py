"""One whole lab: the API server, and what makes a cluster of it, in one process.

Takes a Wish; gives a Lab that runs as long as the context is entered, and leaves nothing behind. Where it can be found
is written into its Home. Which addresses it may have is decided here: without root, ports below 1024 move up.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from sevengate.lab.addresses import LOOPBACK, UNPRIVILEGED_SHIFT, Plan
from sevengate.lab.apiserver import snapshot
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.running import RunningApi, serving_api
from sevengate.lab.home import Home, Record, started_at, write_private

#: Where a cluster's API server listens, as kubeadm sets it up.
API_PORT: Final = 6443
_SAVING: Final = 5.0


class Wish(msgspec.Struct, frozen=True):
    """What kind of lab is asked for. Without a port the API takes the usual one, or any where it is all there is."""

    plan: Plan = LOOPBACK
    port: int | None = None
    api_only: bool = False
    legacy_apis: bool = False
    has_network: bool = False
    snapshot: Path | None = None


class Lab(msgspec.Struct, frozen=True):
    """A lab that is up."""

    url: str
    kubeconfig: str


@asynccontextmanager
async def serving_lab(wish: Wish, home: Home) -> AsyncIterator[Lab]:
    """Run a lab; raises HomeTakenError, OSError for a port that is taken, SnapshotError, or SchemasMissingError."""
    async with AsyncExitStack() as stack:
        stack.enter_context(home.claimed())
        api = Api(legacy_apis=wish.legacy_apis)
        if wish.snapshot is not None:
            await stack.enter_async_context(_kept(api, wish.snapshot))
        running = await stack.enter_async_context(_serving_api(wish, api))
        lab = Lab(running.url, running.kubeconfig())
        pid = os.getpid()
        record = Record(
            pid,
            started_at(pid) or 0,
            lab.url,
            wish.plan.name,
            has_network=wish.has_network,
            port_shift=wish.plan.port_shift,
            legacy_apis=wish.legacy_apis,
        )
        home.announce(record, lab.kubeconfig)
        yield lab


def _serving_api(wish: Wish, api: Api) -> AbstractAsyncContextManager[RunningApi]:
    if wish.api_only and not wish.has_network:
        return serving_api(port=wish.port or 0, api=api)
    return serving_api(wish.plan.nodes[0][1], API_PORT if wish.port is None else wish.port, api)


def allowed(plan: Plan) -> Plan:
    """Give the plan with the ports that this user may listen on."""
    with socket.socket() as probe:
        try:
            probe.bind((plan.nodes[0][1], 1))
        except PermissionError:
            return msgspec.structs.replace(plan, port_shift=UNPRIVILEGED_SHIFT)
        except OSError:
            pass  # taken, or not here yet; it was not forbidden
    return plan


@asynccontextmanager
async def _kept(api: Api, path: Path) -> AsyncIterator[None]:
    """Begin with the objects of a file, if it is there, and keep it up to date."""
    if content := _content(path):
        snapshot.restore(api.storage, content)
    saving = asyncio.create_task(_save(api, path))
    try:
        yield
    finally:
        saving.cancel()
        write_private(path, snapshot.save(api.storage).decode())


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


async def _save(api: Api, path: Path) -> None:
    saved = 0
    while True:
        await asyncio.sleep(_SAVING)
        if api.storage.revision != saved:
            saved = api.storage.revision
            write_private(path, snapshot.save(api.storage).decode())
