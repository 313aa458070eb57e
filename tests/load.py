"""Clients that keep their connections and ask without end, from a thread of their own, and count what they get."""

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Self

import msgspec

from tests.spawned import soon


class Broken(msgspec.Struct, frozen=True):
    """A connection that ended while its client waited for an answer: the client's port, and what it met."""

    port: int
    why: str


class Load:
    """`with Load(port, "shop.example") as load:` asks meanwhile; then `load.answers` and `load.broken` say what came.

    Each client sends its next request when it has the answer to the last. One whose connection the server announces to
    close opens another, as any client would.
    """

    def __init__(self, port: int, host: str, clients: int = 8, pause: float = 0.001) -> None:
        self.answers: Counter[int] = Counter()
        self.names: Counter[str] = Counter()
        self.broken: list[Broken] = []
        self.ports: set[int] = set()
        self._port, self._clients, self._pause = port, clients, pause
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="load")
        self._over = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def go_on(self, count: int) -> None:
        """Come back after some more answers."""
        seen = self.answers.total()
        soon(lambda: self.answers.total() >= seen + count)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._ask_all())

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for _ in range(self._clients):
                clients.create_task(self._ask_for_ever())

    async def _ask_for_ever(self) -> None:
        while not self._over.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                self.broken.append(Broken(0, repr(error)))
                await asyncio.sleep(0.01)
                continue
            port = writer.get_extra_info("sockname")[1]
            self.ports.add(port)
            try:
                await self._ask_over(reader, writer)
            except (OSError, EOFError, ValueError) as error:
                self.broken.append(Broken(port, repr(error)))
            finally:
                self.ports.discard(port)
                writer.close()

    async def _ask_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self._over.is_set():
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            _, _, length = head.partition("content-length: ")
            body = await reader.readexactly(int(length.split("\r\n")[0]))
            self.answers[int(head[9:12])] += 1
            if body.startswith(b'{"name": "'):
                self.names[body.split(b'"', 4)[3].decode()] += 1
            if "connection: close" in head:
                return
            await asyncio.sleep(self._pause)
