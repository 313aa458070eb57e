"""The validating webhook: an API server asks over HTTPS whether an Ingress may be written, and is answered in time.

Takes AdmissionReviews at any path (ingress-nginx's is /networking/v1/ingresses) and has them judged against the newest
Compilation, in a thread and one at a time, so that no push has to wait for long. While nothing was compiled yet it
answers 503, so the webhook's failurePolicy decides. A request is bounded in size and time, and so is their number: the
port can be reached by whoever reaches the pod. Nothing is kept of a review, and no NGINX ever sees it. What is judged
is compiler/admission.py's affair, how it is worded review.py's.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from sevengate.compiler.admission import Verdict, judge
from sevengate.compiler.compile import Compilation
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


class Admission:
    """Answers reviews. `latest` gives what was compiled last; `concerns` says whether a namespace is watched."""

    def __init__(self, latest: Callable[[], Compilation | None], concerns: Callable[[str], bool]) -> None:
        self._latest = latest
        self._concerns = concerns
        self._turn = asyncio.Lock()
        self._under_way: list[int] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        length = LARGEST_BODY if request.content_length is None else request.content_length
        if length > LARGEST_BODY:
            return _refusal(413, f"a review of more than {LARGEST_BODY} bytes is not read")
        if len(self._under_way) >= MOST_AT_ONCE or sum(self._under_way) + length > MOST_BYTES:
            return _refusal(429, "too many reviews are under way")
        self._under_way.append(length)
        try:
            return await self._answered(request)
        finally:
            self._under_way.remove(length)

    async def _answered(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await request.read()
            question = read(body)
            async with asyncio.timeout(JUDGED_WITHIN):
                verdict = await self._judged(question)
        except NoReviewError as error:
            return _refusal(400, str(error))
        except TimeoutError:
            return _refusal(503, "there was no time for this review")
        if verdict is None:
            return _refusal(503, "nothing was compiled yet; this gate has just started")
        return web.Response(body=answer(question, verdict), content_type="application/json")

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


def _refusal(status: int, why: str) -> web.Response:
    if status == 503:
        log.info("a review was not answered: %s", why)
    return web.Response(status=status, text=f"{why}\n")
