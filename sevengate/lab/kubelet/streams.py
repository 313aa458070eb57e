"""A command's standard streams over one WebSocket, as kubectl speaks it: `v5.channel.k8s.io`, and v4 for older ones.

Takes a WebSocket and what starts the command on given file descriptors; carries input, output, errors and the
terminal's size to and fro until the command ends, and says with which status. The first byte of each message names its
channel. Source: Kubernetes, "kubectl exec" over WebSockets (KEP-4006).
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from sevengate.lab.kubelet.ends import Ends, open_pipes, open_terminal
from sevengate.lab.kubelet.logs import Log
from sevengate.lab.kubelet.sandbox import Process, StartError, Streams

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE = range(5)
#: With v5 a client ends one channel by this byte and the channel's.
_CLOSE: Final = 255
_CHANNELS: Final = {"stdout": _STDOUT, "stderr": _STDERR}
_CHUNK: Final = 32 * 1024
#: Seconds that output may still come after the command's end, from processes that it left behind.
_LAST_OUTPUT: Final = 0.5

Begin = Callable[[Streams], Awaitable[Process]]


class Wish(msgspec.Struct, frozen=True):
    """Which streams a client wants, and whether they are a terminal."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class Session:
    """One command and one WebSocket."""

    def __init__(self, socket: web.WebSocketResponse, wish: Wish) -> None:
        self._socket = socket
        self._wish = wish
        self._input = -1
        self._terminal = -1
        self._at_end_of_input: Callable[[], None] = lambda: None

    async def carry(self, begin: Begin) -> None:
        """Start the command, carry its streams until it ends, and say how it ended."""
        outputs: dict[int, int] = {}
        try:
            ends = open_terminal() if self._wish.tty else open_pipes(has_input=self._wish.stdin)
            self._input, outputs = ends.input, {_CHANNELS[name]: end for name, end in ends.outputs.items()}
            self._terminal = ends.input if ends.is_terminal else -1
            try:
                process = await begin(ends.streams)
            finally:
                ends.close_given()
        except StartError as error:
            for reading in outputs.values():
                os.close(reading)
            self._close_input()
            return await self._say(_failure(str(error)))
        try:
            await self._say(_ended(await self._until_end(process, outputs)))
        finally:
            process.signal(signal.SIGKILL)
            self._close_input()

    async def attach(self, log: Log, ends: Ends, *, once: bool) -> None:
        """Show what a container writes and give it what the client sends; with `once`, nothing after that."""
        if self._wish.stdin and ends.input >= 0:
            self._input = os.dup(ends.input)
            self._terminal = self._input if ends.is_terminal else -1
        tasks = [asyncio.create_task(self._show(log)), asyncio.create_task(self._listen(None))]
        listening = tasks[1]
        if self._wish.stdin and once:
            listening.add_done_callback(lambda _: ends.close_input())
            self._at_end_of_input = ends.close_input
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close_input()
        await self._say(_ended(0))

    async def _show(self, log: Log) -> None:
        async for stream, chunk in log.live():
            await self._send(_STDERR if stream == "stderr" else _STDOUT, chunk)

    async def _until_end(self, process: Process, outputs: dict[int, int]) -> int:
        pumps = [asyncio.create_task(self._pump(channel, reading)) for channel, reading in outputs.items()]
        listening = asyncio.create_task(self._listen(process))
        try:
            code = await process.wait()
            await asyncio.wait(pumps, timeout=_LAST_OUTPUT if self._wish.tty else None)
            return code
        finally:
            for task in (*pumps, listening):
                task.cancel()
            await asyncio.gather(*pumps, listening, return_exceptions=True)

    async def _pump(self, channel: int, reading: int) -> None:
        """Send what comes out; a terminal ends with an error instead of an end of file."""
        reader = asyncio.StreamReader()
        file = os.fdopen(reading, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), file
        )
        try:
            with contextlib.suppress(OSError):
                while chunk := await reader.read(_CHUNK):
                    await self._send(channel, chunk)
        finally:
            transport.close()

    async def _listen(self, process: Process | None) -> None:
        """Take in what the client sends; a client that has gone takes its own command with it."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, content = message.data[0], message.data[1:]
            if channel == _STDIN and self._input >= 0:
                await self._feed(content)
            elif channel == _RESIZE:
                self._resize(content)
            elif channel == _CLOSE and content[:1] == bytes([_STDIN]) and not self._wish.tty:
                self._close_input()
                self._at_end_of_input()
        if process:
            process.signal(signal.SIGKILL)

    async def _feed(self, content: bytes) -> None:
        try:
            await asyncio.to_thread(_write_all, self._input, content)
        except OSError:  # the command reads no more
            self._close_input()

    def _resize(self, content: bytes) -> None:
        with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError, OSError):
            size = msgspec.json.decode(content, type=_Size)
            if self._terminal >= 0:
                packed = struct.pack("HHHH", size.height, size.width, 0, 0)
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, packed)

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = self._terminal = -1

    async def _send(self, channel: int, content: bytes) -> None:
        if not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_bytes(bytes([channel]) + content)

    async def _say(self, status: dict[str, object]) -> None:
        await self._send(_ERROR, msgspec.json.encode(status))
        if not self._socket.closed:
            await self._socket.close()


class _Size(msgspec.Struct, rename="pascal"):
    width: int
    height: int


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


def _ended(code: int) -> dict[str, object]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _failure(message: str) -> dict[str, object]:
    return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": message, "code": 500}
