"""A controller may die at any byte of a push: clients see all of it or nothing, and the next one completes it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from sevengate.lifecycle import first_of
from sevengate.nginx.blueprint import Blueprint, Standing
from sevengate.nginx.control import PART
from sevengate.nginx.dataplane import Applied, DataPlane
from sevengate.nginx.live import Live
from sevengate.nginx.supervisor import Supervisor
from sevengate.nginx.usage import Usage
from sevengate.routing.table import Certificate, PrivateKey, RoutingTable
from tests.backends import EchoBackends
from tests.conftest import QUIET
from tests.nginx.test_dataplane import backend, host, served_by, table

#: All of a push gets through, but not its answer.
ANSWER = -1
HOSTS = [f"h{number}.example" for number in range(8)]


class Behind:
    """A supervisor whose NGINX is reached through another control socket."""

    def __init__(self, supervisor: Supervisor, control: Path) -> None:
        self.control = control
        self._supervisor = supervisor

    async def standing(self) -> Standing:
        return await self._supervisor.standing()

    async def usage(self) -> Usage:
        return await self._supervisor.usage()

    async def configure(self, blueprint: Blueprint) -> Standing:
        return await self._supervisor.configure(blueprint)

    async def news(self, incarnation: str) -> Standing:
        return await self._supervisor.news(incarnation)


class Relay:
    """Passes bytes on to the control socket and dies after some of those that belong to pushes.

    With ANSWER it passes them all, and dies when the answer comes.
    """

    def __init__(self, target: Path, limit: int) -> None:
        self.passed = 0
        self._target, self._limit = target, limit
        self._is_pushing = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._target)
        ways = (self._pass_on(reader, inner_writer), self._pass_back(inner_reader, writer))
        with suppress(OSError):
            await first_of(*ways)
        inner_writer.close()
        writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(4096):
            self._is_pushing = self._is_pushing or piece.startswith(b"POST")
            if self._is_pushing and self._limit != ANSWER:
                piece = piece[: self._limit - self.passed]
            self.passed += len(piece) if self._is_pushing else 0
            writer.write(piece)
            await writer.drain()
            if self.passed == self._limit:
                return

    async def _pass_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(4096):
            if self._is_pushing and self._limit == ANSWER:
                return
            writer.write(piece)


@asynccontextmanager
async def dying(gate: Live, folder: Path, limit: int) -> AsyncIterator[tuple[DataPlane, Relay]]:
    """Give a driver that dies after `limit` bytes of pushes."""
    path = folder / f"{limit}.sock"
    relay = Relay(gate.supervisor.control, limit)
    async with await asyncio.start_unix_server(relay.serve, path):
        driver = DataPlane(Behind(gate.supervisor, path))
        try:
            yield driver, relay
        finally:
            await driver.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sg-") as made:
        yield Path(made)


def tables(backends: EchoBackends) -> tuple[RoutingTable, RoutingTable]:
    """Give two tables: of the same hosts, which the one sends to `old` and the other to `new`."""
    both = (backend("old", backends.start("old")), backend("new", backends.start("new")))
    old, new = (table(*(host(name, service) for name in HOSTS), *both) for service in ("old", "new"))
    return old, new


async def next_driver(gate: Live, wanted: RoutingTable) -> Applied:
    driver = DataPlane(gate.supervisor)
    try:
        return await driver.apply(wanted, None, QUIET)
    finally:
        await driver.close()


async def push_and_die(gate: Live, folder: Path, limit: int, wanted: RoutingTable) -> Applied:
    async with dying(gate, folder, limit) as (driver, _):
        return await driver.apply(wanted, None, QUIET)


async def length_of_a_push(gate: Live, folder: Path, wanted: RoutingTable) -> int:
    async with dying(gate, folder, 1 << 40) as (driver, relay):
        assert (await driver.apply(wanted, None, QUIET)).problem == ""
        return relay.passed


def test_a_push_that_ends_at_any_byte_is_seen_as_a_whole_or_not_at_all(
    gate: Live, backends: EchoBackends, folder: Path
) -> None:
    old, new = tables(backends)
    gate.wait(next_driver(gate, old))
    length = gate.wait(length_of_a_push(gate, folder, new))
    seen = set()
    for limit in (1, 20, *range(100, length - 2, length // 12), length - 2, ANSWER):
        gate.wait(next_driver(gate, old))
        assert gate.wait(push_and_die(gate, folder, limit, new)).problem
        [name] = {served_by(gate, name) for name in HOSTS}
        seen.add((limit == ANSWER, name))
        completed = gate.wait(next_driver(gate, new))
        assert (completed.problem, completed.reloaded) == ("", False)
        assert {served_by(gate, name) for name in HOSTS} == {"new"}
    assert seen == {(False, "old"), (True, "new")}


def test_what_a_dead_controller_had_staged_is_taken_away_by_the_next(
    gate: Live, backends: EchoBackends, folder: Path
) -> None:
    old, _ = tables(backends)
    gate.wait(next_driver(gate, old))
    free = gate.wait(gate.supervisor.state()).free
    names = [f"default/pad-{number}" for number in range(60)]
    padding = {name: Certificate(name, os.urandom(25_000).hex().encode(), PrivateKey(b"")) for name in names}
    big = msgspec.structs.replace(old, certificates=padding)
    assert gate.wait(push_and_die(gate, folder, 2 * PART, big)).problem
    assert gate.wait(gate.supervisor.state()).free < free - PART // 2
    changed = msgspec.structs.replace(old, hosts={**old.hosts, "more.example": host("more.example", "old")})
    assert gate.wait(next_driver(gate, changed)).pushed == 1
    assert gate.wait(gate.supervisor.state()).free > free - 100_000
