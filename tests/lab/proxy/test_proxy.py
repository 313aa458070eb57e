"""Services reached as in a cluster: real pods behind them, real connections to their addresses."""

import http.client
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.kubelet.nodes import Nodes, Object, pod, running_nodes

PORT = 8080


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with running_nodes(has_proxy=True) as running:
        for name, node in (("first", "node01"), ("second", "node02")):
            running.apply(pod(name, "traefik/whoami", node=node, ports=[{"containerPort": PORT, "hostPort": 8088}]))
        running.until_ready("first", "second")
        yield running


def service(nodes: Nodes, name: str, pods: tuple[str, ...] = ("first", "second"), **spec: Any) -> Object:
    """Make a Service of pods, and its endpoints as a controller would; gives it as it was made."""
    ports = [{"name": "http", "port": 80, "targetPort": PORT}]
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports, **spec}}
    nodes.apply(made, endpoints(nodes, name, pods))
    return nodes.get("service", name)


def endpoints(nodes: Nodes, name: str, pods: tuple[str, ...]) -> Object:
    found = [nodes.get("pod", one) for one in pods]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [one["status"]["podIP"]], "nodeName": one["spec"]["nodeName"], "conditions": {"ready": True}}
            for one in found
        ],
    }


def ask(address: str, port: int, source: str = "") -> str:
    """Ask who answers; "" if nobody does."""
    connection = http.client.HTTPConnection(address, port, timeout=10, source_address=(source, 0) if source else None)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except ConnectionRefusedError:
        return ""
    finally:
        connection.close()


def field(answer: str, name: str) -> str:
    return next((line.partition(": ")[2] for line in answer.splitlines() if line.startswith(f"{name}: ")), "")


def until_answered(nodes: Nodes, address: str, port: int) -> str:
    return str(nodes.until_true(lambda: ask(address, port)))


def test_connections_to_a_cluster_ip_go_to_all_pods_in_turn_and_show_the_client(nodes: Nodes) -> None:
    address = service(nodes, "plain")["spec"]["clusterIP"]
    until_answered(nodes, address, 80)
    answers = [ask(address, 80, source="127.0.0.9") for _ in range(6)]
    assert Counter(field(answer, "Hostname") for answer in answers) == {"first": 3, "second": 3}
    assert {field(answer, "RemoteAddr").partition(":")[0] for answer in answers} == {"127.0.0.9"}


def test_a_node_port_is_open_on_every_node_and_pods_see_the_node(nodes: Nodes) -> None:
    port = service(nodes, "ported", type="NodePort")["spec"]["ports"][0]["nodePort"]
    for _, address in nodes.plan.nodes:
        assert field(until_answered(nodes, address, port), "RemoteAddr").startswith(f"{address}:")


def test_with_affinity_a_client_meets_the_same_pod_each_time(nodes: Nodes) -> None:
    address = service(nodes, "sticky", sessionAffinity="ClientIP")["spec"]["clusterIP"]
    until_answered(nodes, address, 80)
    by_client = {
        client: {field(ask(address, 80, source=client), "Hostname") for _ in range(4)}
        for client in (f"127.0.1.{number}" for number in range(1, 9))
    }
    assert {len(hosts) for hosts in by_client.values()} == {1}
    assert len({next(iter(hosts)) for hosts in by_client.values()}) == 2


def test_traffic_that_is_to_stay_local_is_served_where_endpoints_are_and_refused_elsewhere(nodes: Nodes) -> None:
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32099}
    made = service(nodes, "local", ("first",), **spec)
    port, one, other = (
        made["spec"]["ports"][0]["nodePort"],
        *(nodes.plan.node_address(name) for name in ("node01", "node02")),
    )
    answer = until_answered(nodes, one, port)
    assert field(answer, "Hostname") == "first"
    assert field(ask(one, port, source="127.0.0.9"), "RemoteAddr").startswith("127.0.0.9:")
    assert ask(other, port) == ""
    assert '"localEndpoints": 1' in until_answered(nodes, one, 32099)
    assert '"localEndpoints": 0' in ask(other, 32099)


