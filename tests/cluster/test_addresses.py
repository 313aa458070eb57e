import msgspec
import pytest

from sevengate.cluster.addresses import Publishing, addresses
from sevengate.diagnostics import Report
from sevengate.kube.decode import decode
from sevengate.kube.snapshot import Snapshot
from tests.cluster.making import Plain, node, pod, service

BALANCER = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}, {"hostname": "lb.example"}]}}
FRONT = Publishing(service="gate/front")


def snapshot(*plain: Plain) -> Snapshot:
    report = Report()
    objects = [decode({"apiVersion": "v1", **one}, report) for one in plain]
    assert not report.done()
    return Snapshot().after([one for one in objects if one])[0]


def front(status: Plain | None = None, **spec: object) -> Plain:
    return {**service("front", "gate", **spec), "status": status or {}}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        ("b.example, 192.0.2.1,,2001:db8::1", ("192.0.2.1", "2001:db8::1", "b.example")),
        ("192.0.2.1,192.0.2.1", ("192.0.2.1",)),
    ],
)
def test_addresses_that_are_given_are_taken_before_all_others(said: str, expected: tuple[str, ...]) -> None:
    publishing = Publishing(status_address=said, service="gate/front")
    assert addresses(publishing, snapshot(front(clusterIP="10.0.0.1"))) == expected


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (front(BALANCER, type="LoadBalancer", clusterIP="10.0.0.1"), ("192.0.2.7", "lb.example")),
        (front(BALANCER, type="LoadBalancer", externalIPs=["192.0.2.1"]), ("192.0.2.1", "192.0.2.7", "lb.example")),
        (front(type="LoadBalancer", clusterIP="10.0.0.1"), ()),
        (front(type="NodePort", clusterIP="10.0.0.1"), ("10.0.0.1",)),
        (front(type="NodePort", clusterIP="10.0.0.1", externalIPs=["192.0.2.1"]), ("192.0.2.1",)),
        (front(clusterIP="10.0.0.1"), ("10.0.0.1",)),
        (front(clusterIP="None"), ()),
        (front(type="ExternalName", externalName="gate.example"), ("gate.example",)),
    ],
)
def test_a_service_shows_what_it_has_towards_the_outside(published: Plain, expected: tuple[str, ...]) -> None:
    assert addresses(FRONT, snapshot(published)) == expected


def test_a_service_that_is_not_there_says_nothing() -> None:
    assert addresses(FRONT, snapshot()) is None


NODES = (node("a", "10.0.0.1", "192.0.2.1"), node("b", "10.0.0.2"), node("c", "10.0.0.3", "192.0.2.3"))


@pytest.mark.parametrize(
    ("pods", "external", "internal"),
    [
        ((pod("1", "a"), pod("2", "b")), ("10.0.0.2", "192.0.2.1"), ("10.0.0.1", "10.0.0.2")),
        ((pod("1", "a"), pod("2", "a")), ("192.0.2.1",), ("10.0.0.1",)),
        ((pod("1", "a"), pod("2", "c", ready=False)), ("192.0.2.1",), ("10.0.0.1",)),
        ((pod("1", "a"), pod("2", "c", ending=True)), ("192.0.2.1",), ("10.0.0.1",)),
        ((pod("1", "a", ending=True), pod("2", "c", ready=False)), ("192.0.2.1",), ("10.0.0.1",)),
        ((pod("1", "unknown"),), None, None),
        ((), None, None),
    ],
)
def test_nodes_with_a_ready_pod_that_is_to_stay_are_where_we_are(
    pods: tuple[Plain, ...], external: tuple[str, ...] | None, internal: tuple[str, ...] | None
) -> None:
    known = snapshot(*NODES, *pods)
    assert addresses(Publishing(), known) == external
    assert addresses(msgspec.structs.replace(Publishing(), report_node_internal_ip=True), known) == internal
