from typing import Any

from sevengate.cluster.resources import SERVICES
from sevengate.lab.addresses import LOOPBACK
from sevengate.lab.mirror import Object
from tests.lab.controllers.clusters import Cluster, in_cluster
from tests.waiting import until

POOL = list(LOOPBACK.balancer_addresses())


def service(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


def addresses(one: Cluster, name: str) -> list[str]:
    balancer = one.status(SERVICES, name).get("loadBalancer") or {}
    return [each["ip"] for each in balancer.get("ingress") or ()]


@in_cluster
async def test_each_load_balancer_gets_an_address_of_its_own(one: Cluster) -> None:
    for number in range(5):
        await one.create(SERVICES, service(f"s{number}"))
    await until(lambda: all(addresses(one, f"s{number}") for number in range(5)))
    given = [address for number in range(5) for address in addresses(one, f"s{number}")]
    assert sorted(given) == sorted(POOL[:5])
    await until(lambda: len(one.said("EnsuredLoadBalancer")) == 5)


@in_cluster
async def test_an_address_goes_back_when_its_service_is_gone_or_of_another_type(one: Cluster) -> None:
    made = await one.create(SERVICES, service("a"))
    await until(lambda: addresses(one, "a") == POOL[:1])
    await one.work.writer.delete(SERVICES, made)
    await one.create(SERVICES, service("b"))
    await until(lambda: addresses(one, "b") == POOL[:1])
    await one.merge(SERVICES, "b", {"spec": {"type": "NodePort"}})
    await until(lambda: addresses(one, "b") == [])
    await one.create(SERVICES, service("c"))
    await until(lambda: addresses(one, "c") == POOL[:1])


@in_cluster
async def test_an_address_may_be_asked_for(one: Cluster) -> None:
    await one.create(SERVICES, service("a", loadBalancerIP=POOL[9]))
    await until(lambda: addresses(one, "a") == [POOL[9]])
    await one.create(SERVICES, service("b", loadBalancerIP=POOL[9]))
    await until(lambda: one.said("SyncLoadBalancerFailed"))
    assert addresses(one, "b") == []


@in_cluster
async def test_services_of_another_class_or_type_get_none(one: Cluster) -> None:
    await one.create(SERVICES, service("theirs", loadBalancerClass="cloud.example/theirs"))
    await one.create(SERVICES, service("plain", type="NodePort"))
    await one.create(SERVICES, service("ours"))
    await until(lambda: addresses(one, "ours") == POOL[:1])
    assert addresses(one, "theirs") == addresses(one, "plain") == []
