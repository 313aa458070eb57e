"""`sevengate dataplane` and `sevengate controller` as two processes."""

import os
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

from sevengate.metrics import METRICS
from sevengate.nginx.ports import group_members
from sevengate.routing.table import Endpoint
from tests.asking import Answer, ask
from tests.backends import EchoBackends
from tests.manifests import INGRESS
from tests.pair import Pair, nginx_of
from tests.scrape import read
from tests.spawned import probe, soon


def test_two_processes_serve_what_one_was_told(pair: Pair, manifests: Path) -> None:
    dataplane = pair.dataplane()
    assert probe(pair.status, "/livez") == 200
    assert [probe(pair.status, path) for path in ("/readyz", "/healthz", "/balancerz")] == [503] * 3
    controller = pair.controller(str(manifests))
    soon(pair.ready)
    assert pair.get("shop.example").json["name"] == "shop"
    assert ask(pair.https, "shop.example", tls=True).json["name"] == "shop"
    assert [probe(pair.status, path) for path in ("/readyz", "/healthz", "/balancerz")] == [200] * 3
    assert controller.said("generation 1 is live") == 1
    assert (dataplane.lines, nginx_of(controller)) == (dataplane.lines[:1], 0)


def test_a_controller_that_comes_first_waits_for_its_data_plane(pair: Pair, manifests: Path) -> None:
    controller = pair.controller(str(manifests))
    soon(lambda: controller.said("the data plane is away: nobody answers at"))
    assert probe(pair.healthz) == 503
    pair.dataplane()
    soon(pair.ready)
    assert pair.get("shop.example").json["name"] == "shop"
    assert controller.said("Traceback") == 0


def test_the_next_controller_takes_over_what_is_served_and_pushes_the_difference(
    pair: Pair, manifests: Path, backends: EchoBackends
) -> None:
    dataplane = pair.dataplane()
    first = pair.controller(str(manifests))
    soon(pair.ready)
    master = nginx_of(dataplane)
    first.process.terminate()
    assert first.end() == 0
    assert pair.get("shop.example").json["name"] == "shop"

    second = pair.controller(str(manifests), "--watch")
    soon(lambda: second.said("generation 2 is live already, as a controller before us left it"))
    (manifests / "new.yaml").write_text(INGRESS.format(name="new", endpoint=backends.start("new")))
    soon(lambda: pair.status_of("new.example") == 200)
    soon(lambda: second.said("generation 3 is live: 2 documents pushed"))
    assert nginx_of(dataplane) == master
    assert dataplane.said("reload") == second.said("reload") == 0


def test_counts_go_on_from_controller_to_controller(pair: Pair, manifests: Path) -> None:
    def has_counted(number: int) -> bool:
        scrape = read(ask(pair.healthz, "localhost", "/metrics").body.decode())
        assert {*scrape.kinds} == {*METRICS}
        assert scrape.one("nginx_ingress_controller_nginx_process_num_procs") > 1
        return scrape.sum(ingress="shop") == number

    dataplane = pair.dataplane()
    for number in (1, 2):
        controller = pair.controller(str(manifests), "--enable-metrics")
        soon(pair.ready)
        assert pair.get("shop.example").status == 200
        soon(partial(has_counted, number))
        controller.process.terminate()
        assert controller.end() == 0
    assert dataplane.said("reload") == controller.said("reload") == 0


def test_a_data_plane_that_is_killed_leaves_nothing_and_the_next_one_is_filled(pair: Pair, manifests: Path) -> None:
    dataplane = pair.dataplane()
    controller = pair.controller(str(manifests))
    soon(pair.ready)
    master = nginx_of(dataplane)
    dataplane.process.kill()
    dataplane.end()
    soon(lambda: not group_members(master))
    soon(lambda: probe(pair.healthz) == 503)
    pair.dataplane()
    soon(lambda: pair.status_of("shop.example") == 200 and pair.ready())
    assert controller.said("nginx is filled anew: generation 1, 3 documents") == 1
    assert controller.said("the data plane is away") == 1


def test_an_nginx_that_outlived_its_supervisor_is_ended_by_the_next_one(pair: Pair, manifests: Path) -> None:
    dataplane = pair.dataplane()
    pair.controller(str(manifests))
    soon(pair.ready)
    master = nginx_of(dataplane)
    workers = [process.pid for process in group_members(master) if process.pid != master]
    os.kill(dataplane.process.pid, signal.SIGSTOP)  # so that neither sees the other die, and takes the workers with it
    for pid in (master, dataplane.process.pid):
        os.kill(pid, signal.SIGKILL)
    dataplane.end()
    assert workers
    assert {process.pid for process in group_members(master)} >= set(workers)
    next_one = pair.dataplane()
    assert group_members(master) == ()
    soon(lambda: pair.status_of("shop.example") == 200 and pair.ready())
    assert next_one.said("an nginx that a killed process left behind is ended") == 1


