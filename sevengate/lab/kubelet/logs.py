"""What a container writes, kept line by line with the moment at which it came.

Takes what comes out of a container's pipes; gives lines by LogWish, what `kubectl logs` can ask for. The files have the
form of the container runtime interface: time, stream, `F`, line. A file is kept small: of one that grows beyond LARGEST
the older half is forgotten.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

LARGEST: Final = 8 * 1024 * 1024
_CHUNK: Final = 64 * 1024
#: What those are shown first who join late: a prompt, most of all.
_RECENT: Final = 2 * 1024
#: A line that is longer is cut, as container runtimes do.
_LONGEST_LINE: Final = 16 * 1024


class LogWish(msgspec.Struct, frozen=True):
    """What is wanted of a log: the last `tail` lines, those since a moment, with times, at most so many bytes."""

    follow: bool = False
    tail: int | None = None
    since: str = ""
    timestamps: bool = False
    limit: int | None = None


class Log:
    """The log of one run of a container."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_open = True
        self._base = 0
        self._size = 0
        self._grew = asyncio.Event()
        self._recent = b""
        self._watching: list[asyncio.Queue[tuple[str, bytes] | None]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    async def take(self, pipe: int, stream: str) -> None:
        """Take in what comes out of a pipe, until its end."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
        )
        rest = b""
        try:
            while chunk := await _piece(reader):
                self._show(stream, chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                self.write(stream, lines)
            if rest:
                self.write(stream, [rest])
        finally:
            transport.close()

    async def live(self) -> AsyncIterator[tuple[str, bytes]]:
        """Give what comes as it comes, in pieces of any length, and first the last of what has come; to its end."""
        pieces: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        if self._recent:
            pieces.put_nowait(("stdout", self._recent))
        self._watching.append(pieces)
        try:
            while self.is_open or not pieces.empty():
                if (piece := await pieces.get()) is None:
                    return
                yield piece
        finally:
            self._watching.remove(pieces)

    def _show(self, stream: str, chunk: bytes) -> None:
        self._recent = (self._recent + chunk)[-_RECENT:]
        for pieces in self._watching:
            pieces.put_nowait((stream, chunk))

    def write(self, stream: str, lines: list[bytes]) -> None:
        """Add lines that came together."""
        if not lines or self._file.closed:
            return
        head = f"{_now()} {stream} F ".encode()
        written = b"".join(head + line + b"\n" for line in lines)
        self._file.write(written)
        self._size += len(written)
        if self._size > LARGEST:
            self._forget()
        self._tell()

    def close(self) -> None:
        """End the log: who follows it has read everything then."""
        self.is_open = False
        self._file.close()
        self._tell()
        for pieces in self._watching:
            pieces.put_nowait(None)

    def last_line(self) -> str:
        """Give the last line, "" if there is none."""
        last = list(_wanted(self.path.read_bytes(), LogWish(tail=1)))
        return last[0].decode(errors="replace").strip() if last else ""

    async def read(self, wish: LogWish) -> AsyncIterator[bytes]:
        """Give lines as they are wanted, several together; with `follow`, until the container ends."""
        content = self.path.read_bytes()
        position = self._base + len(content)
        yield b"".join(_wanted(content, wish))
        while wish.follow:
            was_open, grew = self.is_open, self._grew
            if position < self._base + self._size:
                position = max(position, self._base)
                with self.path.open("rb") as file:
                    file.seek(position - self._base)
                    content = file.read()
                position += len(content)
                yield b"".join(_shown(line, wish) for line in content.splitlines(keepends=True))
            elif not was_open:
                return
            else:
                await grew.wait()

    def _tell(self) -> None:
        self._grew.set()
        self._grew = asyncio.Event()

    def _forget(self) -> None:
        kept = self.path.read_bytes()[self._size // 2 :].partition(b"\n")[2]
        self._file.close()
        self.path.write_bytes(kept)
        self._file = self.path.open("ab", buffering=0)
        self._base, self._size = self._base + self._size - len(kept), len(kept)


async def limited(parts: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    """Give at most so many bytes."""
    left = limit
    async for part in parts:
        piece = part if left is None else part[:left]
        if piece:
            yield piece
        if left is not None:
            left -= len(piece)
            if not left:
                return


def _wanted(content: bytes, wish: LogWish) -> Iterator[bytes]:
    lines = content.splitlines(keepends=True)
    if wish.since:
        lines = [line for line in lines if line[:30].decode(errors="replace") >= wish.since]
    if wish.tail is not None:
        lines = lines[-wish.tail :] if wish.tail else []
    return (_shown(line, wish) for line in lines)


def _shown(line: bytes, wish: LogWish) -> bytes:
    moment, _, rest = line.partition(b" ")
    text = rest.partition(b" F ")[2]
    return moment + b" " + text if wish.timestamps else text


async def _piece(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except OSError:  # a terminal ends so
        return b""


def _now() -> str:
    return written(datetime.now(UTC))


def written(moment: datetime) -> str:
    """Write a moment so that later ones are greater as text."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
