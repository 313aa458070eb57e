"""Variables of a container, as a cluster gives them."""

import base64
from typing import Any

import pytest

from sevengate.lab.kubelet.environment import ReferenceMissingError, Surroundings, environment, expand

Object = dict[str, Any]
POD: Object = {
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": {"note": 'say "hi"'}},
    "spec": {"nodeName": "node01", "containers": []},
    "status": {"podIP": "127.244.1.2"},
}
HELD: dict[tuple[str, str], Object] = {
    ("ConfigMap", "colors"): {"kind": "ConfigMap", "data": {"sky": "blue", "not a name": "x"}},
    ("Secret", "keys"): {"kind": "Secret", "data": {"door": base64.b64encode(b"1234").decode()}},
}


def variables(container: Object, *services: Object) -> dict[str, str]:
    return environment(container, Surroundings(POD, lambda kind, name: HELD.get((kind, name)), services))


def value_from(**source: Object) -> Object:
    return {"env": [{"name": "IT", "valueFrom": source}]}


def test_values_may_name_variables_that_stand_before_them() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2 $(C) $$(A)"}, {"name": "C", "value": "3"}]
    assert variables({"env": env})["B"] == "12 $(C) $(A)"
    assert expand("$(A)-$(B)", {"A": "x"}) == "x-$(B)"


def test_fields_of_the_pod_are_known() -> None:
    for path, text in {
        "metadata.name": "web",
        "metadata.labels['app']": "web",
        "metadata.annotations['missing']": "",
        "metadata.annotations": 'note="say \\"hi\\""',
        "spec.nodeName": "node01",
        "status.podIP": "127.244.1.2",
    }.items():
        assert variables(value_from(fieldRef={"fieldPath": path}))["IT"] == text


@pytest.mark.parametrize(
    ("limit", "resource", "divisor", "text"),
    [
        ("500m", "cpu", None, "1"),
        ("1500m", "cpu", "1m", "1500"),
        ("64Mi", "memory", "1Mi", "64"),
        ("1G", "memory", None, "1000000000"),
    ],
)
def test_resources_are_counted_in_their_divisor(limit: str, resource: str, divisor: str | None, text: str) -> None:
    reference = {"resource": f"limits.{resource}", **({"divisor": divisor} if divisor else {})}
    container = {"name": "web", "resources": {"limits": {resource: limit}}, **value_from(resourceFieldRef=reference)}
    assert variables(container)["IT"] == text


def test_config_maps_and_secrets_give_keys_and_all_that_can_be_a_name() -> None:
    assert variables(value_from(configMapKeyRef={"name": "colors", "key": "sky"}))["IT"] == "blue"
    assert variables(value_from(secretKeyRef={"name": "keys", "key": "door"}))["IT"] == "1234"
    sources = [{"configMapRef": {"name": "colors"}, "prefix": "C_"}, {"secretRef": {"name": "keys"}}]
    assert variables({"envFrom": sources}) == {"C_sky": "blue", "door": "1234"}


def test_what_is_missing_is_named_unless_it_is_optional() -> None:
    with pytest.raises(ReferenceMissingError, match='configmap "none" not found'):
        variables(value_from(configMapKeyRef={"name": "none", "key": "a"}))
    with pytest.raises(ReferenceMissingError, match="couldn't find key window in Secret shop/keys"):
        variables(value_from(secretKeyRef={"name": "keys", "key": "window"}))
    assert variables(value_from(configMapKeyRef={"name": "none", "key": "a", "optional": True})) == {}
    assert variables({"envFrom": [{"secretRef": {"name": "none", "optional": True}}]}) == {}


def test_services_are_told_as_links() -> None:
    ports = [{"name": "http", "port": 80}, {"name": "api-v2", "port": 81, "protocol": "UDP"}]
    service = {"metadata": {"name": "my-shop"}, "spec": {"clusterIP": "127.96.0.9", "ports": ports}}
    headless = {"metadata": {"name": "none"}, "spec": {"clusterIP": "None", "ports": ports}}
    found = variables({}, service, headless)
    assert found["MY_SHOP_SERVICE_HOST"] == "127.96.0.9"
    assert found["MY_SHOP_SERVICE_PORT_API_V2"] == "81"
    assert found["MY_SHOP_PORT_81_UDP"] == "udp://127.96.0.9:81"
    assert [name for name in found if name.startswith("NONE")] == []
