"""What goes on in a lab, as a picture: the cells that kubectl would print, and the newest requests of its gates."""

import asyncio
from pathlib import Path

from sevengate.cluster.resources import INGRESSES, PODS
from sevengate.lab.apiserver.running import serving_api
from sevengate.lab.view import MOST_ROWS, Section, View
from tests.lab.apiserver.serving import ingress, pod
from tests.lab.clients import component

LINES = """\
2026-11-27T20:59:59Z stderr F INFO this is not a request
2026-11-27T21:00:0%dZ stdout F 127.0.0.1 - - [27/Nov/2026:21:00:00 +0000] "GET /%d HTTP/1.1" 200 13 "-" "curl/7.88.1" \
78 0.001 [default-web-80] [] 127.244.1.2:80 13 0.001 200 d325eb
"""


def viewed(logs: Path, pods: int) -> tuple[dict[str, Section], tuple[str, ...]]:
    """Look at a lab with an Ingress and some pods of a gate, each of which has logged one request."""

    async def look() -> tuple[dict[str, Section], tuple[str, ...]]:
        async with asyncio.timeout(60), serving_api() as running, component(running) as (mirrors, writer):
            view = View(mirrors, logs)
            shop = ingress("shop")
            shop["metadata"]["namespace"] = "default"
            await writer.create(INGRESSES, shop)
            for number in range(pods):
                one = pod(f"gate-{number:02}", "node01")
                one["metadata"]["namespace"] = "default"
                one["spec"]["containers"][0]["image"] = "sevengate:0.1.0"
                made = await writer.create(PODS, one)
                log = logs / made["metadata"]["uid"] / "logs" / "gate" / "0.log"
                log.parent.mkdir(parents=True)
                log.write_text(LINES % (9 - number % 10, number))
            await mirrors.synced()
            return {section.title: section for section in view.sections()}, tuple(view.news())

    return asyncio.run(look())


def test_tables_show_what_kubectl_would(tmp_path: Path) -> None:
    sections, news = viewed(tmp_path, 2)
    assert sections["Ingresses"].columns == ("Name", "Class", "Hosts", "Address")
    assert sections["Ingresses"].rows == (("shop", "nginx", "shop.example", ""),)
    assert [row[0] for row in sections["Pods"].rows] == ["gate-00", "gate-01"]
    assert news == ("pod default/gate-00: 0/1 Pending 0 node01", "pod default/gate-01: 0/1 Pending 0 node01")


def test_requests_of_all_gates_stand_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    sections, _ = viewed(tmp_path, 2)
    assert sections["Requests"].rows == (
        ("127.0.0.1", "GET /1 HTTP/1.1", "200", "default-web-80", "127.244.1.2:80"),
        ("127.0.0.1", "GET /0 HTTP/1.1", "200", "default-web-80", "127.244.1.2:80"),
    )


def test_of_many_rows_some_are_shown_and_the_rest_are_counted(tmp_path: Path) -> None:
    sections, _ = viewed(tmp_path, MOST_ROWS + 3)
    assert (len(sections["Pods"].rows), sections["Pods"].more) == (MOST_ROWS, 3)
