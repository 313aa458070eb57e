"""A container's log: what comes out of it, line by line, and what can be asked of it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from sevengate.lab.kubelet import logs
from sevengate.lab.kubelet.logs import Log, LogWish, limited
from tests.waiting import until


def in_log(scenario: Callable[[Log], Awaitable[None]]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        async def run() -> None:
            log = Log(tmp_path / "web" / "0.log")
            await scenario(log)
            log.close()

        asyncio.run(run())

    return test


async def shown(log: Log, wish: LogWish) -> bytes:
    return b"".join([part async for part in limited(log.read(wish), wish.limit)])


async def written(log: Log, *pieces: bytes) -> None:
    reading, writing = os.pipe()
    taking = asyncio.create_task(log.take(reading, "stdout"))
    for piece in pieces:
        os.write(writing, piece)
    os.close(writing)
    await taking


@in_log
async def test_what_comes_in_pieces_is_kept_as_lines(log: Log) -> None:
    await written(log, b"one\ntw", b"o\n", b"no end")
    assert await shown(log, LogWish()) == b"one\ntwo\nno end\n"
    assert log.last_line() == "no end"
    assert [line.split(b" ")[1:3] for line in log.path.read_bytes().splitlines()] == [[b"stdout", b"F"]] * 3


@in_log
async def test_the_end_the_beginning_and_the_times_can_be_asked_for(log: Log) -> None:
    log.write("stdout", [b"one", b"two", b"three"])
    assert await shown(log, LogWish(tail=1)) == b"three\n"
    assert await shown(log, LogWish(tail=0)) == b""
    assert await shown(log, LogWish(limit=5)) == b"one\nt"
    assert await shown(log, LogWish(since="9999")) == b""
    assert (await shown(log, LogWish(tail=1, timestamps=True))).endswith(b"000Z three\n")


@in_log
async def test_who_follows_sees_all_that_comes_until_the_end(log: Log) -> None:
    log.write("stdout", [b"before"])
    following = asyncio.create_task(shown(log, LogWish(follow=True)))
    await asyncio.sleep(0)
    log.write("stderr", [b"during"])
    log.write("stdout", [b"last"])
    log.close()
    assert await following == b"before\nduring\nlast\n"


@in_log
async def test_a_log_that_grows_too_large_forgets_its_older_half_and_followers_miss_nothing(log: Log) -> None:
    most, logs.LARGEST = logs.LARGEST, 2000  # type: ignore[misc]
    seen: list[bytes] = []

    async def follow() -> None:
        async for part in log.read(LogWish(follow=True)):
            seen.append(part)  # noqa: PERF401 - it is read while it grows

    try:
        following = asyncio.create_task(follow())
        for number in range(100):
            log.write("stdout", [b"line %d" % number])
            await until(lambda: b"line %d\n" % number in b"".join(seen))  # noqa: B023 - awaited at once
    finally:
        logs.LARGEST = most  # type: ignore[misc]
    log.close()
    await following
    assert b"".join(seen).count(b"\n") == 100
    assert log.path.stat().st_size <= 2000
