"""What a lab's components work with: Mirrors to read by, a Writer, and the Plan of addresses.

One Workplace serves all components that run in one process, so that each object is decoded once for all of them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from sevengate.cluster.access import Access
from sevengate.cluster.client import Client
from sevengate.lab.addresses import Plan
from sevengate.lab.mirror import Mirrors
from sevengate.lab.writer import Writer


class Workplace(msgspec.Struct, frozen=True):
    """One cluster, as components see and change it."""

    client: Client
    mirrors: Mirrors
    writer: Writer
    plan: Plan


@asynccontextmanager
async def workplace(access: Access, plan: Plan, manager: str = "sevengate-lab") -> AsyncIterator[Workplace]:
    """Be connected to a cluster; `manager` is under whose name fields are written."""
    async with Client(access, manager=manager) as client, Mirrors(client) as mirrors:
        yield Workplace(client, mirrors, Writer(client, mirrors), plan)
