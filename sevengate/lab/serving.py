"""One whole lab: the API server, and what makes a cluster of it, in one process.

Takes a Wish; gives a Lab that runs as long as the context is entered, and leaves nothing behind. Where it can be found
is written into its Home. Which addresses it may have is decided here: without root, ports below 1024 move up.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from sevengate.cluster.access import Access
from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.cluster.resources import NODES
from sevengate.lab.addresses import LOOPBACK, UNPRIVILEGED_SHIFT, Plan
from sevengate.lab.apiserver import snapshot
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.running import serving_api
from sevengate.lab.cluster import controlling
from sevengate.lab.home import Home, Record, started_at, write_private
from sevengate.lab.kubelet import kubelet
from sevengate.lab.mirror import Mirror
from sevengate.lab.proxy import proxy
from sevengate.lab.view import View
from sevengate.lab.workplace import workplace

#: Where a cluster's API server listens, as kubeadm sets it up.
API_PORT: Final = 6443
#: Where it listens if it is all there is.
_BARE: Final = "127.0.0.1"
#: Seconds between two times that a snapshot is written.
_SAVING: Final = 5.0


class Wish(msgspec.Struct, frozen=True):
    """What kind of lab is asked for. Without a port the API takes the usual one, or any where it is all there is."""

    plan: Plan = LOOPBACK
    port: int | None = None
    api_only: bool = False
    legacy_apis: bool = False
    has_network: bool = False
    kubeconfig: Path | None = None
    snapshot: Path | None = None


class Lab(msgspec.Struct, frozen=True):
    """A lab that is up; without nodes there is nothing to be viewed."""

    url: str
    kubeconfig: str
    view: View | None = None


@asynccontextmanager
async def serving_lab(wish: Wish, home: Home) -> AsyncIterator[Lab]:
    """Run a lab; raises HomeTakenError, OSError for a port that is taken, SnapshotError, or SchemasMissingError.

    Whoever is inside is cancelled if a part of the lab fails, and the failure comes out as an exception group.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(home.claimed())
        lab = await stack.enter_async_context(_foreign(wish.kubeconfig) if wish.kubeconfig else _own(wish))
        write_private(home.kubeconfig, lab.kubeconfig)
        if not wish.api_only:
            access = load_kubeconfig([wish.kubeconfig or home.kubeconfig])
            view = await stack.enter_async_context(_cluster(access, wish.plan, home.work))
            lab = msgspec.structs.replace(lab, view=view)
        home.announce(_record(wish, lab))
        yield lab


@asynccontextmanager
async def _own(wish: Wish) -> AsyncIterator[Lab]:
    """Run an API server."""
    api = Api(plan=wish.plan, legacy_apis=wish.legacy_apis)
    is_bare = wish.api_only and not wish.has_network
    address = _BARE if is_bare else wish.plan.nodes[0][1]
    port = (0 if is_bare else API_PORT) if wish.port is None else wish.port
    async with AsyncExitStack() as stack:
        if wish.snapshot is not None:
            await stack.enter_async_context(_kept(api, wish.snapshot))
        running = await stack.enter_async_context(serving_api(address, port, api))
        yield Lab(running.url, running.kubeconfig())


@asynccontextmanager
async def _foreign(kubeconfig: Path) -> AsyncIterator[Lab]:
    """Use somebody else's."""
    yield Lab(load_kubeconfig([kubeconfig]).server, await asyncio.to_thread(kubeconfig.read_text, encoding="utf-8"))


@asynccontextmanager
async def _cluster(access: Access, plan: Plan, folder: Path) -> AsyncIterator[View]:
    """Run what makes a cluster of an API server."""
    async with workplace(access, plan) as work, controlling(work), asyncio.TaskGroup() as parts:
        runs = (kubelet.run(work, folder / "kubelet"), proxy.run(work, folder / "proxy"))
        tasks = [parts.create_task(run) for run in runs]
        await _nodes_of(plan, work.mirrors.of(NODES))
        yield View(work.mirrors, folder / "kubelet" / "pods")
        for task in tasks:
            task.cancel()


async def _nodes_of(plan: Plan, nodes: Mirror) -> None:
    """Wait until all nodes have registered."""
    came = asyncio.Event()
    nodes.subscribe(lambda _: came.set())
    while not {name for name, _ in plan.nodes} <= nodes.objects.keys():
        came.clear()
        await came.wait()


def _record(wish: Wish, lab: Lab) -> Record:
    pid = os.getpid()
    return Record(
        pid,
        started_at(pid) or 0,
        lab.url,
        wish.plan.name,
        has_network=wish.has_network,
        port_shift=wish.plan.port_shift,
        legacy_apis=wish.legacy_apis,
    )


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
