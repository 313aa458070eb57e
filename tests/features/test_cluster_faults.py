"""Whatever goes wrong between a gate and its API server, traffic goes on, and afterwards nothing was missed."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cluster.api_server import ApiServer
from tests.cluster.making import ingress, published
from tests.load import Load
from tests.pair import parent_of
from tests.test_run_cluster import Running, cluster, gate
from tests.waiting import LIMIT, until

__all__ = ["cluster"]

LEASE = "default/ingress-controller-leader"


def kubeconfig(folder: str, url: str) -> str:
    """Write a kubeconfig whose user has the token of a file, and give its name."""
    user = {"name": "gate", "user": {"tokenFile": f"{folder}/token"}}
    cluster_of_it = {"name": "scripted", "cluster": {"server": url}}
    context = {"name": "it", "context": {"cluster": "scripted", "user": "gate"}}
    plain = {"current-context": "it", "users": [user], "clusters": [cluster_of_it], "contexts": [context]}
    write(Path(folder, "kubeconfig"), json.dumps(plain))
    return f"{folder}/kubeconfig"


def write(path: Path, text: str) -> None:
    path.write_text(text)


@asynccontextmanager
async def serving(server: ApiServer, folder: str, *flags: str, **environment: str) -> AsyncIterator[Running]:
    write(Path(folder, "token"), "first")
    async with asyncio.timeout(4 * LIMIT), server.running() as access:
        named = ("--kubeconfig", kubeconfig(folder, access.server), "--publish-status-address", "192.0.2.1")
        async with gate(folder, *named, *flags, **environment) as running:
            await until(running.is_healthy)
            yield running


def master_of(running: Running) -> int:
    children = (int(entry.name) for entry in Path("/proc").glob("[0-9]*") if parent_of(entry) == running.process.pid)
    return next(children, 0)


def compacted(server: ApiServer) -> None:
    server.compact()
    server.cut()


FAULTS: dict[str, Callable[[ApiServer], object]] = {
    "events twice": lambda server: server.repeat(3),
    "out of order": lambda server: server.swap(
        lambda: server.put(ingress("shop")), lambda: server.put(ingress("shop", defaultBackend=None))
    ),
    "malformed": lambda server: server.put(ingress("bad", rules=[{"host": 7, "http": "none"}])),
    "cut": lambda server: server.cut(within_a_line=True),
    "410 as a status": compacted,
    "410 as an event": lambda server: server.send_error(410),
}


def test_every_fault_of_a_watch_is_got_over_under_load(cluster: ApiServer, temporary: str) -> None:
    async def scenario() -> None:
        async with serving(cluster, temporary) as running:
            with Load(running.http, "shop.example", clients=4, pause=0.01) as load:
                for number, fault in enumerate(FAULTS.values()):
                    fault(cluster)
                    cluster.put(ingress(f"after-{number}"))
                    await until(lambda name=f"after-{number}.example": running.serves(name))  # type: ignore[misc]
            assert load.broken == []
            assert load.answers.keys() == {200}
            assert running.said("manifest/wrong-type") == 1
            assert running.said("reloaded") == running.said("Traceback") == 0

    asyncio.run(scenario())


def test_an_outage_changes_nothing_even_where_nginx_dies_meanwhile(cluster: ApiServer, temporary: str) -> None:
    async def scenario() -> None:
        async with serving(cluster, temporary) as running:
            for words, status in (("/services", 403), ("/endpointslices", 429), ("", 500)):
                cluster.refuse(words, status=status, times=1 << 30)
            cluster.cut()
            cluster.put(ingress("new"))
            await until(lambda: running.said("no RBAC rule gives verbs list and watch on services"))
            os.kill(master_of(running), signal.SIGKILL)
            await until(lambda: running.said("nginx is filled anew: generation 1"))
            assert await running.serves("shop.example")
            assert await running.serves("new.example", 404)
            cluster.allow()
            await until(lambda: running.serves("new.example"), 3 * LIMIT)
            assert running.said("nginx ended with status -9") == 1

    asyncio.run(scenario())


def test_a_token_that_has_expired_is_read_again(cluster: ApiServer, temporary: str) -> None:
    async def scenario() -> None:
        async with serving(cluster, temporary) as running:
            cluster.tokens = {"Bearer second"}
            cluster.cut()
            await until(lambda: running.said("401"))
            assert await running.serves("shop.example")
            write(Path(temporary, "token"), "second")
            cluster.put(ingress("new"))
            await until(lambda: running.serves("new.example"), 3 * LIMIT)

    asyncio.run(scenario())


def test_who_takes_the_lease_over_writes_from_then_on(cluster: ApiServer, temporary: str) -> None:
    def is_published(name: str) -> bool:
        return published(cluster.get("Ingress", f"default/{name}")) == [{"ip": "192.0.2.1"}]

    async def scenario() -> None:
        async with serving(cluster, temporary, "--election-ttl", "3s") as running:
            await until(lambda: is_published("shop"))
            lease = cluster.get("Lease", LEASE)
            cluster.put({**lease, "spec": {**lease["spec"], "holderIdentity": "another"}})
            await until(lambda: running.said("no longer the leader"))
            cluster.put(ingress("new"))
            await until(lambda: running.serves("new.example"))
            assert not is_published("new")
            cluster.put({**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
            await until(lambda: is_published("new"))

    asyncio.run(scenario())


def test_a_clock_that_jumps_is_not_noticed(cluster: ApiServer, temporary: str) -> None:
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.skip("libfaketime is not installed")
    clock = Path(temporary, "clock")
    write(clock, "+0")
    jumping = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    async def scenario() -> None:
        async with serving(cluster, temporary, "--election-ttl", "9s", **jumping) as running:
            await until(lambda: cluster.objects["leases"])
            with Load(running.http, "shop.example", clients=4, pause=0.01) as load:
                for number, jump in enumerate(("+10y", "-10y", "+0")):
                    write(clock, jump)
                    await until(lambda jump=jump: year_of_renewal(cluster) == year_of(jump))  # type: ignore[misc]
                    cluster.put(ingress(f"after-{number}"))
                    await until(lambda name=f"after-{number}.example": running.serves(name))  # type: ignore[misc]
            assert load.broken == []
            assert load.answers.keys() == {200}
            assert running.said("the leader") == 1

    asyncio.run(scenario())


def year_of(jump: str) -> int:
    return datetime.now(UTC).year + int(jump.removesuffix("y"))


def year_of_renewal(server: ApiServer) -> int:
    return int(server.get("Lease", LEASE)["spec"]["renewTime"][:4])
