"""Question (g): how long an API server waits for the webhook among 10,000 Ingresses, and what that does to the rest.

The webhook runs in a process of its own, as it does in a controller, beside a heart that beats every millisecond: what
is late there would be late for a push. The other side sends reviews as an API server does, over one TLS connection that
stays open, one after the other; and then many at once, each over its own.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Final

import aiohttp
import msgspec

from bench.answers import Answer, Bar, Figure
from bench.cluster import Plain, host_name, ingress, small_cluster, snapshot
from bench.gates import compiled
from bench.gauges import percentile
from bench.peers import LOOPBACK, BenchError, free_ports
from bench.scale import Scale
from sevengate.cluster.authority import Authority, Pair
from sevengate.web.admission import Admission, Reviews, serving_admission
from sevengate.web.proof import Proof

QUESTION: Final = (
    "An API server asks the webhook about an Ingress of five paths among 10,000: one that is new, one that wants "
    "another's paths, one that changes. Time from sending the review to its verdict, over HTTPS; and with 150 asked at "
    "once, what users of ingress-nginx saw take more than 10 s, and one alone 3 to 15 s among 500 to 1,000."
)
#: Reviews of each sort, for each change of the scale; and how many are asked at once.
REVIEWS: Final = 10
AT_ONCE: Final = 150
_NOWHERE: Final = ("192.0.2.1", 8080)


def answer(scale: Scale) -> Answer:
    """Ask for each sort of write."""
    with _webhook(scale.hosts) as (port, authority, beats):
        figures = asyncio.run(_Asking(port, authority, scale).figures())
        late = beats()
    heart = Figure("longest pause of the controller's loop meanwhile", late * 1000, "ms")
    note = f"{REVIEWS * scale.changes} reviews of each sort, one after the other; {AT_ONCE} at once three times."
    return Answer((*figures, heart), (note,))


class _Asking:
    """The API server's side."""

    def __init__(self, port: int, authority: bytes, scale: Scale) -> None:
        self._url = f"https://{LOOPBACK}:{port}/networking/v1/ingresses"
        self._trust = ssl.create_default_context(cadata=authority.decode())
        self._size = scale.hosts
        self._count = REVIEWS * scale.changes

    async def figures(self) -> list[Figure]:
        sorts = {"a new Ingress": self._new, "a conflict": self._conflict, "a change": self._change}
        found: list[Figure] = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust, limit=0)) as session:
            for name, ask in sorts.items():
                await ask(session, 0)
                taken = [await _timed(ask, session, number) for number in range(self._count)]
                found += (
                    Figure(f"{name}: median", percentile(taken, 50) * 1000, "ms"),
                    Figure(f"{name}: p99", percentile(taken, 99) * 1000, "ms", Bar(50)),
                )
            crowds = [await self._crowd(session) for _ in range(3)]
        return [*found, Figure.of(f"{AT_ONCE} at once: the last", [crowd * 1000 for crowd in crowds], "ms")]

    async def _crowd(self, session: aiohttp.ClientSession) -> float:
        began = perf_counter()
        await asyncio.gather(*(self._change(session, number) for number in range(AT_ONCE)))
        return perf_counter() - began

    async def _new(self, session: aiohttp.ClientSession, number: int) -> None:
        # Its host is nobody's, its Service is there.
        new = ingress(number % self._size)
        new["metadata"]["name"] = f"new-{number}"
        new["spec"]["rules"][0]["host"] = f"new-{number}.example.com"
        await self._asked(session, new, None, allowed=True)

    async def _conflict(self, session: aiohttp.ClientSession, number: int) -> None:
        new = ingress(number % self._size)
        new["metadata"] |= {"name": f"late-{number}", "creationTimestamp": "2026-01-01T00:00:00Z"}
        await self._asked(session, new, None, allowed=False)

    async def _change(self, session: aiohttp.ClientSession, number: int) -> None:
        number %= self._size
        await self._asked(session, ingress(number, first_path="/changed"), ingress(number), allowed=True)

    async def _asked(self, session: aiohttp.ClientSession, new: Plain, old: Plain | None, *, allowed: bool) -> None:
        async with session.post(self._url, data=_review(new, old)) as said:
            verdict = msgspec.json.decode(await said.read())["response"]
        if verdict["allowed"] != allowed:
            raise BenchError(f"the webhook said {verdict} of {host_name(0)}")


async def _timed(ask: Callable[..., Awaitable[None]], session: aiohttp.ClientSession, number: int) -> float:
    began = perf_counter()
    await ask(session, number)
    return perf_counter() - began


def _review(new: Plain, old: Plain | None) -> bytes:
    asked = {
        "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
        "kind": {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"},
        "operation": "UPDATE" if old else "CREATE",
        "object": new,
        "oldObject": old,
    }
    return msgspec.json.encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked})


# --- the webhook, in a process of its own


@contextmanager
def _webhook(size: int) -> Iterator[tuple[int, bytes, Callable[[], float]]]:
    """Give its port, the authority of its certificate, and what says how late the heart was."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    authority = Authority()
    process = spawn.Process(target=_serve, args=(size, authority.server([LOOPBACK]), theirs))
    process.start()
    theirs.close()

    def beats() -> float:
        ours.send("stop")
        late: float = ours.recv()
        return late

    try:
        yield ours.recv(), authority.certificate, beats
    finally:
        ours.close()
        process.join()


def _serve(size: int, pair: Pair, pipe: Connection) -> None:
    compilation = compiled(snapshot(small_cluster(size, _NOWHERE)))

    async def run() -> None:
        proof = Proof()
        proof.show(pair)
        admission = Admission(lambda: compilation, lambda _namespace: True, Reviews())
        [port] = free_ports(1)
        async with serving_admission(admission, (LOOPBACK,), port, proof.context):
            heart = _Heart()
            beating = asyncio.create_task(heart.beat())
            pipe.send(port)
            await asyncio.to_thread(_until_told, pipe)
            beating.cancel()
            pipe.send(heart.late)

    asyncio.run(run())


class _Heart:
    """Beats, and remembers by how much it was too late at most."""

    def __init__(self) -> None:
        self.late = 0.0

    async def beat(self) -> None:
        while True:
            began = perf_counter()
            await asyncio.sleep(0.001)
            self.late = max(self.late, perf_counter() - began - 0.001)


def _until_told(pipe: Connection) -> None:
    """Wait for a word, or for the other side to end."""
    try:
        pipe.recv()
    except EOFError:
        return
