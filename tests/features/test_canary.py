"""A canary takes its share of the requests: by header, by cookie, by weight."""

from collections import Counter
from collections.abc import Mapping

import pytest

from tests.asking import ask
from tests.backends import EchoBackends
from tests.compiler.making import ingress, path, rule
from tests.features.cluster import HOST, Cluster, service_objects, without_endpoint


@pytest.fixture(autouse=True)
def _main(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("main"))
    cluster.put(*service_objects("new", backends.start("canary")))


def canary(cluster: Cluster, annotations: Mapping[str, str]) -> None:
    prefixed = {f"canary-{name}": value for name, value in annotations.items()}
    cluster.put(ingress("new", rule(HOST, path("/", "new")), annotations={"canary": "true", **prefixed}))


def served(cluster: Cluster, *headers: tuple[str, str]) -> str:
    return str(ask(cluster.gate.http_port, HOST, headers=headers).json["name"])


def counted(cluster: Cluster, number: int = 300) -> Counter[str]:
    return Counter(served(cluster) for _ in range(number))


@pytest.mark.parametrize(
    ("annotations", "low", "high"),
    [
        ({"weight": "0"}, 0, 0),
        ({"weight": "100"}, 300, 300),
        # Six standard deviations around 60 and 150.
        ({"weight": "20"}, 18, 102),
        ({"weight": "500", "weight-total": "1000"}, 98, 202),
    ],
)
def test_the_weight_is_a_share_of_all_requests(
    cluster: Cluster, annotations: dict[str, str], low: int, high: int
) -> None:
    canary(cluster, annotations)
    assert low <= counted(cluster)["canary"] <= high


def test_a_weight_changes_without_a_reload(cluster: Cluster) -> None:
    for weight, name in (("0", "main"), ("100", "canary"), ("0", "main")):
        canary(cluster, {"weight": weight})
        assert set(counted(cluster, 20)) == {name}
    assert cluster.gate.dataplane.reloads == 0


def test_always_and_never_in_a_header_decide(cluster: Cluster) -> None:
    canary(cluster, {"by-header": "X-Canary"})
    assert served(cluster, ("X-Canary", "always")) == "canary"
    assert served(cluster, ("x-canary", "always")) == "canary"
    assert served(cluster, ("X-Canary", "never")) == "main"
    assert served(cluster, ("X-Canary", "maybe")) == "main"
    assert served(cluster) == "main"


def test_never_in_a_header_goes_before_the_weight(cluster: Cluster) -> None:
    canary(cluster, {"by-header": "X-Canary", "weight": "100"})
    assert {served(cluster, ("X-Canary", "never")) for _ in range(10)} == {"main"}
    assert served(cluster, ("X-Canary", "other")) == "canary"


def test_a_value_of_a_header_decides(cluster: Cluster) -> None:
    canary(cluster, {"by-header": "X-Region", "by-header-value": "eu"})
    found = [served(cluster, ("X-Region", value)) for value in ("eu", "EU", "europe", "always", "never")]
    assert found == ["canary", "main", "main", "main", "main"]


def test_a_pattern_of_a_header_decides(cluster: Cluster) -> None:
    canary(cluster, {"by-header": "X-Region", "by-header-pattern": "^(eu|us)-[0-9]+$"})
    found = [served(cluster, ("X-Region", value)) for value in ("eu-1", "us-22", "asia-1", "eu-", "always")]
    assert found == ["canary", "canary", "main", "main", "main"]


def test_a_cookie_decides(cluster: Cluster) -> None:
    canary(cluster, {"by-cookie": "preview"})
    found = [served(cluster, ("Cookie", text)) for text in ("preview=always", "a=b; preview=always", "preview=never")]
    assert found == ["canary", "canary", "main"]
    assert served(cluster, ("Cookie", "xpreview=always")) == "main"
    assert served(cluster) == "main"


def test_the_header_goes_before_the_cookie_and_that_before_the_weight(cluster: Cluster) -> None:
    canary(cluster, {"by-header": "X-Canary", "by-cookie": "preview", "weight": "100"})
    always, never = ("Cookie", "preview=always"), ("Cookie", "preview=never")
    assert served(cluster, ("X-Canary", "never"), always) == "main"
    assert served(cluster, ("X-Canary", "always"), never) == "canary"
    assert served(cluster, never) == "main"
    assert served(cluster) == "canary"


def test_a_canary_without_endpoints_takes_no_share_by_weight(cluster: Cluster) -> None:
    canary(cluster, {"weight": "50"})
    cluster.put(without_endpoint("new", 0))
    assert set(counted(cluster, 40)) == {"main"}


def test_other_paths_of_the_host_have_no_canary(cluster: Cluster) -> None:
    cluster.put(
        ingress("shop", rule(HOST, path("/"), path("/cart"))),
        ingress("new", rule(HOST, path("/cart", "new")), annotations={"canary": "true", "canary-weight": "100"}),
    )
    assert [cluster.name(target) for target in ("/", "/cart", "/cart/1", "/carts")] == [
        *("main", "canary", "canary", "main")
    ]
