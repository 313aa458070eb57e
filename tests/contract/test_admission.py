"""What kubectl says when the webhook has been asked: a denial that names the winner, warnings, and then nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sevengate.cluster.errors import ServerError
from sevengate.cluster.resources import ENDPOINT_SLICES, INGRESSES, SERVICES, WEBHOOK_CONFIGURATIONS
from tests.contract.clusters import Place, play
from tests.contract.objects import CLASS, endpoint_slice, ingress, service
from tests.contract.test_serving import kubectl
from tests.test_run_cluster import Running, gate
from tests.waiting import free_port, until

PATH = "/networking/v1/ingresses"


async def configure(place: Place, port: int) -> None:
    """Have the API server ask about each Ingress of the place, through a Service as in a deployment."""
    hooked = {"ports": [{"name": "webhook", "port": 443, "targetPort": port}]}
    await place.create(SERVICES, {"metadata": {"name": "gate-admission"}, "spec": hooked})
    slices = endpoint_slice("gate-admission", "127.0.0.1", port=port)
    slices["ports"][0]["name"] = "webhook"
    await place.create(ENDPOINT_SLICES, slices)
    rule = {
        "apiGroups": ["networking.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["ingresses"],
    }
    hook = {
        "name": "validate.sevengate.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
        "clientConfig": {"service": {"namespace": place.namespace, "name": "gate-admission", "path": PATH}},
    }
    await place.create(WEBHOOK_CONFIGURATIONS, {"metadata": {"name": place.namespace}, "webhooks": [hook]})


@asynccontextmanager
async def judging(place: Place, temporary: str) -> AsyncIterator[Running]:
    """Run a gate that the API server asks; a real one would not reach it on loopback."""
    place.require_lab()
    port = free_port()
    await configure(place, port)
    flags = ("--kubeconfig", str(place.kubeconfig), "--watch-namespace", place.namespace, "--ingress-class", CLASS)
    webhook = (
        *("--validating-webhook", f"127.0.0.1:{port}", "--validating-webhook-configuration", place.namespace),
        *("--validating-webhook-secret", f"{place.namespace}/webhook"),
    )
    try:
        async with gate(temporary, *flags, *webhook, "--update-status=false") as running:
            await until(running.is_healthy)
            await until(lambda: running.said("whom to trust about the admission webhook"))
            yield running
    finally:
        await place.delete(WEBHOOK_CONFIGURATIONS, place.namespace)


async def apply(place: Place, name: str, host: str, *words: str, succeeds: bool = True) -> str:
    whole = {"apiVersion": INGRESSES.api_version, **ingress(name)}
    whole["metadata"]["namespace"] = place.namespace
    whole["spec"]["rules"][0]["host"] = host
    return await kubectl(place, "apply", "-f", "-", *words, given=whole, succeeds=succeeds)


def test_kubectl_hears_who_won_a_conflict_and_what_may_still_come(temporary: str) -> None:
    async def scenario(place: Place) -> None:
        async with judging(place, temporary) as running:
            said = await apply(place, "shop", "shop.example")
            assert "Warning: spec.rules[0].http.paths[0].backend.service.name: There is no Service" in said
            assert "ingress.networking.k8s.io/shop created" in said
            await place.create(SERVICES, service("shop"))
            await until(lambda: running.serves("shop.example", 503))
            for words in ((), ("--dry-run=server",)):
                said = await apply(place, "late", "shop.example", *words, succeeds=False)
                winner = f"already belongs to Ingress {place.namespace}/shop"
                assert winner in said
                assert 'admission webhook "validate.sevengate.io" denied the request' in said
            assert [one["metadata"]["name"] for one in (await place.read(INGRESSES))["items"]] == ["shop"]
            said = await apply(place, "late", "late.example")
            assert said.splitlines()[-1] == "ingress.networking.k8s.io/late created"
            assert "Service" not in said
            assert running.said("Traceback") == 0

    play(scenario)


def test_it_fails_closed_while_no_gate_answers(temporary: str) -> None:
    async def scenario(place: Place) -> None:
        async with judging(place, temporary) as running:
            running.process.kill()
            await running.process.wait()
            with pytest.raises(ServerError, match="failed calling webhook"):
                await place.create(INGRESSES, ingress("shop"))

    play(scenario)
