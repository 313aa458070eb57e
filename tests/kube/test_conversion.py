"""An Ingress of an old version says the same in networking.k8s.io/v1, and can be shown in the old words again."""

from typing import Any

import pytest

from sevengate.kube.conversion import modern, old
from sevengate.kube.fault import Fault


def ingress(backend: object, **path: object) -> dict[str, Any]:
    rules = [{"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend, **path}]}}]
    metadata = {"name": "shop", "labels": {"a": "b"}}
    return {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": metadata, "spec": {"rules": rules}}


def path_of(ingress: dict[str, Any]) -> Any:
    return ingress["spec"]["rules"][0]["http"]["paths"][0]


@pytest.mark.parametrize(
    ("port", "wanted"),
    [(80, {"number": 80}), ("http", {"name": "http"}), ("80", {"number": 80}), ("70000", {"name": "70000"})],
)
def test_service_name_and_port_become_a_service(port: object, wanted: object) -> None:
    path = path_of(modern(ingress({"serviceName": "web", "servicePort": port})))
    assert path["backend"] == {"service": {"name": "web", "port": wanted}}


def test_a_path_without_a_type_gets_the_one_that_it_meant_and_another_keeps_its_own() -> None:
    backend = {"serviceName": "web", "servicePort": 80}
    assert path_of(modern(ingress(backend)))["pathType"] == "ImplementationSpecific"
    assert path_of(modern(ingress(backend, pathType="Exact")))["pathType"] == "Exact"


def test_what_is_the_same_in_both_versions_stays() -> None:
    before = ingress({"resource": {"kind": "Bucket", "name": "b"}})
    before["spec"] |= {"tls": [{"hosts": ["a.example"]}], "ingressClassName": "nginx"}
    after = modern(before)
    assert after["metadata"] == before["metadata"]
    assert path_of(after)["backend"] == path_of(before)["backend"]
    assert (after["spec"]["tls"], after["spec"]["ingressClassName"]) == ([{"hosts": ["a.example"]}], "nginx")


def test_the_default_backend_changes_its_name() -> None:
    before = {"apiVersion": "extensions/v1beta1", "spec": {"backend": {"serviceName": "web", "servicePort": 80}}}
    after = modern(before)
    assert after["spec"] == {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    assert old(after, "extensions/v1beta1") == before


def test_the_way_back_leads_to_where_it_began() -> None:
    before = ingress({"serviceName": "web", "servicePort": "http"}, pathType="Prefix")
    assert old(modern(before), "extensions/v1beta1") == before


@pytest.mark.parametrize(
    ("backend", "field"),
    [
        ({"serviceName": "web"}, "backend.servicePort"),
        ({"servicePort": 80}, "backend.serviceName"),
        ({"serviceName": "web", "servicePort": True}, "backend.servicePort"),
        ({"service": {"name": "web"}}, "backend.service"),
        (None, "backend"),
        ("web", "backend"),
    ],
)
def test_what_is_no_backend_of_the_old_versions_is_named(backend: object, field: str) -> None:
    with pytest.raises(Fault) as raised:
        modern(ingress(backend))
    assert raised.value.field == f"spec.rules[0].http.paths[0].{field}"


def test_the_new_name_of_the_default_backend_is_refused_in_an_old_version() -> None:
    with pytest.raises(Fault) as raised:
        modern({"spec": {"defaultBackend": {}}})
    assert raised.value.field == "spec.defaultBackend"
