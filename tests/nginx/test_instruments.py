"""What NGINX shows is exactly what the table lists, whether NGINX answers or not."""

from pathlib import Path

import msgspec
import pytest

from sevengate.metrics import CONTROLLER, METRICS, NGINX, REQUESTS
from sevengate.nginx.conf import write
from sevengate.nginx.control import ControlClient
from sevengate.nginx.instruments import Instruments
from sevengate.nginx.live import Live
from sevengate.nginx.static import Place, static_conf
from sevengate.routing.table import RoutingTable
from sevengate.settings import Metering, Settings
from tests.asking import ask
from tests.conftest import QUIET
from tests.scrape import Scrape, read

WHO = dict(zip(CONTROLLER, ("k8s.io/ingress-nginx", "ingress-nginx", 'gate-1"'), strict=True))
PLACE = Place((1, 26, 3), (), "/root", "/lua", "/clua", "/pid", "/sock", "/tmp", "/crt", "/key")
COUNTING = msgspec.structs.replace(QUIET, metering=Metering(enabled=True))


async def scraped(instruments: Instruments) -> Scrape:
    return read(b"".join([piece async for piece in instruments.text(WHO)]).decode())


def listed(scrape: Scrape) -> dict[str, tuple[str, str]]:
    return {name: (kind, scrape.help[name]) for name, kind in scrape.kinds.items()}


def labels(scrape: Scrape, name: str) -> set[str]:
    """Name the labels of a family's series, but for the bounds of buckets."""
    return {key for suffix in ("", "_count") for found in scrape.all(name + suffix) for key, _ in found}


TABLE = {name: (str(METRICS[name].kind), METRICS[name].help) for name in (*NGINX, *REQUESTS)}


def test_nothing_of_it_is_in_nginx_conf_where_requests_are_not_counted() -> None:
    silent, counting = (write(static_conf(settings, (), PLACE)) for settings in (QUIET, COUNTING))
    lines = ('phases").log()', "lua_shared_dict series", "/v1/series", "time_buckets")
    assert [line for line in lines if line in silent] == []
    assert [line for line in lines if line in counting] == [*lines]


@pytest.mark.parametrize("settings", [QUIET, COUNTING])
def test_nginx_shows_exactly_what_the_table_lists(gate: Live, settings: Settings) -> None:
    gate.apply(RoutingTable(), settings)
    ask(gate.http_port, "nobody.example")
    scrape = gate.wait(scraped(gate.dataplane.instruments))
    assert listed(scrape) == TABLE
    assert {name for name in NGINX if labels(scrape, name) != {*NGINX[name].labels, *WHO}} == set()
    assert scrape.one("sevengate_nginx_up") == 1
    assert scrape.one("sevengate_generation") == gate.dataplane.generation


def test_each_request_family_has_the_labels_that_the_table_lists(gate: Live) -> None:
    gate.apply(RoutingTable(), COUNTING)
    ask(gate.http_port, "nobody.example")
    scrape = gate.wait(scraped(gate.dataplane.instruments))
    while not scrape.all("nginx_ingress_controller_requests"):
        scrape = gate.wait(scraped(gate.dataplane.instruments))
    known = {name: labels(scrape, name) for name in REQUESTS}
    assert {name: found for name, found in known.items() if found not in ({*REQUESTS[name].labels, *WHO}, set())} == {}
    assert {name for name, found in known.items() if not found} == {
        f"nginx_ingress_controller_{name}_duration_seconds" for name in ("response", "header", "connect")
    }


def test_where_nginx_does_not_answer_that_is_said(gate: Live) -> None:
    async def scene() -> Scrape:
        client = ControlClient(Path("/nowhere/control.sock"))
        try:
            return await scraped(Instruments(client, gate.supervisor))
        finally:
            await client.close()

    scrape = gate.wait(scene())
    assert listed(scrape) == TABLE
    assert scrape.one("sevengate_nginx_up") == 0
    assert scrape.all("sevengate_generation") == {}
    assert scrape.one("nginx_ingress_controller_nginx_process_num_procs") > 1
