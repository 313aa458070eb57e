"""What NGINX counts of requests: every one exactly once, whichever worker took it, whatever becomes of that worker."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from sevengate.kube.objects import PathType
from sevengate.metrics import INHERITED
from sevengate.nginx.live import Live, live
from sevengate.settings import Metering, Options
from tests.asking import ask
from tests.backends import EchoBackends
from tests.compiler.making import ingress, path, rule
from tests.conftest import QUIET
from tests.features.cluster import HOST, Cluster, service_objects, without_ingress
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire
from tests.scrape import Scrape, read
from tests.waiting import until

#: Seconds that a series stays: long where it must stay, and as short as can be where it must go.
BRIEFLY = 0.1

SHOP = {"ingress": "shop", "namespace": "default", "service": "shop", "host": HOST, "path": "/", "canary": ""}
NOBODY = {"ingress": "", "namespace": "", "service": "", "path": "", "canary": ""}


class Metered(Cluster):
    """A cluster whose requests are counted."""

    def __init__(self, gate: Live, metering: Metering) -> None:
        super().__init__(gate, Options(metering=metering))

    def scrape(self) -> Scrape:
        async def text() -> str:
            return b"".join([piece async for piece in self.gate.dataplane.instruments.text({})]).decode()

        return read(self.gate.wait(text()))

    def counted(self, number: int) -> Scrape:
        """Wait for a number of requests: one is counted when the client has its answer already."""
        return self.when(lambda scrape: scrape.sum() >= number)

    def when(self, reached: Callable[[Scrape], object]) -> Scrape:
        seen = [self.scrape()]

        async def looks() -> bool:
            seen.append(await asyncio.to_thread(self.scrape))
            return bool(reached(seen[-1]))

        asyncio.run(until(looks))
        return seen[-1]


Make = Callable[..., Metered]


@pytest.fixture
def metered(error_log: ErrorLog) -> Iterator[Make]:
    """`metered(per_host=False)` gives a cluster whose requests are counted so."""
    with ExitStack() as stack:
        yield lambda **fields: Metered(stack.enter_context(live(settings=QUIET)), Metering(enabled=True, **fields))


@pytest.fixture
def cluster(metered: Make, backends: EchoBackends) -> Metered:
    """The Service and the Ingress `shop`, counted."""
    made = metered()
    made.serve(backends.start("shop"))
    return made


def histogram(scrape: Scrape, name: str, **labels: str) -> tuple[float, float]:
    """Give count and sum of a histogram, of which the buckets must be in order."""
    name = INHERITED + name
    buckets = scrape.all(f"{name}_bucket", **labels)
    count = scrape.one(f"{name}_count", **labels)
    by_bound = sorted((float(dict(found)["le"]), value) for found, value in buckets.items())
    values = [value for _, value in by_bound]
    assert values == sorted(values)
    assert by_bound[-1] == (float("inf"), count)
    return count, scrape.one(f"{name}_sum", **labels)


def test_requests_are_counted_by_whose_wish_they_were_by_method_and_by_status(cluster: Metered) -> None:
    for method, target in (("GET", "/a"), ("GET", "/b?c"), ("GET", "/status/418"), ("POST", "/"), ("PURGE", "/")):
        ask(cluster.gate.http_port, HOST, target, method=method)
    ask(cluster.gate.https_port, HOST, tls=True)
    scrape = cluster.counted(6)
    found = {
        (dict(labels)["method"], dict(labels)["status"]): value
        for labels, value in scrape.all("nginx_ingress_controller_requests", **SHOP).items()
    }
    assert found == {("GET", "200"): 3, ("GET", "418"): 1, ("POST", "200"): 1, ("other", "200"): 1}
    assert scrape.sum() == 6


def test_what_we_answer_ourselves_counts_for_the_ingress_as_well(cluster: Metered, backends: EchoBackends) -> None:
    cluster.put(
        *service_objects("none"),
        ingress("closed", rule("closed.example"), annotations={"whitelist-source-range": "10.0.0.0/8"}),
        ingress("moved", rule("moved.example"), annotations={"temporal-redirect": "https://x.example/"}),
        ingress("empty", rule("empty.example", path("/", "none"))),
        ingress("small", rule("small.example"), annotations={"proxy-body-size": "1"}),
    )
    for host in ("closed.example", "moved.example", "empty.example"):
        cluster.ask(host=host)
    ask(cluster.gate.http_port, "small.example", method="POST", body=b"too long")
    scrape = cluster.counted(4)
    found = {(name, scrape.labels("status", ingress=name).pop()) for name in scrape.labels("ingress")}
    assert found == {("closed", "403"), ("moved", "302"), ("empty", "503"), ("small", "413")}
    assert scrape.sum("nginx_ingress_controller_response_duration_seconds_count") == 0


def test_what_nobody_serves_is_counted_too(cluster: Metered) -> None:
    cluster.put(ingress("shop", rule(HOST, path("/cart"))))
    cluster.ask(host="guess-1.example")
    cluster.ask(host="guess-2.example")
    cluster.ask("/elsewhere")
    with Wire(cluster.gate.http_port) as wire:
        wire.send(b"nonsense\r\n\r\n")
        while wire.receive():
            pass
    scrape = cluster.counted(4)
    assert scrape.sum(**NOBODY, host="_", status="404") == 2
    assert scrape.sum(**NOBODY, host=HOST, status="404") == 1
    assert scrape.sum(**NOBODY, host="_", status="400") == 1


def test_sizes_are_what_went_over_the_wire(cluster: Metered) -> None:
    request = b"GET /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
    received = 0
    for _ in range(3):
        with Wire(cluster.gate.http_port) as wire:
            wire.send(request)
            while data := wire.receive():
                received += len(data)
    scrape = cluster.counted(3)
    assert histogram(scrape, "request_size", **SHOP) == (3, 3 * len(request))
    assert histogram(scrape, "response_size", **SHOP) == (3, received)
    assert histogram(scrape, "bytes_sent", **SHOP) == (3, received)
    le = {"le": f"{10 * -(-len(request) // 10)}"}
    assert scrape.one("nginx_ingress_controller_request_size_bucket", **SHOP, **le) == 3


def test_a_slow_backend_is_in_a_late_bucket(metered: Make, scripted: ScriptedBackends) -> None:
    def slow(peer: Peer) -> None:
        peer.head()
        asyncio.run(asyncio.sleep(0.06))
        peer.answer(b"at last")

    cluster = metered(time_buckets=(0.05, 3600))
    cluster.serve(scripted.start(slow))
    assert cluster.ask().body == b"at last"
    scrape = cluster.counted(1)
    for name in ("request", "header", "response"):
        count, total = histogram(scrape, f"{name}_duration_seconds", **SHOP)
        assert count == 1
        assert total >= 0.06
        bucket = f"{INHERITED}{name}_duration_seconds_bucket"
        assert (scrape.one(bucket, le="0.05"), scrape.one(bucket, le="3600")) == (0, 1)


def test_a_request_that_was_tried_again_is_one_request(
    cluster: Metered, backends: EchoBackends, error_log: ErrorLog
) -> None:
    error_log.expect("Connection refused")
    gone = backends.start("gone")
    backends.stop("gone")
    cluster.serve(gone, backends.start("there"))
    assert {cluster.name() for _ in range(4)} == {"there"}
    scrape = cluster.counted(4)
    assert scrape.sum(**SHOP, status="200") == 4
    assert histogram(scrape, "response_duration_seconds", **SHOP)[0] == 4


def test_a_canarys_requests_are_its_primarys_and_bear_its_name(cluster: Metered, backends: EchoBackends) -> None:
    cluster.put(*service_objects("new", backends.start("new")))
    for annotations, headers in (
        ({"canary-weight": "100"}, ()),
        ({"canary-by-header": "X-Canary"}, [("X-Canary", "always")]),
    ):
        cluster.put(
            ingress("new", rule(HOST, path("/", "new")), annotations={"canary": "true", **annotations}),
        )
        assert ask(cluster.gate.http_port, HOST, headers=headers).json["name"] == "new"
    assert cluster.name() == "shop"
    scrape = cluster.counted(3)
    assert scrape.sum(**{**SHOP, "canary": "default-new-80"}) == 2
    assert scrape.sum(**SHOP) == 1


def test_no_count_is_lost_when_a_worker_ends_or_is_killed(cluster: Metered, error_log: ErrorLog) -> None:
    error_log.expect("exited on signal 9")
    process = cluster.gate.supervisor.process
    for _ in range(10):
        cluster.ask()
    cluster.counted(10)
    workers = {*process.workers()}
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    asyncio.run(until(lambda: len(process.workers()) == 2 and not workers & {*process.workers()}))
    for _ in range(10):
        cluster.ask()
    assert cluster.counted(20).sum(**SHOP) == 20
    assert cluster.configure({"keep-alive": "30"}).reloaded
    for _ in range(10):
        cluster.ask()
    scrape = cluster.counted(30)
    assert scrape.sum(**SHOP) == scrape.sum() == 30
    assert histogram(scrape, "request_duration_seconds", **SHOP)[0] == 30
    assert scrape.sum("sevengate_uncounted_requests_total") == 0


def test_a_request_under_way_during_a_reload_is_counted(cluster: Metered, scripted: ScriptedBackends) -> None:
    reloaded = asyncio.Event()

    def waits(peer: Peer) -> None:
        peer.head()
        asyncio.run(until(reloaded.is_set))
        peer.answer(b"after all")

    cluster.serve(scripted.start(waits))
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /")
        assert cluster.configure({"keep-alive": "30"}).reloaded
        reloaded.set()
        assert wire.answer().body == b"after all"
    assert cluster.counted(1).sum(**SHOP) == 1


def test_series_of_what_is_gone_go_and_the_others_stay(metered: Make, backends: EchoBackends) -> None:
    cluster = metered(keep_seconds=BRIEFLY)
    cluster.serve(backends.start("shop"))
    cluster.put(ingress("old", rule("old.example")), ingress("mixed", rule("mixed.example", path("/a"), path("/b"))))
    for host, target in (("old.example", "/"), ("mixed.example", "/a"), ("mixed.example", "/b"), (HOST, "/")):
        cluster.ask(target, host)
    cluster.counted(4)
    cluster.put(without_ingress("old"), ingress("mixed", rule("mixed.example", path("/b"))))
    scrape = cluster.when(lambda scrape: scrape.sum() == 2)
    assert scrape.labels("ingress") == {"shop", "mixed"}
    assert scrape.labels("path", ingress="mixed") == {"/b"}
    cluster.put(ingress("old", rule("old.example")))
    for _ in range(3):
        cluster.ask(host="old.example")
    assert cluster.when(lambda scrape: scrape.sum() == 5).sum(ingress="old") == 3


def test_where_there_is_no_room_for_a_series_that_is_counted(metered: Make, backends: EchoBackends) -> None:
    cluster = metered(series=2, keep_seconds=BRIEFLY)
    cluster.serve(backends.start("shop"))
    for target in ("/status/201", "/status/202", "/status/203", "/status/203", "/status/201"):
        cluster.ask(target)
    scrape = cluster.when(lambda scrape: scrape.sum() + scrape.sum("sevengate_uncounted_requests_total") == 5)
    assert (scrape.sum(status="201"), scrape.sum(status="202"), scrape.sum(status="203")) == (2, 1, 0)
    cluster.put(ingress("shop", rule("new.example")))
    cluster.when(lambda scrape: scrape.sum() == 0)

    def counted_again(scrape: Scrape) -> bool:
        cluster.ask("/status/203", "new.example")
        return scrape.sum(status="203", host="new.example") > 0

    cluster.when(counted_again)


ODD_PATHS = ['/a"b', "/a\\b", "/a\\", '/",canary="x', "/é", "/a,b={}", "/a\\nb"]


def test_no_path_breaks_a_line(cluster: Metered) -> None:
    cluster.put(ingress("shop", rule(HOST, *(path(text, kind=PathType.EXACT) for text in ODD_PATHS))))
    for text in ODD_PATHS:
        assert cluster.ask(quote(text)).status == 200
    assert cluster.counted(len(ODD_PATHS)).labels("path", status="200") == set(ODD_PATHS)


def test_hosts_can_be_left_out_and_statuses_be_classes(metered: Make, backends: EchoBackends) -> None:
    cluster = metered(per_host=False, status_classes=True)
    cluster.serve(backends.start("shop"))
    cluster.put(ingress("shop", rule(HOST), rule("other.example")))
    for host, target in ((HOST, "/"), ("other.example", "/status/201"), (HOST, "/status/404")):
        cluster.ask(target, host)
    scrape = cluster.counted(3)
    assert (scrape.sum(status="2xx"), scrape.sum(status="4xx")) == (2, 1)
    assert scrape.labels("host") == set()
    cluster.put(ingress("shop", rule("other.example")))


def test_hosts_that_nobody_defined_are_named_where_that_is_asked_for(metered: Make, backends: EchoBackends) -> None:
    cluster = metered(per_undefined_host=True)
    cluster.serve(backends.start("shop"))
    cluster.put(ingress("any", rule("", path("/any"))))
    for host, target in (("one.example", "/any"), ("two.example", "/"), (HOST, "/")):
        cluster.ask(target, host)
    with Wire(cluster.gate.http_port) as wire:
        wire.send(b'GET / HTTP/1.1\r\nHost: x"\xff,y\r\n\r\n')
        assert wire.answer().status == 404
    scrape = cluster.counted(4)
    assert scrape.sum(host="one.example", ingress="any") == 1
    assert scrape.sum(host="two.example", **NOBODY) == 1
    assert scrape.labels("host") == {"one.example", "two.example", HOST, "x???y"}


def test_what_is_excluded_is_neither_counted_nor_shown(metered: Make, backends: EchoBackends) -> None:
    left_out = ("nginx_ingress_controller_request_size", "nginx_ingress_controller_connect_duration_seconds")
    cluster = metered(excluded=left_out)
    cluster.serve(backends.start("shop"))
    cluster.ask()
    scrape = cluster.counted(1)
    assert [scrape.sum(f"{name}_count") for name in left_out] == [0, 0]
    assert scrape.sum("nginx_ingress_controller_response_size_count") == 1


def test_all_workers_together_are_scraped_from_any(cluster: Metered) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(cluster.gate.http_port)) for _ in range(24)]
        for wire in wires:
            wire.request("GET /")
            wire.answer()
    assert {cluster.counted(24).sum(**SHOP) for _ in range(6)} == {24}
    assert cluster.scrape().one("nginx_ingress_controller_nginx_process_num_procs") == 3
