"""Validating webhooks: asked about what concerns them, obeyed, and closed where they cannot be asked."""

import base64
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from sevengate.cluster.authority import Authority
from tests.lab.apiserver.serving import (
    CONFIG_MAPS,
    INGRESSES,
    Lab,
    Object,
    config_map,
    in_lab,
    in_legacy_lab,
    ingress,
)

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


class Webhook:
    """A webhook that remembers what it was asked, and denies the host evil.example."""

    def __init__(self, authority: Authority) -> None:
        self.asked: list[Object] = []
        self.authority = authority
        self.port = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        review: dict[str, Any] = await request.json()
        self.asked.append(review["request"])
        denied = "evil.example" in str(review["request"]["object"])
        verdict = {"uid": review["request"]["uid"], "allowed": not denied, "warnings": ["looked at"]}
        if denied:
            verdict["status"] = {"message": "this host is evil", "code": 403}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": verdict})


def proven(authority: Authority) -> ssl.SSLContext:
    pair = authority.server(("hook.default.svc", "127.0.0.1"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(pair.certificate + pair.key)
        tls.load_cert_chain(path)
    return tls


@asynccontextmanager
async def webhook() -> AsyncIterator[Webhook]:
    hook = Webhook(Authority())
    tls = proven(hook.authority)
    runner = web.ServerRunner(web.Server(hook.answer, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        hook.port = runner.addresses[0][1]
        yield hook
    finally:
        await runner.cleanup()


def configuration(hook: Webhook, client: Object, **more: Any) -> Object:
    bundle = base64.b64encode(hook.authority.certificate).decode()
    rule = {
        "apiGroups": ["networking.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["ingresses"],
    }
    one = {
        "name": "check.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [rule],
        "clientConfig": {"caBundle": bundle, **client},
        **more,
    }
    return {"metadata": {"name": "check"}, "webhooks": [one]}


@in_lab
async def test_a_webhook_decides_about_what_its_rules_name(lab: Lab) -> None:
    async with webhook() as hook:
        await lab.create(CONFIGURATIONS, configuration(hook, {"url": f"https://127.0.0.1:{hook.port}/"}))
        good = await lab.create(INGRESSES, ingress("good"))
        assert (good.code, good.headers["Warning"]) == (201, '299 - "looked at"')
        bad = await lab.create(INGRESSES, ingress("bad", "evil.example"))
        assert bad.code == 403
        assert bad.body["message"] == 'admission webhook "check.example.com" denied the request: this host is evil'
        worse = await lab.update(f"{INGRESSES}/good", ingress("good", "evil.example"))
        assert worse.code == 403
        await lab.create(CONFIG_MAPS, config_map("evil.example"))
        await lab.delete(f"{INGRESSES}/good")
        assert [(one["operation"], one["name"]) for one in hook.asked] == [
            ("CREATE", "good"),
            ("CREATE", "bad"),
            ("UPDATE", "good"),
        ]
        assert hook.asked[2]["oldObject"]["spec"]["rules"][0]["host"] == "shop.example"
        assert hook.asked[0]["userInfo"]["username"] == "lab-owner"
    assert (await lab.get(INGRESSES)).body["items"] == []


@in_lab
async def test_a_webhook_is_found_through_its_service(lab: Lab) -> None:
    async with webhook() as hook:
        service = {"namespace": "default", "name": "hook", "path": "/check"}
        await lab.create(CONFIGURATIONS, configuration(hook, {"service": service}))
        assert (await lab.create(INGRESSES, ingress("early"))).code == 500
        port = {"name": "https", "port": 443}
        await lab.create(
            "/api/v1/namespaces/default/services", {"metadata": {"name": "hook"}, "spec": {"ports": [port]}}
        )
        endpoints = {
            "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": hook.port}],
            "endpoints": [
                {"addresses": ["127.0.0.9"], "conditions": {"ready": False}},
                {"addresses": ["127.0.0.1"], "conditions": {"ready": True}},
            ],
        }
        await lab.create("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", endpoints)
        assert (await lab.create(INGRESSES, ingress("good"))).code == 201
        assert (await lab.create(INGRESSES, ingress("bad", "evil.example"))).code == 403


@in_lab
async def test_a_webhook_that_is_away_closes_or_not_as_it_asked(lab: Lab) -> None:
    async with webhook() as hook:
        url = {"url": f"https://127.0.0.1:{hook.port}/"}
    await lab.create(CONFIGURATIONS, configuration(hook, url))
    refused = await lab.create(INGRESSES, ingress("a"))
    assert (refused.code, "failed calling webhook" in refused.body["message"]) == (500, True)
    await lab.update(f"{CONFIGURATIONS}/check", configuration(hook, url, failurePolicy="Ignore"))
    assert (await lab.create(INGRESSES, ingress("a"))).code == 201


@in_lab
async def test_a_webhook_that_another_authority_signed_is_not_believed(lab: Lab) -> None:
    async with webhook() as hook:
        url = {"url": f"https://127.0.0.1:{hook.port}/"}
        bundle = base64.b64encode(Authority().certificate).decode()
        await lab.create(CONFIGURATIONS, configuration(hook, url | {"caBundle": bundle}))
        assert (await lab.create(INGRESSES, ingress("a"))).code == 500
        assert hook.asked == []


@in_lab
async def test_selectors_say_which_objects_concern_a_webhook(lab: Lab) -> None:
    async with webhook() as hook:
        wanted = {
            "objectSelector": {"matchLabels": {"check": "yes"}},
            "namespaceSelector": {
                "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["default"]}]
            },
        }
        await lab.create(CONFIGURATIONS, configuration(hook, {"url": f"https://127.0.0.1:{hook.port}/"}, **wanted))
        labelled = ingress("labelled")
        labelled["metadata"]["labels"] = {"check": "yes"}
        await lab.create(INGRESSES, labelled)
        await lab.create(INGRESSES, ingress("plain"))
        await lab.create(INGRESSES.replace("default", "kube-system"), labelled)
        assert [one["name"] for one in hook.asked] == ["labelled"]
        assert hook.asked[0]["namespace"] == "default"


@in_legacy_lab
async def test_what_is_written_in_an_old_version_does_not_slip_by(lab: Lab) -> None:
    backend = {"serviceName": "shop", "servicePort": 80}
    old = {
        "metadata": {"name": "old"},
        "spec": {"rules": [{"host": "evil.example", "http": {"paths": [{"backend": backend}]}}]},
    }
    place = "/apis/extensions/v1beta1/namespaces/default/ingresses"
    async with webhook() as hook:
        await lab.create(CONFIGURATIONS, configuration(hook, {"url": f"https://127.0.0.1:{hook.port}/"}))
        assert (await lab.create(place, old)).code == 403
    asked = hook.asked[0]
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v1beta1")
    assert asked["object"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "shop"
