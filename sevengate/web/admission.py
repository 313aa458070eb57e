"""The validating webhook: an API server asks over HTTPS whether an Ingress may be written, and is answered in time.

Takes AdmissionReviews at any path (ingress-nginx's is /networking/v1/ingresses) and has them judged against the newest
Compilation, in a thread and one at a time, so that no push has to wait for long. While nothing was compiled yet it
answers 503, so the webhook's failurePolicy decides. A request is bounded in size and time, and so is their number: the
port can be reached by whoever reaches the pod. Nothing is kept of a review, and no NGINX ever sees it. What is judged
is compiler/admission.py's affair, how it is worded review.py's.
"""

import asyncio
import bisect
import logging
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import msgspec
from aiohttp import web

from sevengate.compiler.admission import Verdict, judge
from sevengate.compiler.compile import Compilation
from sevengate.metrics import INHERITED, OF_WEBHOOK, Sample, histogram, written
from sevengate.web.review import NoReviewError, Question, answer, read
from sevengate.web.serving import listen

log = logging.getLogger("sevengate.web")

#: A review holds an object twice, the old and the new one, and etcd takes none of more than 1.5 MiB.
LARGEST_BODY: Final = 3 * 1024 * 1024
#: What may be under way at one moment, in bytes and in reviews; API servers have been seen to ask 150 at once.
MOST_BYTES: Final = 32 * 1024 * 1024
MOST_AT_ONCE: Final = 256
#: Seconds until a review has to be read, and until it has to be judged.
READ_WITHIN: Final = 5.0
JUDGED_WITHIN: Final = 10.0


#: Seconds: bounds of the buckets of sevengate_review_seconds.
REVIEW_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


_TOO_LARGE: Final = f"a review of more than {LARGEST_BODY} bytes is not read"


class Reviews:
    """What became of all reviews so far, for /metrics."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._counts = [0] * (len(REVIEW_BOUNDS) + 1)
        self._total = self._last = 0.0

    def take(self, outcome: str, seconds: float) -> None:
        """Take note of one: `allowed`, `denied`, or the status of an answer without a verdict."""
        self._outcomes[outcome] += 1
        self._counts[bisect.bisect_left(REVIEW_BOUNDS, seconds)] += 1
        self._total += seconds
        self._last = seconds

    def text(self, constant: Mapping[str, str]) -> str:
        """Give all families of the webhook."""
        found = {
            f"{INHERITED}admission_roundtrip_duration": [Sample(self._last)],
            "sevengate_reviews_total": [
                Sample(number, {"outcome": what}) for what, number in list(self._outcomes.items())
            ],
            "sevengate_review_seconds": histogram(self._counts, REVIEW_BOUNDS, self._total),
        }
        return "".join(written(name, found[name], constant) for name in OF_WEBHOOK)


class Admission:
    """Answers reviews. `latest` gives what was compiled last; `concerns` says whether a namespace is watched."""

    def __init__(
        self, latest: Callable[[], Compilation | None], concerns: Callable[[str], bool], reviews: Reviews
    ) -> None:
        self._latest = latest
        self._concerns = concerns
        self._reviews = reviews
        self._turn = asyncio.Lock()
        self._under_way: list[int] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        began = time.monotonic()
        said = await self._admitted(request)
        self._reviews.take(said.outcome, time.monotonic() - began)
        return web.Response(status=said.status, body=said.body, content_type=said.content_type)

    async def _admitted(self, request: web.Request) -> "_Said":
        """Answer if there is room."""
        length = LARGEST_BODY if request.content_length is None else request.content_length
        if length > LARGEST_BODY:
            return _refusal(413, _TOO_LARGE)
        if len(self._under_way) >= MOST_AT_ONCE or sum(self._under_way) + length > MOST_BYTES:
            return _refusal(429, "too many reviews are under way")
        self._under_way.append(length)
        try:
            return await self._answered(request)
        finally:
            self._under_way.remove(length)

    async def _answered(self, request: web.Request) -> "_Said":
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await request.read()
            question = read(body)
            async with asyncio.timeout(JUDGED_WITHIN):
                verdict = await self._judged(question)
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, _TOO_LARGE)
        except NoReviewError as error:
            return _refusal(400, str(error))
        except TimeoutError:
            return _refusal(503, "there was no time for this review")
        if verdict is None:
            return _refusal(503, "nothing was compiled yet; this gate has just started")
        outcome = "allowed" if verdict.allowed else "denied"
        return _Said(outcome, 200, answer(question, verdict), "application/json")

    async def _judged(self, question: Question) -> Verdict | None:
        """Give the verdict, or None while there is nothing to judge by."""
        if question.new is None or not self._concerns(question.new.ref.namespace):
            return Verdict()
        async with self._turn:
            present = self._latest()
            if present is None:
                return None
            return await asyncio.to_thread(judge, present, question.new, question.old, datetime.now(UTC))


@asynccontextmanager
async def serving_admission(
    admission: Admission, addresses: tuple[str, ...], port: int, tls: ssl.SSLContext
) -> AsyncIterator[None]:
    """Serve the webhook at some addresses; raise AddressTakenError."""
    application = web.Application(client_max_size=LARGEST_BODY)
    application.router.add_post("/{path:.*}", admission.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await listen(runner, addresses, port, tls)
        yield
    finally:
        await runner.cleanup()


class _Said(msgspec.Struct, frozen=True):
    """An answer, and the outcome under which it is counted."""

    outcome: str
    status: int
    body: bytes
    content_type: str = "text/plain"


def _refusal(status: int, why: str) -> _Said:
    if status == 503:
        log.info("a review was not answered: %s", why)
    return _Said(str(status), status, f"{why}\n".encode())
