"""An API server for a test: in the test's own event loop, or in a thread for what blocks, like kubectl."""

import asyncio
import contextlib
import io
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from sevengate.cluster.authority import Pair
from sevengate.lab.addresses import LOOPBACK, Plan
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.running import OWNER, RunningApi, serving_api

Object = dict[str, Any]

INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Answer(msgspec.Struct):
    """What came back: code, the object, and headers."""

    code: int
    body: Object
    headers: Any

    @property
    def version(self) -> str:
        """The resourceVersion of what came back."""
        return str(self.body["metadata"]["resourceVersion"])


class Lab:
    """A running API server and a client of it."""

    def __init__(self, running: RunningApi, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    async def ask(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        """Send a request; `content_type`, `headers` and `query` may be given."""
        headers = {"Content-Type": options.get("content_type", "application/json"), **options.get("headers", {})}
        content = body if isinstance(body, bytes | None) else io.BytesIO(msgspec.json.encode(body))
        url = self.running.url + path
        async with self.session.request(
            method, url, data=content, headers=headers, params=options.get("query")
        ) as answer:
            return Answer(answer.status, await answer.json(), answer.headers)

    async def get(self, path: str, **query: str) -> Answer:
        """Read an object or a list."""
        return await self.ask("GET", path, query=query)

    async def create(self, path: str, body: Object, **query: str) -> Answer:
        """Create an object."""
        return await self.ask("POST", path, body, query=query)

    async def update(self, path: str, body: Object, **query: str) -> Answer:
        """Replace an object."""
        return await self.ask("PUT", path, body, query=query)

    async def merge(self, path: str, body: Object, **query: str) -> Answer:
        """Send a merge patch."""
        return await self.ask("PATCH", path, body, query=query, content_type=MERGE)

    async def apply(self, path: str, body: Object, **query: str) -> Answer:
        """Apply on the server's side."""
        return await self.ask("PATCH", path, body, query={"fieldManager": "test", **query}, content_type=APPLY)

    async def delete(self, path: str, body: Object | None = None, **query: str) -> Answer:
        """Delete an object or many."""
        return await self.ask("DELETE", path, body, query=query)

    @asynccontextmanager
    async def watching(self, path: str, **query: str) -> AsyncIterator[Callable[[], Awaitable[Object]]]:
        """Watch; gives what gives the next event, and raises StopAsyncIteration when the stream has ended."""
        url = self.running.url + path
        async with self.session.get(url, params={"watch": "true", **query}) as answer:
            answer.raise_for_status()

            async def following() -> Object:
                line = await asyncio.wait_for(answer.content.readline(), 20)
                if not line:
                    raise StopAsyncIteration
                event: Object = msgspec.json.decode(line)
                return event

            yield following


def trusting(running: RunningApi, client: Pair | None) -> ssl.SSLContext:
    """Trust the lab, and prove who one is."""
    tls = ssl.create_default_context(cadata=running.authority.decode())
    if client:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "client.pem")
            path.write_bytes(client.certificate + client.key)
            tls.load_cert_chain(path)
    return tls


@asynccontextmanager
async def connected(running: RunningApi, client: Pair | None = None, token: str = "") -> AsyncIterator[Lab]:
    """Be another client of a running API server."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connector = aiohttp.TCPConnector(ssl=trusting(running, client))
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Lab(running, session)


Scenario = Callable[[Lab], Awaitable[None]]
#: What runs beside an API server, as a client of it.
Beside = Callable[[RunningApi], Awaitable[None]]


def in_lab(scenario: Scenario) -> Callable[[], None]:
    """Run an asynchronous test as the owner of a new lab."""
    return _in_lab_of(Api, scenario)


def in_legacy_lab(scenario: Scenario) -> Callable[[], None]:
    """Do the same in a lab that serves old API versions as well."""
    return _in_lab_of(partial(Api, legacy_apis=True), scenario)


def _in_lab_of(make: Callable[[], Api], scenario: Scenario) -> Callable[[], None]:
    async def run() -> None:
        async with (
            serving_api(api=make()) as running,
            connected(running, running.client(OWNER, "system:masters")) as lab,
            asyncio.timeout(60),
        ):
            await scenario(lab)

    def test() -> None:
        asyncio.run(run())

    test.__name__ = getattr(scenario, "__name__", "test")
    return test


@contextmanager
def in_thread(
    *, legacy_apis: bool = False, plan: Plan = LOOPBACK, beside: Beside | None = None
) -> Iterator[RunningApi]:
    """Serve from a thread, for tests that wait for other programs; `beside` runs there too until the end."""
    started: Future[RunningApi] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving_api(api=Api(plan=plan, legacy_apis=legacy_apis)) as running:
            task = asyncio.ensure_future(beside(running)) if beside else None
            started.set_result(running)
            await stop.wait()
            if task:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def run() -> None:
        try:
            runner.run(serve())
        except BaseException as error:
            started.set_exception(error)
        finally:
            runner.close()

    runner = asyncio.Runner()
    loop = runner.get_loop()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield started.result(20)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


def config_map(name: str, **data: str) -> Object:
    """Make a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def ingress(name: str, host: str = "shop.example") -> Object:
    """Make an Ingress."""
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": "nginx", "rules": [rule]},
    }


def deployment(name: str, image: str = "nginx:1.25") -> Object:
    """Make a Deployment."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def pod(name: str, node: str = "") -> Object:
    """Make a Pod."""
    spec = {"containers": [{"name": "web", "image": "nginx:1.25"}]} | ({"nodeName": node} if node else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