def test_a_connection_goes_on_where_it_is_whatever_changes(nodes: Nodes) -> None:
    address = service(nodes, "lasting", ("first",))["spec"]["clusterIP"]
    until_answered(nodes, address, 80)
    lasting = http.client.HTTPConnection(address, 80, timeout=10)
    lasting.request("GET", "/")
    assert "Hostname: first" in lasting.getresponse().read().decode()
    nodes.apply(endpoints(nodes, "lasting", ("second",)))
    nodes.until_true(lambda: "Hostname: second" in ask(address, 80))
    lasting.request("GET", "/")
    assert "Hostname: first" in lasting.getresponse().read().decode()
    lasting.close()


def pid_of_nginx(nodes: Nodes) -> int:
    file = nodes.folder / "proxy" / "private" / "nginx.pid"
    return int(file.read_text() or 0) if file.exists() else 0


def test_when_nginx_dies_it_is_started_again(nodes: Nodes) -> None:
    address = service(nodes, "revived")["spec"]["clusterIP"]
    until_answered(nodes, address, 80)
    pid = pid_of_nginx(nodes)
    os.kill(pid, signal.SIGKILL)
    nodes.until_true(lambda: pid_of_nginx(nodes) not in {0, pid})
    until_answered(nodes, address, 80)


def test_a_service_without_endpoints_refuses_connections(nodes: Nodes) -> None:
    address = service(nodes, "emptied")["spec"]["clusterIP"]
    until_answered(nodes, address, 80)
    nodes.kubectl("delete", "endpointslice", "emptied")
    nodes.until_true(lambda: ask(address, 80) == "")


def test_what_cannot_be_listened_at_is_said_and_the_rest_is_forwarded(nodes: Nodes) -> None:
    outside = nodes.plan.balancers[0]
    with socket.create_server((outside, 80)) as taken:
        made = service(nodes, "outside", externalIPs=["192.0.2.7", outside])
        until_answered(nodes, made["spec"]["clusterIP"], 80)
        nodes.until_true(lambda: "192.0.2.7:80/TCP is not forwarded: this machine has no such address" in told(nodes))
        nodes.until_true(lambda: f"{outside}:80/TCP is not forwarded: somebody else listens there" in told(nodes))
        taken.close()
    until_answered(nodes, outside, 80)


def told(nodes: Nodes) -> str:
    return nodes.kubectl("events", "--for", "service/outside")


def test_the_host_port_of_a_pod_is_open_on_its_node(nodes: Nodes) -> None:
    assert field(until_answered(nodes, nodes.plan.node_address("node02"), 8088), "Hostname") == "second"


def test_datagrams_are_forwarded_too(nodes: Nodes) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        threading.Thread(target=_echo_datagrams, args=(server,), daemon=True).start()
        ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
        thing = endpoints(nodes, "names", ("first",))
        thing["ports"] = [{"name": "dns", "port": server.getsockname()[1], "protocol": "UDP"}]
        thing["endpoints"][0]["addresses"] = ["127.0.0.1"]
        made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "names"}, "spec": {"ports": ports}}
        nodes.apply(made, thing)
        address = nodes.get("service", "names")["spec"]["clusterIP"]
        client.settimeout(0.2)
        assert nodes.until_true(lambda: _said_back(client, address)) == b"hello"


def _echo_datagrams(server: socket.socket) -> None:
    while True:
        try:
            content, sender = server.recvfrom(512)
        except OSError:
            return
        server.sendto(content, sender)


def _said_back(client: socket.socket, address: str) -> bytes:
    try:
        client.sendto(b"hello", (address, 53))
        return client.recv(512)
    except OSError:
        return b""


def test_without_the_stream_module_it_is_said_and_the_rest_of_the_lab_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sevengate.lab.proxy.proxy._MODULE", "no_such_module.so")
    with running_nodes(has_proxy=True) as nodes:
        nodes.until_true(lambda: "Services cannot be reached: nginx's stream module" in caplog.text)
        nodes.apply(pod("alone", "traefik/whoami"))
        nodes.until_ready("alone")
