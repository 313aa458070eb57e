"""From an object that kubectl applies to an answer of NGINX, and back to what kubectl shows."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from sevengate.cluster.resources import ENDPOINT_SLICES, INGRESSES, SERVICES
from tests.backends import EchoBackends
from tests.cluster.making import published
from tests.contract.clusters import Place, Plain, play
from tests.contract.objects import CLASS, endpoint_slice, ingress, service
from tests.test_run_cluster import Running, gate
from tests.waiting import until


@asynccontextmanager
async def sevengate(place: Place, temporary: str) -> AsyncIterator[Running]:
    flags = ("--kubeconfig", str(place.kubeconfig), "--watch-namespace", place.namespace)
    async with gate(temporary, *flags, "--ingress-class", CLASS, "--publish-status-address", "192.0.2.1") as running:
        await until(running.is_healthy)
        yield running


async def give_backend(place: Place, backends: EchoBackends) -> None:
    """Make a Service whose endpoint listens on loopback, which only the lab takes for one."""
    place.require_lab()
    endpoint = backends.start("shop")
    await place.create(SERVICES, service("shop"))
    await place.create(ENDPOINT_SLICES, endpoint_slice("shop", endpoint.address, port=endpoint.port))


async def kubectl(place: Place, *words: str, given: Plain | None = None, succeeds: bool = True) -> str:
    program = shutil.which("kubectl") or pytest.skip("there is no kubectl")
    process = await asyncio.create_subprocess_exec(
        *(program, "--kubeconfig", str(place.kubeconfig), "--namespace", place.namespace, *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(msgspec.json.encode(given) if given else b"")
    assert (process.returncode == 0) is succeeds, said.decode()
    return said.decode()


async def is_published(place: Place) -> bool:
    return published(await place.read(INGRESSES, "shop")) == [{"ip": "192.0.2.1"}]


def test_an_ingress_made_while_it_runs_is_served_published_and_taken_back(
    backends: EchoBackends, temporary: str
) -> None:
    async def scenario(place: Place) -> None:
        await give_backend(place, backends)
        async with sevengate(place, temporary) as running:
            assert await running.serves("shop.example", 404)
            await place.create(INGRESSES, ingress("shop"))
            await until(lambda: running.serves("shop.example"))
            assert (await running.get("shop.example")).json["name"] == "shop"
            await until(lambda: is_published(place))
            running.process.terminate()
            assert await running.process.wait() == 0
            assert published(await place.read(INGRESSES, "shop")) == []

    play(scenario)


def test_kubectl_applies_an_ingress_and_shows_its_address(backends: EchoBackends, temporary: str) -> None:
    async def scenario(place: Place) -> None:
        await give_backend(place, backends)
        async with sevengate(place, temporary) as running:
            whole = {"apiVersion": INGRESSES.api_version, **ingress("shop")}
            whole["metadata"]["namespace"] = place.namespace
            await kubectl(place, "apply", "-f", "-", given=whole)
            await until(lambda: running.serves("shop.example"))
            await until(lambda: is_published(place))
            row = (await kubectl(place, "get", "ingress", "shop", "--no-headers")).split()
            assert row[:4] == ["shop", CLASS, "shop.example", "192.0.2.1"]

    play(scenario)
