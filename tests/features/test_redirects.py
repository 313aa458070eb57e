"""Redirects: to https, to another URL, to where an application begins."""

import pytest

from sevengate.kube.objects import IngressTLS
from tests.asking import ask
from tests.backends import EchoBackends
from tests.compiler.making import ingress, key_pair, path, rule, secret
from tests.features.cluster import HOST, Cluster, config_map
from tests.features.wire import Wire


@pytest.fixture(autouse=True)
def _echo(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))


def annotate(cluster: Cluster, *paths: str, tls: bool = False, **annotations: str) -> None:
    names = {name.replace("_", "-"): value for name, value in annotations.items()}
    section = (IngressTLS((HOST,), "shop-tls"),) if tls else ()
    cluster.put(secret("shop-tls", *key_pair((HOST,))))
    cluster.put(ingress("shop", rule(HOST, *map(path, paths)), annotations=names, tls=section))


def moved(cluster: Cluster, target: str = "/", host: str = HOST, *, tls: bool = False) -> tuple[int, str | None]:
    answer = cluster.ask(target, host, tls=tls)
    return answer.status, answer.header("Location")


# --- to https


def test_a_host_with_tls_is_served_over_https_alone(cluster: Cluster) -> None:
    annotate(cluster, tls=True)
    assert moved(cluster, "/a/b?c=d%20e&f") == (308, f"https://{HOST}/a/b?c=d%20e&f")
    assert moved(cluster, "/a/b?c=d", tls=True) == (200, None)


def test_a_host_without_tls_is_not_redirected(cluster: Cluster) -> None:
    assert moved(cluster) == (200, None)


def test_the_redirect_has_no_port_and_the_host_in_lower_case(cluster: Cluster) -> None:
    annotate(cluster, tls=True)
    assert moved(cluster, "/x", "Shop.Example:8080") == (308, f"https://{HOST}/x")


def test_one_slash_at_the_end_is_cut(cluster: Cluster) -> None:
    annotate(cluster, tls=True)
    cut = {"/": "/", "/a/": "/a", "/a//": "/a/", "/a?x=/": "/a?x=", "/%2Fa%2F": "/%2Fa%2F"}
    assert {target: moved(cluster, target) for target in cut} == {
        target: (308, f"https://{HOST}{expected}") for target, expected in cut.items()
    }


def test_the_slash_can_be_kept(cluster: Cluster) -> None:
    annotate(cluster, tls=True)
    cluster.configure({"preserve-trailing-slash": "true"})
    assert moved(cluster, "/a/") == (308, f"https://{HOST}/a/")


def test_the_code_can_be_chosen(cluster: Cluster) -> None:
    annotate(cluster, tls=True)
    cluster.configure({"http-redirect-code": "301"})
    assert moved(cluster)[0] == 301


def test_ssl_redirect_can_be_switched_off(cluster: Cluster) -> None:
    annotate(cluster, tls=True, ssl_redirect="false")
    assert moved(cluster) == (200, None)


def test_force_ssl_redirect_needs_no_certificate(cluster: Cluster) -> None:
    annotate(cluster, force_ssl_redirect="true")
    assert moved(cluster, "/x") == (308, f"https://{HOST}/x")


def test_challenges_of_acme_are_answered_over_http(cluster: Cluster) -> None:
    annotate(cluster, "/", "/.well-known/acme-challenge/token", tls=True, force_ssl_redirect="true")
    assert moved(cluster, "/.well-known/acme-challenge/token") == (200, None)
    assert moved(cluster, "/.well-known/other")[0] == 308


def test_a_trusted_balancer_that_ended_tls_is_not_redirected(cluster: Cluster) -> None:
    annotate(cluster, tls=True)
    told = [("X-Forwarded-Proto", "https")]
    assert ask(cluster.gate.http_port, HOST, headers=told).status == 308
    cluster.put(config_map({"use-forwarded-headers": "true"}))
    assert ask(cluster.gate.http_port, HOST, headers=told).status == 200
    assert ask(cluster.gate.http_port, HOST).status == 308


# --- to another URL


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"permanent-redirect": "https://new.example/x"}, (301, "https://new.example/x")),
        ({"permanent-redirect": "https://new.example", "permanent-redirect-code": "308"}, (308, "https://new.example")),
        ({"temporal-redirect": "https://new.example/x"}, (302, "https://new.example/x")),
        ({"temporal-redirect": "https://new.example/", "temporal-redirect-code": "307"}, (307, "https://new.example/")),
        (
            {"temporal-redirect": "https://t.example", "permanent-redirect": "https://p.example"},
            (302, "https://t.example"),
        ),
        ({"permanent-redirect": "/elsewhere"}, (301, "/elsewhere")),
    ],
)
def test_every_request_is_answered_with_the_redirect(
    cluster: Cluster, annotations: dict[str, str], expected: tuple[int, str]
) -> None:
    cluster.put(ingress("shop", rule(HOST), annotations=annotations))
    assert moved(cluster) == moved(cluster, "/any/path?x=1") == moved(cluster, tls=True) == expected


def test_variables_stand_for_parts_of_the_request(cluster: Cluster) -> None:
    annotate(cluster, permanent_redirect="$scheme://new.$host$request_uri")
    assert moved(cluster, "/a%2Fb?c=d%20e") == (301, f"http://new.{HOST}/a%2Fb?c=d%20e")
    assert moved(cluster, "/", tls=True) == (301, f"https://new.{HOST}/")


def test_a_post_is_redirected_too(cluster: Cluster) -> None:
    annotate(cluster, temporal_redirect="https://new.example/", temporal_redirect_code="307")
    answer = ask(cluster.gate.http_port, HOST, method="POST", body=b"x" * 100)
    assert (answer.status, answer.header("Location")) == (307, "https://new.example/")


def test_no_request_writes_headers_into_the_answer(cluster: Cluster) -> None:
    annotate(cluster, permanent_redirect="https://new.example$uri?$arg_x")
    with Wire(cluster.gate.http_port) as wire:
        wire.request("GET /a%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0ax?x=%0d%0aEvil:%201")
        answer = wire.answer()
    assert answer.status == 301
    assert answer.header("Set-Cookie") is None
    assert answer.header("Evil") is None


# --- to where an application begins


def test_app_root_redirects_the_root_alone(cluster: Cluster) -> None:
    annotate(cluster, app_root="/app/start")
    assert moved(cluster) == (302, f"http://{HOST}/app/start")
    assert moved(cluster, "/?x=1") == (302, f"http://{HOST}/app/start")
    assert moved(cluster, "/app/start") == (200, None)
    assert moved(cluster, "/other") == (200, None)


def test_app_root_keeps_scheme_and_port(cluster: Cluster) -> None:
    annotate(cluster, app_root="/app")
    assert moved(cluster, host=f"{HOST}:8080") == (302, f"http://{HOST}:8080/app")
    assert moved(cluster, tls=True) == (302, f"https://{HOST}/app")
