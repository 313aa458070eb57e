"""Under load, what is killed takes nothing with it but what it had in its hands."""

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

from sevengate.nginx.ports import group_members
from tests.backends import EchoBackends
from tests.load import Load
from tests.manifests import INGRESS
from tests.pair import Pair, nginx_of
from tests.spawned import Spawned, soon


def workers_of(dataplane: Spawned) -> set[int]:
    master = nginx_of(dataplane)
    return {one.pid for one in group_members(master) if one.pid != master and "worker process" in one.title}


def clients_of(pid: int, port: int) -> set[int]:
    """Give the ports of the clients whose connections to `port` a process holds."""
    links = (target_of(entry) for entry in Path(f"/proc/{pid}/fd").iterdir())
    inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {
        int(row[2].rpartition(":")[2], 16)
        for row in rows
        if row[9] in inodes and int(row[1].rpartition(":")[2], 16) == port and row[3] == "01"
    }


def target_of(link: Path) -> str:
    with suppress(OSError):  # closed in the meantime
        return str(link.readlink())
    return ""


def test_a_controller_that_is_killed_again_and_again_is_not_noticed_by_clients(
    pair: Pair, manifests: Path, backends: EchoBackends
) -> None:
    dataplane = pair.dataplane()
    controller = pair.controller(str(manifests), "--watch")
    soon(pair.ready)
    workers = workers_of(dataplane)
    with Load(pair.http, "shop.example") as load:
        for name in ("second", "third"):
            load.go_on(200)
            controller.process.kill()
            controller.end()
            (manifests / "shop.yaml").write_text(INGRESS.format(name="shop", endpoint=backends.start(name)))
            load.go_on(200)
            assert not load.names[name]
            controller = pair.controller(str(manifests), "--watch")
            soon(lambda name=name: load.names[name])  # type: ignore[misc]
    assert load.broken == []
    assert load.answers.keys() == {200}
    assert workers_of(dataplane) == workers
    assert dataplane.lines == dataplane.lines[:1]


def test_a_worker_that_is_killed_takes_no_request_with_it_but_its_own(pair: Pair, manifests: Path) -> None:
    dataplane = pair.dataplane()
    controller = pair.controller(str(manifests))
    soon(pair.ready)
    with Load(pair.http, "shop.example", clients=16) as load:
        load.go_on(500)
        victim = max(workers_of(dataplane), key=lambda pid: len(clients_of(pid, pair.http)))
        held = clients_of(victim, pair.http)
        others = load.ports - held
        os.kill(victim, signal.SIGKILL)
        soon(lambda: victim not in workers_of(dataplane))
        load.go_on(500)
        lost = {broken.port for broken in load.broken}
    assert lost <= held
    assert len(load.broken) == len(lost)
    assert others or len(workers_of(dataplane)) == 1
    assert load.answers.keys() == {200}
    assert controller.said("filled") == 0
    [line] = [line for line in dataplane.lines if "exited on signal 9" in line]
    assert re.search(rf"worker process {victim} exited on signal 9", line)