def test_a_killed_nginx_is_started_and_filled_again(pair: Pair, manifests: Path) -> None:
    dataplane = pair.dataplane()
    controller = pair.controller(str(manifests))
    soon(pair.ready)
    os.kill(nginx_of(dataplane), signal.SIGKILL)
    soon(lambda: dataplane.said("nginx ended with status -9") and pair.status_of("shop.example") == 200)
    soon(pair.ready)
    assert controller.said("nginx is filled anew: generation 1, 3 documents") == 1
    assert dataplane.said("nginx ended with status -9 and is started again") == 1


def test_a_taken_port_ends_the_data_plane_with_the_owner_named(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", pair.http)):
        dataplane = pair.dataplane()
        assert dataplane.end() != 0
    assert dataplane.lines == [f"error: 127.0.0.1:{pair.http} is taken by {name_of(os.getpid())} (pid {os.getpid()})"]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_second_data_plane_in_a_directory_is_refused(pair: Pair) -> None:
    pair.dataplane()
    other = Pair()
    other.directory = pair.directory
    with other:
        refused = other.dataplane()
        assert refused.end() != 0
    assert refused.lines == [f"error: another Sevengate works in {pair.directory}"]


def test_a_folder_that_cannot_be_used_ends_the_data_plane_with_its_name(pair: Pair) -> None:
    pair.directory.touch()
    pair.directory /= "below"
    dataplane = pair.dataplane()
    assert dataplane.end() != 0
    assert dataplane.lines == [f"error: cannot write {pair.directory}: Not a directory"]


# --- signals


def test_a_data_plane_that_nobody_ever_drove_ends_too(pair: Pair) -> None:
    dataplane = pair.dataplane()
    dataplane.process.terminate()
    assert dataplane.end() == 0
    assert not pair.directory.exists()


def test_a_signal_lets_balancers_turn_away_while_all_goes_on(
    pair: Pair, manifests: Path, backends: EchoBackends
) -> None:
    dataplane = pair.dataplane("--shutdown-grace-period", "3600")
    controller = pair.controller(str(manifests), "--watch", "--shutdown-grace-period", "3600")
    soon(pair.ready)
    for process in (dataplane.process, controller.process):
        process.terminate()
    soon(lambda: probe(pair.status, "/balancerz") == 503)
    assert [probe(pair.status, path) for path in ("/livez", "/readyz", "/healthz")] == [200] * 3
    (manifests / "shop.yaml").write_text(INGRESS.format(name="shop", endpoint=backends.start("moved")))
    soon(lambda: pair.get("shop.example").json["name"] == "moved")
    assert dataplane.said("shutting down: serving for 3600 s more") == 1
    for process in (dataplane.process, controller.process):
        process.terminate()
    assert (dataplane.end(), controller.end()) == (0, 0)
    assert not pair.directory.exists()


def test_draining_finishes_what_is_under_way_and_stays_ready(pair: Pair, manifests: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:
        endpoint = Endpoint("127.0.0.1", slow.getsockname()[1])
        (manifests / "slow.yaml").write_text(INGRESS.format(name="slow", endpoint=endpoint))
        dataplane = pair.dataplane("--post-shutdown-grace-period", "3600")
        pair.controller(str(manifests))
        soon(pair.ready)
        answers: list[Answer] = []
        client = threading.Thread(target=lambda: answers.append(pair.get("slow.example")))
        client.start()
        connection, _ = slow.accept()
        with connection:
            connection.recv(65536)
            dataplane.process.terminate()
            soon(lambda: pair.status_of("shop.example") == 0)
            assert [probe(pair.status, path) for path in ("/livez", "/readyz", "/balancerz")] == [200, 200, 503]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nfinished")
        client.join()
        soon(lambda: nginx_of(dataplane) == 0)
        assert probe(pair.status, "/livez") == 200
        dataplane.process.terminate()
        assert dataplane.end() == 0
    assert [answer.body for answer in answers] == [b"finished"]


# --- what is not there


def test_the_data_plane_loads_nothing_that_knows_a_cluster() -> None:
    program = (
        "import sys; from sevengate.cli import main\n"
        "try: main(['dataplane', '--http-port', '1', '--https-port', '1'])\n"
        "except SystemExit: pass\n"
        "import sevengate.supervise\n"
        "print(*sorted(name for name in sys.modules if name.startswith('sevengate.')))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "sevengate.nginx.supervisor" in loaded
    rooms = {name.split(".")[1] for name in loaded}
    assert rooms & {"annotations", "cluster", "compiler", "controller", "files", "kube", "lab", "run"} == set()
