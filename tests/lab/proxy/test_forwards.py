"""Which connections go where, as tables."""

from typing import Any

import msgspec

from sevengate.lab.addresses import LOOPBACK, UNPRIVILEGED_SHIFT
from sevengate.lab.proxy.conf import Place, stream_conf
from sevengate.lab.proxy.forwards import Check, Forward, Target, World, checks, forwards
from sevengate.nginx.conf import write

Object = dict[str, Any]
MASTER, NODE01, NODE02 = (address for _, address in LOOPBACK.nodes)


def service(**spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"clusterIP": "127.96.0.5", "ports": ports, **spec},
    }


def endpoint(address: str, node: str = "node01", **conditions: bool) -> Object:
    return {"addresses": [address], "nodeName": node, "conditions": conditions or {"ready": True}}


def piece(*found: Object, port: int = 8080) -> Object:
    return {"ports": [{"name": "http", "port": port, "protocol": "TCP"}], "endpoints": list(found)}


def world(one: Object, *slices: Object, pods: tuple[Object, ...] = ()) -> World:
    return World([one], {"default/shop": slices}, pods, LOOPBACK)


def places(*args: Any) -> dict[str, list[str]]:
    return {f"{one.address}:{one.port}": [target.address for target in one.targets] for one in forwards(world(*args))}


def test_the_ready_endpoints_of_all_slices_are_taken() -> None:
    slices = piece(endpoint("127.244.1.2"), endpoint("127.244.1.3", ready=False)), piece(endpoint("127.244.2.2"))
    assert places(service(), *slices) == {"127.96.0.5:80": ["127.244.1.2", "127.244.2.2"]}


def test_endpoints_that_end_serve_as_long_as_no_other_is_ready() -> None:
    ending = endpoint("127.244.1.2", ready=False, serving=True, terminating=True)
    assert places(service(), piece(ending)) == {"127.96.0.5:80": ["127.244.1.2"]}
    assert places(service(), piece(ending), piece(endpoint("127.244.1.3"))) == {"127.96.0.5:80": ["127.244.1.3"]}


def test_every_address_of_a_service_is_one() -> None:
    one = service(type="LoadBalancer", externalIPs=["127.0.9.9"])
    one["spec"]["ports"][0]["nodePort"] = 30080
    one["status"] = {"loadBalancer": {"ingress": [{"ip": "127.168.218.1"}]}}
    found = places(one, piece(endpoint("127.244.1.2")))
    nodes = {f"{address}:30080" for address in (MASTER, NODE01, NODE02)}
    assert found.keys() == {"127.96.0.5:80", "127.0.9.9:80", "127.168.218.1:80", *nodes}


def test_local_traffic_finds_the_endpoints_of_its_node_only() -> None:
    one = service(type="NodePort", externalTrafficPolicy="Local", healthCheckNodePort=32000)
    one["spec"]["ports"][0]["nodePort"] = 30080
    slices = piece(endpoint("127.244.1.2", "node01"), endpoint("127.244.1.3", "node01"))
    assert places(one, slices).keys() == {"127.96.0.5:80", f"{NODE01}:30080"}
    assert {check.address: check.local for check in checks(world(one, slices))} == {MASTER: 0, NODE01: 2, NODE02: 0}


def test_headless_and_external_services_and_those_of_other_proxies_are_left_alone() -> None:
    slices = piece(endpoint("127.244.1.2"))
    assert places(service(clusterIP="None"), slices) == {}
    assert places(service(type="ExternalName"), slices) == {}
    labelled = service()
    labelled["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "other"}
    assert places(labelled, slices) == {}


def test_where_low_ports_are_not_to_be_had_both_sides_move() -> None:
    moved = msgspec.structs.replace(LOOPBACK, port_shift=UNPRIVILEGED_SHIFT)
    slices = {"default/shop": [piece(endpoint("127.244.1.2"), port=80)]}
    assert list(forwards(World([service()], slices, (), moved))) == [
        Forward("127.96.0.5", 8080, "TCP", (Target("127.244.1.2", 8080),), "default/shop")
    ]


def test_a_host_port_leads_to_its_pod() -> None:
    container = {"ports": [{"containerPort": 80, "hostPort": 8080}]}
    pod = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"nodeName": "node02", "containers": [container]},
        "status": {"podIP": "127.244.2.9"},
    }
    found = list(forwards(world(service(), pods=(pod,))))
    assert found == [Forward(NODE02, 8080, "TCP", (Target("127.244.2.9", 80),), "default/web")]


def test_text_of_a_service_cannot_become_configuration() -> None:
    check = Check(NODE01, 32000, 'default/a"; } evil { "', 1)
    conf = write(stream_conf([], [check], Place("", "/run/pid", "/run/control.sock"), 7))
    assert conf.count("server {") == 2
    assert 'evil { \\"' in conf
