import asyncio
import urllib.error
import urllib.request

import pytest

from sevengate.web.health import serving_health
from tests.waiting import free_port


def probe(port: int, path: str = "/healthz") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def probes(*reasons: str) -> list[tuple[int, str]]:
    async def run() -> list[tuple[int, str]]:
        left = list(reasons)

        async def why_not() -> str:
            return left.pop(0)

        port = free_port()
        async with serving_health(why_not, ("127.0.0.1",), port):
            return [await asyncio.to_thread(probe, port) for _ in reasons]

    return asyncio.run(run())


def test_a_probe_hears_whether_all_is_well_and_if_not_why() -> None:
    assert probes("nothing was pushed yet", "", "nginx does not answer") == [
        (503, "nothing was pushed yet\n"),
        (200, "ok\n"),
        (503, "nginx does not answer\n"),
    ]


def test_a_taken_port_is_an_error_and_nothing_stays_open() -> None:
    async def fine() -> str:
        return ""

    async def run() -> None:
        port = free_port()
        async with serving_health(fine, ("127.0.0.1",), port):
            with pytest.raises(OSError, match="address already in use"):
                async with serving_health(fine, ("127.0.0.1",), port):
                    pass
        async with serving_health(fine, ("127.0.0.1",), port):
            assert await asyncio.to_thread(probe, port) == (200, "ok\n")

    asyncio.run(run())
