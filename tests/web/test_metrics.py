"""What the controller counts of its rounds, and that /metrics is exactly what the table lists."""

from collections.abc import AsyncIterator, Mapping

import pytest

from sevengate import __version__
from sevengate.compiler.compile import Compilation, compile_all
from sevengate.controller import Generation
from sevengate.diagnostics import Diagnostic
from sevengate.kube.objects import AnyObject, IngressTLS
from sevengate.metrics import CONTROLLER, METRICS, NGINX, OF_CONTROLLER, REQUESTS, written
from sevengate.nginx.dataplane import Applied
from sevengate.settings import Options
from sevengate.web.admission import Reviews
from sevengate.web.metrics import CONTENT_TYPE, Progress, metrics_page
from tests.compiler.making import DAY, NOW, ingress, key_pair, rule, secret, service, snapshot
from tests.scrape import Scrape, read
from tests.web.probing import probes

WHO = dict(zip(CONTROLLER, ("k8s.io/ingress-nginx", "default", "gate-1"), strict=True))


def compiled(*objects: AnyObject) -> Compilation:
    return compile_all(snapshot(*objects), Options(default_ssl_certificate="default/fallback"), NOW)


def complaints(compilation: Compilation) -> list[Diagnostic]:
    return [found for every in compilation.diagnostics.values() for found in every]


def after(*rounds: Applied, waited: float | None = None, compilation: Compilation | None = None) -> Scrape:
    compilation = compilation or compiled()
    progress = Progress("k8s.io/ingress-nginx", "leader", lambda: True)
    for applied in rounds:
        progress.take(Generation(compilation, applied, waited), complaints(compilation))
    return read(progress.text(WHO))


def test_before_the_first_round_all_families_are_announced() -> None:
    scrape = after()
    assert {*scrape.kinds} == {*OF_CONTROLLER}
    assert scrape.one("nginx_ingress_controller_config_last_reload_successful") == 0
    assert scrape.one("nginx_ingress_controller_build_info", release=__version__) == 1


def test_reloads_are_counted_by_their_causes() -> None:
    scrape = after(
        Applied(1, reloaded=True, causes=("profile", "setting keep-alive")),
        Applied(2, reloaded=True, causes=("profile",)),
        Applied(3),
    )
    assert scrape.one("sevengate_reloads_total", reason="profile") == 2
    assert scrape.one("sevengate_reloads_total", reason="setting keep-alive") == 1
    assert scrape.one("nginx_ingress_controller_success") == 2
    assert scrape.one("nginx_ingress_controller_errors") == 0


def test_pushes_are_counted_with_their_documents_and_bytes() -> None:
    scrape = after(Applied(1, pushed=3, bytes=100), Applied(2, pushed=1, deleted=2, bytes=11), Applied(2))
    found = [scrape.one(f"sevengate_{name}_total") for name in ("pushes", "pushed_documents", "pushed_bytes")]
    assert found == [2, 6, 111]


@pytest.mark.parametrize("bad", [Applied(1, problem="memory is full"), Applied(1, refused="ssl-ciphers: no")])
def test_what_did_not_go_live_is_an_error_until_something_does(bad: Applied) -> None:
    last = "nginx_ingress_controller_config_last_reload_successful"
    scrape = after(Applied(1), bad)
    assert (scrape.one("nginx_ingress_controller_errors"), scrape.one(last)) == (1, 0)
    assert scrape.one(f"{last}_timestamp_seconds") > 0
    scrape = after(Applied(1), bad, Applied(2))
    assert (scrape.one("nginx_ingress_controller_errors"), scrape.one(last)) == (1, 1)


def test_how_long_an_event_waited_is_a_histogram() -> None:
    name = "sevengate_event_to_live_seconds"
    scrape = after(Applied(1, pushed=1), Applied(1, reloaded=True), Applied(1), waited=0.025)
    assert [scrape.one(f"{name}_bucket", le=bound) for bound in ("0.01", "0.025", "+Inf")] == [0, 2, 2]
    assert scrape.one(f"{name}_sum") == 0.05
    assert after(Applied(1, pushed=1)).one(f"{name}_count") == 0


def test_who_leads_is_told_under_the_name_of_the_lease() -> None:
    assert after().one("nginx_ingress_controller_leader_election_status", name="leader") == 1
    assert read(Progress("c").text(WHO)).all("nginx_ingress_controller_leader_election_status") == {}


def test_complaints_and_ingresses_are_counted_by_what_they_are() -> None:
    orphans = compiled(ingress("lost", rule("lost.example")), ingress("idle", rule("b.example")), service("other"))
    scrape = after(Applied(1), compilation=orphans)
    assert scrape.one("sevengate_diagnostics", code="backend/service-not-found", severity="error") == 2
    assert scrape.one("sevengate_ingresses", status="degraded") == 2
    assert scrape.labels("ingress", "nginx_ingress_controller_orphan_ingress", type="no-service") == {"lost", "idle"}


def test_a_service_without_endpoints_makes_an_orphan() -> None:
    scrape = after(Applied(1), compilation=compiled(ingress("idle", rule("b.example")), service("shop")))
    assert scrape.one("nginx_ingress_controller_orphan_ingress", ingress="idle", type="no-endpoint") == 1


def test_each_server_name_tells_when_its_certificate_expires() -> None:
    tls = (IngressTLS(("a.example",), "own"), IngressTLS(("b.example",), "own"))
    own = secret("own", *key_pair(("a.example", "b.example"), to_day=30))
    fallback = secret("fallback", *key_pair(("x.example",)))
    served = compiled(own, fallback, ingress("shop", rule("a.example"), rule("b.example"), tls=tls))
    scrape = after(Applied(1), compilation=served)
    name = "nginx_ingress_controller_ssl_expire_time_seconds"
    assert scrape.labels("host", name) == {"_", "a.example", "b.example"}
    assert scrape.one(name, host="a.example", secret_name="own") == (NOW + 30 * DAY).timestamp()
    [labels] = scrape.all("nginx_ingress_controller_ssl_certificate_info", host="a.example")
    told = dict(labels)
    assert {*told} == {*METRICS["nginx_ingress_controller_ssl_certificate_info"].labels}
    assert (told["namespace"], told["class"], told["public_key_algorithm"]) == (
        *("default", "k8s.io/ingress-nginx", "ECDSA"),
    )
    assert told["serial_number"] == told["identifier"] != ""


class Still:
    """Instruments that show every family of NGINX, and nothing in it."""

    async def text(self, constant: Mapping[str, str]) -> AsyncIterator[bytes]:
        for name in (*NGINX, *REQUESTS):
            yield written(name, [], constant).encode()


def test_the_page_is_exactly_what_the_table_lists() -> None:
    progress = Progress("k8s.io/ingress-nginx", "leader")
    [said] = probes({"/metrics": metrics_page((progress, Reviews()), Still(), WHO)}, "/metrics")
    assert (said.status, said.content_type) == (200, CONTENT_TYPE)
    scrape = read(said.body)
    assert {name: (kind, scrape.help[name]) for name, kind in scrape.kinds.items()} == {
        name: (str(family.kind), family.help) for name, family in METRICS.items()
    }
