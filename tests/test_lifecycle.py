import asyncio
import os
import signal

import pytest

from sevengate.lifecycle import Ending, ending, first_of


def test_the_first_signal_asks_for_the_end_and_the_second_hurries() -> None:
    async def scene() -> None:
        with ending() as end:
            seen = [end.is_asked]
            os.kill(os.getpid(), signal.SIGTERM)
            await end.asked()
            assert [*seen, end.is_asked] == [False, True]
            waiting = asyncio.create_task(end.pause(3600))
            await asyncio.sleep(0)
            assert not waiting.done()
            os.kill(os.getpid(), signal.SIGINT)
            await waiting

    asyncio.run(scene())


def test_a_pause_without_a_hurry_ends_by_itself() -> None:
    asyncio.run(Ending().pause(0.001))


def test_work_ends_with_the_first_that_ends_and_raises_what_it_raised() -> None:
    ended = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("for ever")

    async def failing() -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        asyncio.run(first_of(for_ever(), failing()))
    assert ended == ["for ever"]
