"""The names that a pod knows: to which addresses they lead, and who knows them."""

from typing import Any

import pytest

from sevengate.lab.kubelet.names import Known, hosts

SERVICES: dict[str, dict[str, Any]] = {
    "default/shop": {"clusterIP": "10.96.0.7"},
    "other/shop": {"clusterIP": "10.96.0.8"},
    "default/peers": {"clusterIP": "None"},
    "default/alias": {"type": "ExternalName", "externalName": "shop.other.svc.cluster.local"},
    "default/far": {"type": "ExternalName", "externalName": "example.com"},
    "default/round": {"type": "ExternalName", "externalName": "round.default.svc.cluster.local"},
}
PEERS = [
    {"addresses": ["10.244.1.2"], "hostname": "peers-0", "conditions": {"ready": True}},
    {"addresses": ["10.244.1.3"], "hostname": "peers-1", "conditions": {"ready": False}},
]


def service(key: str) -> dict[str, Any]:
    namespace, name = key.split("/")
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": SERVICES[key]}


KNOWN = Known(
    {key: service(key) for key in SERVICES},
    lambda key: [{"endpoints": PEERS}] if key == "default/peers" else [],
)


def found(name: str, **spec: Any) -> list[str]:
    """Give the addresses that a name leads to in a pod of the namespace `default`."""
    text = hosts({"metadata": {"namespace": "default"}, "spec": spec}, "me", "10.244.1.9", KNOWN)
    lines = [line.split() for line in text.splitlines()]
    return [address for address, *names in lines if name in names]


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("localhost", ["127.0.0.1"]),
        ("me", ["10.244.1.9"]),
        ("shop", ["10.96.0.7"]),
        ("shop.default", ["10.96.0.7"]),
        ("shop.other", ["10.96.0.8"]),
        ("shop.other.svc", ["10.96.0.8"]),
        ("shop.other.svc.cluster.local", ["10.96.0.8"]),
        ("peers", ["10.244.1.2"]),
        ("peers-0.peers", ["10.244.1.2"]),
        ("peers-1.peers", []),
        ("alias", ["10.96.0.8"]),
        ("far", []),
        ("round", []),
        ("nobody", []),
    ],
)
def test_a_name_leads_where_dns_would_lead_it(name: str, addresses: list[str]) -> None:
    assert found(name) == addresses


@pytest.mark.parametrize(
    ("policy", "on_host", "asks"),
    [
        ("ClusterFirst", False, True),
        ("ClusterFirst", True, False),
        ("ClusterFirstWithHostNet", True, True),
        ("Default", False, False),
    ],
)
def test_the_dns_policy_says_who_knows_names_of_the_cluster(policy: str, on_host: bool, asks: bool) -> None:
    assert bool(found("shop", dnsPolicy=policy, hostNetwork=on_host)) == asks


def test_a_manifest_adds_names_of_its_own() -> None:
    aliases = [{"ip": "192.0.2.1", "hostnames": ["db", "db.example"]}]
    assert found("db.example", hostAliases=aliases) == ["192.0.2.1"]
