import asyncio
import http.client
import logging
import os
from collections.abc import AsyncIterator

import pytest

from sevengate.nginx.listening import AddressTakenError
from sevengate.web.serving import Page, serving
from tests.waiting import free_port
from tests.web.probing import Said, probe, probes


async def fine() -> Page:
    return Page("ok\n")


async def failing() -> Page:
    raise ValueError("a fault")


def test_each_path_has_its_page_and_others_have_none() -> None:
    async def odd() -> Page:
        return Page("teapot ☕\n", 418, "text/markdown")

    [first, second, third] = probes({"/a": fine, "/b": odd}, "/a?x=1", "/b", "/c")
    assert first == Said(200, "ok\n", "text/plain; charset=utf-8")
    assert second == Said(418, "teapot ☕\n", "text/markdown")
    assert third.status == 404


def test_a_page_that_fails_is_a_line_in_the_log_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = probes({"/bad": failing, "/good": fine}, "/bad", "/good")
    assert [said.status for said in found] == [500, 200]
    assert "Traceback" not in found[0].body
    assert [record.getMessage() for record in caplog.records] == ["/bad cannot be answered"]


def test_a_long_page_is_sent_piece_by_piece() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield f"{number:100}\n".encode()

    async def long() -> Page:
        return Page(pieces())

    [said] = probes({"/long": long}, "/long")
    assert said.body.split() == [str(number) for number in range(1000)]


def test_a_page_that_fails_half_way_is_not_taken_for_a_whole_one() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("nginx is gone")

    async def broken() -> Page:
        return Page(pieces())

    with pytest.raises(http.client.IncompleteRead):
        probes({"/broken": broken}, "/broken")


def test_a_taken_port_is_an_error_and_nothing_stays_open() -> None:
    async def run() -> None:
        port = free_port()
        async with serving({"/": fine}, ("127.0.0.1",), port):
            with pytest.raises(AddressTakenError, match=rf"127.0.0.1:{port} is taken by .*\(pid {os.getpid()}\)"):
                async with serving({"/": fine}, ("127.0.0.1",), port):
                    pass
        async with serving({"/": fine}, ("127.0.0.1",), port):
            assert (await asyncio.to_thread(probe, port, "/")).body == "ok\n"

    asyncio.run(run())
