import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sevengate.cluster.errors import ConflictError
from sevengate.lab.reconciler import Reconciler
from tests.waiting import until


@asynccontextmanager
async def reconciling(look: Callable[[str], Awaitable[float | None]], workers: int = 8) -> AsyncIterator[Reconciler]:
    reconciler = Reconciler("test", look, workers)
    task = asyncio.create_task(reconciler.run())
    try:
        yield reconciler
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_key_that_is_asked_for_often_is_looked_at_once() -> None:
    async def run() -> None:
        looks: list[str] = []

        async def look(key: str) -> None:
            looks.append(key)

        async with reconciling(look) as one:
            for key in ("a", "b", "a", "a", "b"):
                one.ask(key)
            await until(lambda: one.is_idle)
            assert looks == ["a", "b"]

    asyncio.run(run())


def test_a_key_is_never_looked_at_twice_at_the_same_time_and_again_if_it_was_asked_for_meanwhile() -> None:
    async def run() -> None:
        looks, release = list[str](), asyncio.Event()

        async def look(key: str) -> None:
            looks.append(key)
            await release.wait()

        async with reconciling(look) as one:
            one.ask("a")
            await until(lambda: looks)
            for _ in range(3):
                one.ask("a")
            one.ask("b")
            await until(lambda: "b" in looks)
            assert looks == ["a", "b"]
            release.set()
            await until(lambda: one.is_idle)
            assert looks == ["a", "b", "a"]

    asyncio.run(run())


def test_a_look_that_fails_is_repeated_and_others_go_on() -> None:
    async def run() -> None:
        looks: list[str] = []

        async def look(key: str) -> None:
            looks.append(key)
            if key == "bad" and looks.count("bad") < 4:
                raise ConflictError(409, "Conflict", "as the test ordered")

        async with reconciling(look, workers=1) as one:
            one.ask("bad")
            one.ask("good")
            await until(lambda: looks.count("bad") == 4)
            assert looks[:2] == ["bad", "good"]

    asyncio.run(run())


def test_a_fault_of_our_own_is_got_over() -> None:
    async def run() -> None:
        looks: list[str] = []

        async def look(key: str) -> None:
            looks.append(key)
            if len(looks) < 3:
                raise KeyError("as the test ordered")

        async with reconciling(look) as one:
            one.ask("a")
            await until(lambda: len(looks) == 3)

    asyncio.run(run())


def test_a_look_may_ask_for_a_later_one_and_the_earliest_is_taken() -> None:
    async def run() -> None:
        looks: list[str] = []

        async def look(key: str) -> float | None:
            looks.append(key)
            return 0.01 if len(looks) < 3 else None

        async with reconciling(look) as one:
            one.ask_later("a", 3600)
            one.ask_later("a", 0.01)
            one.ask_later("a", 3600)
            await until(lambda: len(looks) == 3)

    asyncio.run(run())
