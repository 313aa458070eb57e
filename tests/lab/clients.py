"""Clients of a lab's API server, as its components are: through a kubeconfig, with Mirrors and a Writer."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sevengate.cluster.access import Access
from sevengate.cluster.client import Client
from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.lab.apiserver.running import RunningApi
from sevengate.lab.mirror import Mirrors
from sevengate.lab.writer import Writer


def access_to(running: RunningApi) -> Access:
    """Be the lab's owner."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kubeconfig")
        path.write_text(running.kubeconfig(), encoding="utf-8")
        return load_kubeconfig([path])


@asynccontextmanager
async def component(running: RunningApi) -> AsyncIterator[tuple[Mirrors, Writer]]:
    """Have what a component works with."""
    async with Client(access_to(running)) as client, Mirrors(client) as mirrors:
        yield mirrors, Writer(client, mirrors)
