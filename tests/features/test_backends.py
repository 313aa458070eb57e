"""Where requests go that nobody serves, or nobody can; and Services that are not reached by their pods."""

import msgspec
import pytest

from sevengate.kube.objects import IngressPath, Metadata, PathType, Service, ServicePort, ServiceType
from sevengate.nginx.live import Live, live
from sevengate.nginx.resolve import Resolver
from sevengate.settings import Options
from tests.asking import ask
from tests.backends import EchoBackends
from tests.compiler.making import backend, ingress, path, rule, service
from tests.conftest import QUIET
from tests.features.cluster import HOST, Cluster, endpoint_slice, service_objects, without_endpoint
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire


def path_to(port: int) -> IngressPath:
    return IngressPath(backend("shop", port), "/", PathType.PREFIX)


def test_a_host_that_nobody_serves_is_a_404(cluster: Cluster) -> None:
    for host in ("nobody.example", "127.0.0.1", "example", "_"):
        answer = cluster.ask("/any?x=1", host)
        assert (answer.status, answer.body) == (404, b"default backend - 404")
        assert cluster.ask("/", host, tls=True).status == 404


def test_a_path_that_nobody_serves_is_a_404(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))
    cluster.put(ingress("shop", rule(HOST, path("/cart"))))
    assert (cluster.name("/cart"), cluster.name("/other")) == ("shop", 404)


def test_the_default_servers_port_answers_404_to_everything(cluster: Cluster) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = ask(cluster.gate.default_port, "shop.example", "/any", method=method)
        assert (answer.status, answer.body) == (404, b"default backend - 404")


def test_the_default_servers_port_is_healthy(cluster: Cluster) -> None:
    assert ask(cluster.gate.default_port, "any", "/healthz").status == 200
    assert ask(cluster.gate.default_port, "any", "/healthz/x").status == 404


def test_a_service_may_be_the_default_backend(gate: Live, backends: EchoBackends) -> None:
    cluster = Cluster(gate, Options(default_backend_service="default/fallback"))
    cluster.put(*service_objects("fallback", backends.start("fallback")))
    cluster.serve(backends.start("shop"))
    cluster.put(ingress("shop", rule(HOST, path("/cart"))))
    assert [cluster.name("/cart"), cluster.name("/other"), cluster.name(host="nobody.example")] == [
        *("shop", "fallback", "fallback")
    ]
    cluster.put(without_endpoint("fallback", 0))
    assert cluster.name(host="nobody.example") == 503


def test_a_default_backend_of_an_ingress_serves_what_its_rules_do_not(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.put(*service_objects("rest", backends.start("rest")), *service_objects("shop", backends.start("shop")))
    shop = ingress("shop", rule(HOST, path("/cart")))
    cluster.put(msgspec.structs.replace(shop, default_backend=backend("rest")))
    assert [cluster.name("/cart"), cluster.name("/other")] == ["shop", "rest"]


def test_a_service_without_endpoints_is_a_503_until_there_is_one(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve()
    assert cluster.name() == 503
    cluster.put(endpoint_slice("shop", 0, backends.start("shop")))
    assert cluster.name() == "shop"
    cluster.put(without_endpoint("shop", 0))
    assert cluster.name() == 503


def test_a_service_that_does_not_exist_is_a_503(cluster: Cluster) -> None:
    cluster.put(ingress("shop", rule(HOST, path("/", "missing"))))
    assert cluster.name() == 503


def test_service_upstream_sends_to_the_address_of_the_service(cluster: Cluster, backends: EchoBackends) -> None:
    cluster_ip = backends.start("cluster-ip", "127.0.3.1")
    cluster.put(
        service("shop", ServicePort(cluster_ip.port, target_port=8080), cluster_ip="127.0.3.1"),
        endpoint_slice("shop", 0, backends.start("pod")),
        ingress("shop", rule(HOST, path_to(cluster_ip.port))),
    )
    assert cluster.name() == "pod"
    cluster.put(ingress("shop", rule(HOST, path_to(cluster_ip.port)), annotations={"service-upstream": "true"}))
    assert cluster.name() == "cluster-ip"


def test_endpoints_may_have_ipv6_addresses(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("six", "::1"))
    assert cluster.name() == "six"


def test_an_external_name_is_asked_where_it_resolves_to(error_log: ErrorLog, backends: EchoBackends) -> None:
    assert error_log.lines == []
    place = backends.start("outside", "127.0.3.2")

    async def lookup(name: str) -> list[str]:
        assert name == "outside.example.com"
        return ["127.0.3.2"]

    with live(settings=QUIET, resolver=Resolver(lookup=lookup, allow_local=True)) as gate:
        cluster = Cluster(gate)
        cluster.put(
            Service(
                Metadata("shop", "default"),
                type=ServiceType.EXTERNAL_NAME,
                external_name="outside.example.com",
                ports=(ServicePort(place.port),),
            ),
            ingress("shop", rule(HOST, path_to(place.port))),
        )
        assert cluster.name() == "outside"


def test_an_external_name_that_does_not_resolve_is_a_503(error_log: ErrorLog) -> None:
    async def lookup(name: str) -> list[str]:
        raise OSError("no such name")

    assert error_log.lines == []
    with live(settings=QUIET, resolver=Resolver(lookup=lookup)) as gate:
        cluster = Cluster(gate)
        cluster.put(
            Service(Metadata("shop", "default"), type=ServiceType.EXTERNAL_NAME, external_name="gone.example.com"),
            ingress("shop", rule(HOST)),
        )
        assert cluster.name() == 503


# --- endpoints that change while a request is on its way


@pytest.mark.parametrize(("endpoints", "expected"), [(1, "new"), (0, 502)])
def test_a_request_whose_body_is_still_coming_goes_where_the_endpoints_are_then(
    cluster: Cluster, backends: EchoBackends, error_log: ErrorLog, endpoints: int, expected: object
) -> None:
    cluster.configure({"worker-processes": "1"})
    cluster.serve(backends.start("old"))
    with Wire(cluster.gate.http_port) as wire:
        wire.request("POST /", "Content-Length: 8", body=b"half")
        assert cluster.name() == "old"  # the one worker has read the head by now
        cluster.put(without_endpoint("shop", 0), *(endpoint_slice("shop", 1, backends.start("new")),) * endpoints)
        assert cluster.name() == ("new" if endpoints else 503)
        wire.send(b"half")
        answer = wire.answer()
    assert (answer.json["name"] if answer.status == 200 else answer.status) == expected
    error_log.expect(*([] if endpoints else ["no live upstreams"]))


def test_a_second_try_goes_where_the_endpoints_are_then(
    cluster: Cluster, backends: EchoBackends, scripted: ScriptedBackends, error_log: ErrorLog
) -> None:
    cluster.configure({"worker-processes": "1"})
    alive = backends.start("alive")

    def last_words(peer: Peer) -> None:
        """Let the endpoints change, see to it that the worker knows, and hang up."""
        peer.head()
        cluster.put(without_endpoint("shop", 0), without_endpoint("shop", 1), endpoint_slice("shop", 2, alive))
        assert cluster.name() == "alive"

    cluster.serve(scripted.start(last_words), scripted.start(last_words))
    assert cluster.name() == "alive"
    error_log.expect("prematurely closed")
