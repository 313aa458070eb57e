from ipaddress import IPv4Address, IPv4Network
from itertools import combinations, islice

import msgspec
import pytest

from sevengate.lab.addresses import LOOPBACK, NAMESPACE, Plan

SHIFTED = [LOOPBACK.shifted(number) for number in range(1, 61)]


def networks(plan: Plan) -> list[IPv4Network]:
    own = [IPv4Network(f"{address}/32") for _, address in plan.nodes]
    pool = [IPv4Network(f"{address}/32") for address in plan.balancer_addresses()]
    return [*own, *pool, IPv4Network(plan.pods), IPv4Network(plan.services)]


@pytest.mark.parametrize("plan", [LOOPBACK, NAMESPACE, *SHIFTED], ids=lambda plan: plan.name)
def test_nothing_in_a_plan_overlaps(plan: Plan) -> None:
    assert not any(one.overlaps(other) for one, other in combinations(networks(plan), 2))


@pytest.mark.parametrize("plan", [LOOPBACK, *SHIFTED], ids=lambda plan: plan.name)
def test_loopback_plans_are_on_loopback(plan: Plan) -> None:
    assert all(network.is_loopback for network in networks(plan))


def test_shifted_plans_share_no_address() -> None:
    roots = [{str(network).split(".")[1] for network in networks(plan)} for plan in (LOOPBACK, *SHIFTED)]
    assert not any(one & other for one, other in combinations(roots, 2))


@pytest.mark.parametrize("number", [0, 61])
def test_there_are_sixty_shifted_plans(number: int) -> None:
    with pytest.raises(ValueError, match=f"{number} is none"):
        LOOPBACK.shifted(number)


def test_each_node_has_a_network_of_its_own_for_its_pods() -> None:
    assert [str(LOOPBACK.pod_network(name)) for name, _ in LOOPBACK.nodes] == [
        "127.244.0.0/24",
        "127.244.1.0/24",
        "127.244.2.0/24",
    ]
    with pytest.raises(KeyError):
        LOOPBACK.pod_network("node03")
    with pytest.raises(KeyError):
        LOOPBACK.node_address("node03")


def test_a_node_has_addresses_for_thousands_of_pods_and_shares_none() -> None:
    given = [list(LOOPBACK.pod_addresses(name)) for name, _ in LOOPBACK.nodes]
    assert [some[0] for some in given] == ["127.244.0.1", "127.244.1.1", "127.244.2.1"]
    assert given[1][254] == "127.244.4.1"
    assert all(len(some) > 20_000 for some in given)
    assert len({address for some in given for address in some}) == sum(map(len, given))


def test_addresses_are_given_in_order() -> None:
    assert list(islice(LOOPBACK.service_addresses(), 2)) == ["127.96.0.1", "127.96.0.2"]
    pool = list(NAMESPACE.balancer_addresses())
    assert (pool[0], pool[-1], len(pool)) == ("192.168.217.200", "192.168.217.250", 51)
    assert all(IPv4Address(one).is_private for one in pool)


def test_only_low_ports_move_and_only_where_they_must() -> None:
    moved = msgspec.structs.replace(LOOPBACK, port_shift=8000)
    assert [LOOPBACK.port(port) for port in (80, 8080)] == [80, 8080]
    assert [moved.port(port) for port in (80, 443, 1023, 1024, 8080)] == [8080, 8443, 9023, 1024, 8080]
