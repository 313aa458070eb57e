import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sevengate.routing.table import Endpoint
from tests.asking import Answer, ask
from tests.backends import EchoBackends
from tests.cluster.api_server import ApiServer
from tests.cluster.making import config_map, endpoint_slice, ingress, ingress_class, published, service
from tests.scrape import read
from tests.waiting import LIMIT, free_port, until


class Running:
    """A `sevengate run` that follows a scripted API server."""

    def __init__(self, process: asyncio.subprocess.Process, http: int, healthz: int) -> None:
        self.process, self.http, self.healthz = process, http, healthz
        self.lines: list[str] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip("\n"))

    def said(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    async def get(self, host: str) -> Answer:
        return await asyncio.to_thread(ask, self.http, host)

    async def serves(self, host: str, status: int = 200) -> bool:
        with suppress(OSError):
            return (await self.get(host)).status == status
        return False

    async def is_healthy(self) -> bool:
        with suppress(OSError):
            return (await asyncio.to_thread(ask, self.healthz, "localhost", "/healthz")).status == 200
        return False


@asynccontextmanager
async def gate(temporary: str, *flags: str, **environment: str) -> AsyncIterator[Running]:
    http, healthz = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sevengate", "run", "--bind-address", "127.0.0.1", "--http-port", str(http)),
        *("--https-port", str(free_port()), "--default-server-port", str(free_port())),
        *("--healthz-port", str(healthz), *flags),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": temporary, **environment},
        cwd=Path(__file__).parents[1],
    )
    running = Running(process, http, healthz)
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await running.reading


Scenario = Callable[[ApiServer, Running], Coroutine[Any, Any, None]]


@pytest.fixture
def cluster(backends: EchoBackends) -> ApiServer:
    """An API server with an Ingress for shop.example and all that it needs."""
    server = ApiServer()
    server.put(ingress_class())
    server.put(ingress("shop"))
    server.put(service("shop"))
    put_endpoint(server, backends.start("shop"))
    return server


def put_endpoint(server: ApiServer, endpoint: Endpoint) -> None:
    server.put(endpoint_slice("shop", endpoint.address, port=endpoint.port))


def play(scenario: Scenario, server: ApiServer, temporary: str, *flags: str) -> None:
    async def run() -> None:
        async with asyncio.timeout(3 * LIMIT), server.running() as access:
            named = ("--apiserver-host", access.server, "--publish-status-address", "192.0.2.1")
            async with gate(temporary, *named, *flags) as running:
                await scenario(server, running)

    asyncio.run(run())


def status_of(server: ApiServer, key: str) -> list[dict[str, Any]]:
    return published(server.get("Ingress", key))


def test_what_a_cluster_asks_for_is_served_and_its_statuses_say_where(
    cluster: ApiServer, backends: EchoBackends, temporary: str
) -> None:
    async def scenario(server: ApiServer, running: Running) -> None:
        await until(running.is_healthy)
        assert (await running.get("shop.example")).json["name"] == "shop"
        await until(lambda: status_of(server, "default/shop") == [{"ip": "192.0.2.1"}])
        server.put(ingress("new"))
        await until(lambda: running.serves("new.example"))
        put_endpoint(server, backends.start("other"))
        await until(lambda: name_of(running) == "other")
        server.delete("Ingress", "default/new")
        await until(lambda: running.serves("new.example", 404))
        assert running.said("reloaded") == 0
        scrape = read((await asyncio.to_thread(ask, running.healthz, "localhost", "/metrics")).body.decode())
        assert scrape.one("sevengate_event_to_live_seconds_count") == scrape.one("sevengate_pushes_total") >= 4
        assert scrape.one("nginx_ingress_controller_leader_election_status", name="ingress-controller-leader") == 1
        running.process.terminate()
        assert await running.process.wait() == 0
        assert status_of(server, "default/shop") == []
        assert server.get("Lease", "default/ingress-controller-leader")["spec"]["holderIdentity"] == ""

    def name_of(running: Running) -> str:
        name: str = ask(running.http, "shop.example").json["name"]
        return name

    play(scenario, cluster, temporary)


