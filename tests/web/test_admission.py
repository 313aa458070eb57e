"""The webhook over HTTPS: what an API server gets, and what somebody gets who is none."""

import asyncio
import io
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sevengate.cluster.authority import Authority
from sevengate.compiler.compile import Compilation, compile_all
from sevengate.settings import Options
from sevengate.web import admission
from sevengate.web.admission import LARGEST_BODY, Admission, Reviews, serving_admission
from sevengate.web.proof import Proof
from tests.cluster import making as plain
from tests.compiler.making import NOW, endpoint_slice, ingress, rule, service, snapshot
from tests.scrape import read
from tests.waiting import free_port, until
from tests.web.test_review import review

AUTHORITY = Authority()
PRESENT = compile_all(
    snapshot(service(), endpoint_slice(), ingress("shop", rule("shop.example"), created="2025-01-01T00:00:00Z")),
    Options(),
    NOW,
)


class Asking:
    """A webhook, and who asks it."""

    def __init__(self, url: str, session: aiohttp.ClientSession, reviews: Reviews) -> None:
        self.url = url
        self.reviews = reviews
        self._session = session

    async def ask(self, body: Any, path: str = "/networking/v1/ingresses") -> tuple[int, str]:
        content = io.BytesIO(body) if isinstance(body, bytes) else body
        async with self._session.post(self.url + path, data=content) as answer:
            return answer.status, await answer.text()

    async def get(self) -> int:
        async with self._session.get(self.url) as answer:
            return answer.status


def with_webhook(
    scenario: Callable[[Asking], Awaitable[None]],
    latest: Callable[[], Compilation | None] = lambda: PRESENT,
    concerns: Callable[[str], bool] = lambda _namespace: True,
) -> None:
    reviews = Reviews()

    @asynccontextmanager
    async def serving(port: int) -> Any:
        proof = Proof()
        proof.show(AUTHORITY.server(["127.0.0.1"]))
        async with serving_admission(Admission(latest, concerns, reviews), ("127.0.0.1",), port, proof.context):
            yield

    async def run() -> None:
        port = free_port()
        trust = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
        connector = aiohttp.TCPConnector(ssl=trust)
        async with serving(port), aiohttp.ClientSession(connector=connector) as session:
            await scenario(Asking(f"https://127.0.0.1:{port}", session, reviews))

    asyncio.run(run())


def test_a_write_is_judged_by_what_there_is_now() -> None:
    async def scenario(asking: Asking) -> None:
        status, said = await asking.ask(review(plain.ingress("shop", "team")), "/any/path")
        assert status == 200
        assert '"allowed":false' in said
        assert "already belongs to Ingress default/shop" in said
        status, said = await asking.ask(review(plain.ingress("other")))
        assert status == 200
        assert '"allowed":true' in said

    with_webhook(scenario)


def test_what_is_no_review_gets_a_sentence_and_no_traceback() -> None:
    async def scenario(asking: Asking) -> None:
        for body in (b"", b"{", b"[]", b"\xff\x00"):
            status, said = await asking.ask(body)
            assert status == 400
            assert said.startswith("this is not an AdmissionReview: ")
            assert "Traceback" not in said
        assert await asking.get() == 405

    with_webhook(scenario)


def test_a_body_that_is_too_large_is_not_read() -> None:
    async def in_pieces() -> Any:
        for _ in range(5):
            yield b"x" * (1 << 20)

    async def scenario(asking: Asking) -> None:
        assert (await asking.ask(b"x" * (LARGEST_BODY + 1)))[0] == 413
        assert (await asking.ask(in_pieces()))[0] == 413
        assert (await asking.ask(review(plain.ingress("a"), x="x" * (LARGEST_BODY // 2))))[0] == 200

    with_webhook(scenario)


def test_reviews_are_counted_by_what_became_of_them() -> None:
    async def scenario(asking: Asking) -> None:
        for body in (review(plain.ingress("a")), review(plain.ingress("shop", "team")), b"{", b"{"):
            await asking.ask(body)
        scrape = read(asking.reviews.text({}))
        outcomes = {
            outcome: scrape.one("sevengate_reviews_total", outcome=outcome) for outcome in ("allowed", "denied", "400")
        }
        assert outcomes == {"allowed": 1, "denied": 1, "400": 2}
        assert scrape.one("sevengate_review_seconds_count") == 4
        assert scrape.one("nginx_ingress_controller_admission_roundtrip_duration") > 0

    with_webhook(scenario)


def test_before_anything_was_compiled_nothing_is_decided() -> None:
    async def scenario(asking: Asking) -> None:
        assert (await asking.ask(review(plain.ingress("a"))))[0] == 503
        assert (await asking.ask(review(None, plain.ingress("a"), operation="DELETE")))[0] == 200

    with_webhook(scenario, latest=lambda: None)


def test_a_namespace_that_is_not_watched_is_none_of_its_business() -> None:
    async def scenario(asking: Asking) -> None:
        status, said = await asking.ask(review(plain.ingress("shop", "team")))
        assert (status, '"allowed":true' in said) == (200, True)

    with_webhook(scenario, concerns=lambda _namespace: False)


def test_who_sends_too_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "READ_WITHIN", 0.1)

    async def scenario(asking: Asking) -> None:
        never = asyncio.Event()

        async def slowly() -> Any:
            yield b"{"
            await never.wait()

        assert (await asking.ask(slowly()))[0] == 503

    with_webhook(scenario)


def test_more_reviews_than_there_is_room_for_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MOST_AT_ONCE", 1)

    async def scenario(asking: Asking) -> None:
        go_on = asyncio.Event()

        async def slowly() -> Any:
            yield b"{"
            await go_on.wait()

        first = asyncio.create_task(asking.ask(slowly()))
        await until(lambda: is_full(asking))
        go_on.set()
        assert (await first)[0] == 400
        assert (await asking.ask(review(plain.ingress("a"))))[0] == 200

    async def is_full(asking: Asking) -> bool:
        return (await asking.ask(b""))[0] == 429

    with_webhook(scenario)
