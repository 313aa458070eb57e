"""API versions of the past: served when asked for, stored as v1, and the same objects to clients of either version."""

from pathlib import Path
from typing import Any

from tests.lab.apiserver.serving import APPLY, INGRESSES, Lab, Object, in_lab, in_legacy_lab, in_thread, ingress
from tests.lab.kubectl import Kubectl, in_order

OLD = "/apis/extensions/v1beta1/namespaces/default/ingresses"
OLD_TOO = "/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
OLD_ROLES = ROLES.replace("/v1/", "/v1beta1/")


def old_ingress(name: str, version: str = "extensions/v1beta1", **backend: object) -> Object:
    backend = backend or {"serviceName": "shop", "servicePort": 80}
    rules = [{"host": "shop.example", "http": {"paths": [{"backend": backend}]}}]
    return {"apiVersion": version, "kind": "Ingress", "metadata": {"name": name}, "spec": {"rules": rules}}


def path_of(thing: Object) -> Any:
    return thing["spec"]["rules"][0]["http"]["paths"][0]


@in_legacy_lab
async def test_what_was_created_in_an_old_version_is_v1_to_everybody_else(lab: Lab) -> None:
    created = await lab.create(OLD, old_ingress("shop"))
    assert created.code == 201
    assert created.body["apiVersion"] == "extensions/v1beta1"
    assert path_of(created.body)["backend"] == {"serviceName": "shop", "servicePort": 80}
    seen = (await lab.get(f"{INGRESSES}/shop")).body
    assert seen["apiVersion"] == "networking.k8s.io/v1"
    assert path_of(seen) == {
        "pathType": "ImplementationSpecific",
        "backend": {"service": {"name": "shop", "port": {"number": 80}}},
    }


@in_legacy_lab
async def test_what_was_created_in_v1_can_be_read_and_changed_in_old_versions(lab: Lab) -> None:
    await lab.create(INGRESSES, ingress("shop"))
    for path, version in ((OLD, "extensions/v1beta1"), (OLD_TOO, "networking.k8s.io/v1beta1")):
        seen = (await lab.get(path)).body["items"][0]
        assert (seen["apiVersion"], path_of(seen)["backend"]["serviceName"]) == (version, "shop")
    rules = [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "other", "servicePort": "http"}}]}}]
    changed = await lab.merge(f"{OLD}/shop", {"spec": {"rules": rules}})
    assert changed.code == 200
    seen = (await lab.get(f"{INGRESSES}/shop")).body
    assert path_of(seen)["backend"] == {"service": {"name": "other", "port": {"name": "http"}}}


@in_legacy_lab
async def test_a_watch_of_an_old_version_shows_that_version(lab: Lab) -> None:
    async with lab.watching(OLD) as following:
        await lab.create(INGRESSES, ingress("shop"))
        event = await following()
    assert (event["type"], event["object"]["apiVersion"]) == ("ADDED", "extensions/v1beta1")


@in_legacy_lab
async def test_rbac_of_old_differs_in_nothing_but_its_version(lab: Lab) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "Role", "metadata": {"name": "reader"}}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    assert (await lab.create(OLD_ROLES, {**role, "rules": rules})).code == 201
    assert (await lab.get(f"{ROLES}/reader")).body["rules"] == rules


@in_legacy_lab
async def test_whoever_uses_an_old_version_is_warned(lab: Lab) -> None:
    warning = (await lab.create(OLD, old_ingress("shop"))).headers["Warning"]
    assert "extensions/v1beta1 Ingress is unavailable in v1.22+; use networking.k8s.io/v1 Ingress" in warning
    assert "Warning" not in (await lab.create(INGRESSES, ingress("new"))).headers


@in_legacy_lab
async def test_what_is_no_ingress_of_old_is_refused_with_its_field(lab: Lab) -> None:
    refused = await lab.create(OLD, old_ingress("shop", serviceName="shop"))
    assert refused.code == 422
    fields = [cause["field"] for cause in refused.body["details"]["causes"]]
    assert fields == ["spec.rules[0].http.paths[0].backend.servicePort"]


@in_legacy_lab
async def test_fields_of_the_new_version_are_unknown_to_an_old_one(lab: Lab) -> None:
    body = {**old_ingress("shop"), "spec": {"defaultBackend": {"service": {"name": "shop"}}}}
    refused = await lab.create(OLD, body, fieldValidation="Strict")
    assert refused.code == 400
    assert 'unknown field "spec.defaultBackend"' in refused.body["message"]


@in_legacy_lab
async def test_an_old_version_can_be_applied_on_the_servers_side(lab: Lab) -> None:
    for code in (201, 200):
        applied = await lab.ask(
            "PATCH", f"{OLD}/shop", old_ingress("shop"), query={"fieldManager": "test"}, content_type=APPLY
        )
        assert applied.code == code
    assert path_of((await lab.get(f"{INGRESSES}/shop")).body)["backend"]["service"]["name"] == "shop"


@in_lab
async def test_a_lab_that_was_not_asked_to_does_not_serve_them(lab: Lab) -> None:
    assert (await lab.create(OLD, old_ingress("shop"))).code == 404
    groups = {group["name"] for group in (await lab.get("/apis")).body["groups"]}
    assert "extensions" not in groups


def test_kubectl_applies_the_manifests_of_old_tutorials_and_shows_them_as_always(tmp_path: Path) -> None:
    with in_thread(legacy_apis=True) as running:
        kubectl = Kubectl(running.kubeconfig(), tmp_path, "old-tutorial")
        (tmp_path / "old.yaml").write_text(
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: shop}\n"
            "spec: {rules: [{host: shop.example, http: {paths: [{backend: {serviceName: shop, servicePort: 80}}]}}]}\n"
        )
        warning = "Warning: extensions/v1beta1 Ingress is unavailable in v1.22+"
        in_order(kubectl.must("apply -f old.yaml"), [warning, "ingress.extensions/shop created"])
        assert "<none>   shop.example" in kubectl.must("get ingress")
        assert "apiVersion: networking.k8s.io/v1\n" in kubectl.must("get ingress shop -o yaml")
        assert "serviceName: shop" in kubectl.must("get ingresses.v1beta1.extensions shop -o yaml")
        assert "serviceName" in kubectl.must("explain ingress.spec.backend --api-version=extensions/v1beta1")


def test_without_them_kubectl_says_that_there_is_no_such_version(tmp_path: Path) -> None:
    with in_thread() as running:
        kubectl = Kubectl(running.kubeconfig(), tmp_path, "old-tutorial")
        (tmp_path / "old.yaml").write_text("apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: shop}\n")
        refused = kubectl.run("apply -f old.yaml")
    assert refused.returncode != 0
    assert 'no matches for kind "Ingress" in version "extensions/v1beta1"' in refused.stdout