def test_an_api_server_that_is_away_changes_nothing_for_traffic_and_heals(cluster: ApiServer, temporary: str) -> None:
    async def scenario(server: ApiServer, running: Running) -> None:
        await until(running.is_healthy)
        server.refuse(status=500, times=1 << 30)
        server.stall()
        server.cut()
        server.put(ingress("new"))
        server.compact()
        await until(lambda: running.said("what was last read of them stays") >= 3)
        assert await running.serves("shop.example")
        assert await running.serves("new.example", 404)
        server.allow()
        await until(lambda: running.serves("new.example"))

    play(scenario, cluster, temporary)


def test_what_is_wrong_is_said_and_becomes_an_event(cluster: ApiServer, temporary: str) -> None:
    async def scenario(server: ApiServer, running: Running) -> None:
        await until(running.is_healthy)
        server.delete("Service", "default/shop")
        await until(lambda: running.said("backend/service-not-found") and server.objects["events"])
        [event] = server.objects["events"].values()
        assert event["regarding"]["name"] == "shop"
        assert await running.serves("shop.example", 503)

    play(scenario, cluster, temporary, "--disable-leader-election")


def test_it_is_not_ready_before_everything_was_read(cluster: ApiServer, temporary: str) -> None:
    async def scenario(server: ApiServer, running: Running) -> None:
        await until(lambda: running.said("no RBAC rule gives verbs list and watch on services"))
        assert not await running.is_healthy()
        server.allow()
        await until(running.is_healthy)
        assert await running.serves("shop.example")

    cluster.refuse("/services", status=403, times=1 << 30)
    play(scenario, cluster, temporary)


def test_a_kubeconfig_that_cannot_be_used_ends_it_with_a_sentence(temporary: str) -> None:
    async def run() -> None:
        async with asyncio.timeout(LIMIT), gate(temporary, "--kubeconfig", f"{temporary}/none") as running:
            assert await running.process.wait() != 0
            await running.reading
            assert running.said("/none cannot be read: No such file or directory") == 1
            assert running.said("Traceback") == 0

    asyncio.run(run())


def test_the_arguments_of_an_old_deployment_of_ingress_nginx_start_it(cluster: ApiServer, temporary: str) -> None:
    async def scenario(_server: ApiServer, running: Running) -> None:
        await until(running.is_healthy)
        assert await running.serves("shop.example")
        assert running.said("--tcp-services-configmap has no effect: TCP and UDP services are not carried out yet") == 1
        assert running.said("--logtostderr") == 0

    cluster.put(config_map("nginx-configuration", "default"))
    arguments = (
        "--configmap=default/nginx-configuration",
        "--tcp-services-configmap=default/tcp-services",
        "--udp-services-configmap=default/udp-services",
        "--annotations-prefix=nginx.ingress.kubernetes.io",
        "--watch-ingress-without-class=true",
        "-v=3",
        "--logtostderr",
    )
    play(scenario, cluster, temporary, *arguments)


def test_annotations_count_under_the_prefix_that_was_named(cluster: ApiServer, temporary: str) -> None:
    async def scenario(_server: ApiServer, running: Running) -> None:
        await until(running.is_healthy)
        answer = await running.get("shop.example")
        assert (answer.status, answer.header("location")) == (302, "http://elsewhere.example")
        assert (await asyncio.to_thread(ask, running.healthz, "localhost", "/ready")).status == 200

    shop = ingress("shop")
    shop["metadata"]["annotations"] = {"our.example/temporal-redirect": "http://elsewhere.example"}
    cluster.put(shop)
    play(scenario, cluster, temporary, "-annotations-prefix", "our.example", "--health-check-path=/ready", "-v=5")
