from ipaddress import IPv4Address, IPv4Network

import pytest

from sevengate.lab.addresses import LOOPBACK
from tests.lab.apiserver.serving import Answer, Lab, Object, in_lab

PATH = "/api/v1/namespaces/default/services"


def service(name: str, *ports: int | Object, **spec: object) -> Object:
    written = [{"port": port} if isinstance(port, int) else port for port in ports or (80,)]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": written, **spec}}


def node_ports(answer: Answer) -> list[int]:
    return [port.get("nodePort") for port in answer.body["spec"]["ports"]]


@in_lab
async def test_a_service_gets_an_address_of_its_own(lab: Lab) -> None:
    made = [(await lab.create(PATH, service(f"s{number}"))).body["spec"] for number in range(5)]
    addresses = [spec["clusterIP"] for spec in made]
    assert len(set(addresses)) == 5
    assert all(IPv4Address(one) in IPv4Network(LOOPBACK.services) for one in addresses)
    assert [spec["clusterIPs"] for spec in made] == [[one] for one in addresses]
    assert made[0]["ipFamilies"] == ["IPv4"]


@in_lab
async def test_headless_and_external_services_get_none(lab: Lab) -> None:
    headless = await lab.create(PATH, service("headless", clusterIP="None"))
    assert headless.body["spec"]["clusterIPs"] == ["None"]
    external = await lab.create(PATH, service("external", type="ExternalName", externalName="a.example"))
    assert "clusterIP" not in external.body["spec"]


@in_lab
async def test_an_address_may_be_asked_for_unless_it_is_taken_or_foreign(lab: Lab) -> None:
    assert (await lab.create(PATH, service("a", clusterIP="127.96.0.10"))).code == 201
    taken = await lab.create(PATH, service("b", clusterIP="127.96.0.10"))
    assert taken.code == 422
    assert taken.body["message"] == (
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["127.96.0.10"]: '
        "failed to allocate IP 127.96.0.10: provided IP is already allocated"
    )
    foreign = await lab.create(PATH, service("b", clusterIP="10.0.0.1"))
    assert "The range of valid IPs is 127.96.0.0/16" in foreign.body["message"]


@in_lab
async def test_what_was_allocated_stays_when_an_update_does_not_name_it(lab: Lab) -> None:
    made = await lab.create(PATH, service("a", 80, type="NodePort"))
    changed = await lab.update(f"{PATH}/a", service("a", 80, type="NodePort", selector={"app": "a"}))
    assert changed.body["spec"]["clusterIP"] == made.body["spec"]["clusterIP"]
    assert node_ports(changed) == node_ports(made)


@in_lab
async def test_node_ports_are_given_to_each_port_of_the_types_that_have_them(lab: Lab) -> None:
    for type_ in ("NodePort", "LoadBalancer"):
        ports = ({"name": "http", "port": 80}, {"name": "https", "port": 443})
        given = node_ports(await lab.create(PATH, service(type_.lower(), *ports, type=type_)))
        assert len(set(given)) == 2
        assert all(30_000 <= port <= 32_767 for port in given)
    without = service("bare", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert node_ports(await lab.create(PATH, without)) == [None]
    dns = ({"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53, "protocol": "TCP"})
    assert len(set(node_ports(await lab.create(PATH, service("dns", *dns, type="NodePort"))))) == 1


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (30_080, "Invalid value: 30080: provided port is already allocated"),
        (80, "Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ],
)
def test_a_node_port_that_cannot_be_had_is_refused(port: int, said: str) -> None:
    @in_lab
    async def scenario(lab: Lab) -> None:
        assert (await lab.create(PATH, service("a", {"port": 80, "nodePort": 30_080}, type="NodePort"))).code == 201
        refused = await lab.create(PATH, service("b", {"port": 80, "nodePort": port}, type="NodePort"))
        assert refused.code == 422
        assert refused.body["message"] == f'Service "b" is invalid: spec.ports[0].nodePort: {said}'

    scenario()


@in_lab
async def test_what_a_service_held_is_free_when_it_is_gone_or_has_changed(lab: Lab) -> None:
    wanted = {"port": 80, "nodePort": 30_080}
    await lab.create(PATH, service("a", wanted, type="NodePort", clusterIP="127.96.0.10"))
    await lab.delete(f"{PATH}/a")
    assert (await lab.create(PATH, service("b", wanted, type="NodePort", clusterIP="127.96.0.10"))).code == 201
    closed = await lab.merge(f"{PATH}/b", {"spec": {"type": "ClusterIP"}})
    assert node_ports(closed) == [None]
    assert closed.body["spec"]["clusterIP"] == "127.96.0.10"
    assert "externalTrafficPolicy" not in closed.body["spec"]
    assert (await lab.create(PATH, service("c", wanted, type="NodePort"))).code == 201
    outside = await lab.merge(f"{PATH}/b", {"spec": {"type": "ExternalName", "externalName": "a.example"}})
    assert "clusterIP" not in outside.body["spec"]
    assert (await lab.create(PATH, service("d", clusterIP="127.96.0.10"))).code == 201


@in_lab
async def test_what_is_taken_is_known_after_the_log_was_forgotten(lab: Lab) -> None:
    await lab.create(PATH, service("a", {"port": 80, "nodePort": 30_080}, type="NodePort"))
    lab.running.compact()
    refused = await lab.create(PATH, service("b", {"port": 80, "nodePort": 30_080}, type="NodePort"))
    assert refused.code == 422


@in_lab
async def test_a_dry_run_takes_nothing(lab: Lab) -> None:
    wanted = service("a", {"port": 80, "nodePort": 30_080}, type="NodePort")
    assert (await lab.create(PATH, wanted, dryRun="All")).code == 201
    assert (await lab.create(PATH, wanted)).code == 201


@in_lab
async def test_local_traffic_gets_a_port_for_health_checks(lab: Lab) -> None:
    made = await lab.create(PATH, service("a", type="LoadBalancer", externalTrafficPolicy="Local"))
    port = made.body["spec"]["healthCheckNodePort"]
    assert 30_000 <= port <= 32_767
    assert port not in node_ports(made)
    back = await lab.merge(f"{PATH}/a", {"spec": {"externalTrafficPolicy": "Cluster"}})
    assert "healthCheckNodePort" not in back.body["spec"]


@in_lab
async def test_a_node_port_on_a_cluster_ip_service_is_refused(lab: Lab) -> None:
    refused = await lab.create(PATH, service("a", {"port": 80, "nodePort": 30_080}))
    assert "may not be used when `type` is 'ClusterIP'" in refused.body["message"]
