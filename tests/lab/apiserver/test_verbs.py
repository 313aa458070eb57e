"""Create, read, update, patch and apply over HTTP: what is stored, what is refused, and who may overwrite whom."""

import asyncio
from typing import Any

import pytest

from tests.lab.apiserver.serving import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    INGRESSES,
    PODS,
    Lab,
    config_map,
    deployment,
    in_lab,
    ingress,
    pod,
)

STRATEGIC = "application/strategic-merge-patch+json"


@in_lab
async def test_what_is_created_gets_an_identity_and_defaults(lab: Lab) -> None:
    made = await lab.create(DEPLOYMENTS, deployment("shop") | {"status": {"replicas": 9}})
    metadata = made.body["metadata"]
    assert made.code == 201
    assert metadata["generation"] == 1
    assert metadata["namespace"] == "default"
    assert {"uid", "creationTimestamp", "resourceVersion", "managedFields"} <= metadata.keys()
    assert made.body["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert "status" not in made.body
    assert (await lab.get(f"{DEPLOYMENTS}/shop")).body == made.body


@in_lab
async def test_a_pod_begins_pending(lab: Lab) -> None:
    made = await lab.create(PODS, pod("one"))
    assert made.body["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert made.body["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


@in_lab
async def test_a_generated_name_is_new_each_time(lab: Lab) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "web-"}}
    names = {(await lab.create(CONFIG_MAPS, body)).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("web-") for name in names)


@in_lab
async def test_text_of_a_secret_is_stored_encoded(lab: Lab) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    made = await lab.create("/api/v1/namespaces/default/secrets", body)
    assert (made.body["data"], made.body["type"]) == ({"a": "Yg=="}, "Opaque")
    assert "stringData" not in made.body


@in_lab
async def test_what_exists_is_not_created_again(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    again = await lab.create(CONFIG_MAPS, config_map("a"))
    assert (again.code, again.body["reason"]) == (409, "AlreadyExists")


@in_lab
async def test_nothing_is_created_in_a_namespace_that_is_not_there(lab: Lab) -> None:
    refused = await lab.create("/api/v1/namespaces/nowhere/configmaps", config_map("a"))
    assert (refused.code, refused.body["message"]) == (404, 'namespaces "nowhere" not found')


BROKEN: list[tuple[str, Any, int, str]] = [
    (CONFIG_MAPS, b"{", 400, "not JSON"),
    (CONFIG_MAPS, b"[]", 400, "not an object"),
    (CONFIG_MAPS, {"metadata": []}, 400, "not an object"),
    (CONFIG_MAPS, {"kind": "Secret", "metadata": {"name": "a"}}, 400, "is a Secret"),
    (CONFIG_MAPS, {"metadata": {}}, 422, "name or generateName is required"),
    (CONFIG_MAPS, config_map("Not_A_Name"), 422, "RFC 1123 subdomain"),
    (CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "other"}}, 400, "namespace"),
    (CONFIG_MAPS, {"metadata": {"name": "a", "labels": {"a b": "c"}}}, 422, "metadata.labels"),
    (CONFIG_MAPS, {"metadata": {"name": "a"}, "data": "text"}, 422, "data must be of type object"),
    (CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"a": 1}}, 422, "data.a must be of type string"),
    (INGRESSES, {"metadata": {"name": "a"}, "spec": {}}, 422, "either `defaultBackend` or `rules`"),
    (INGRESSES, {"metadata": {"name": "a"}, "spec": {"rules": 1}}, 422, "spec.rules must be of type array"),
    (DEPLOYMENTS, {"metadata": {"name": "a"}}, 422, "spec: Required value"),
    (DEPLOYMENTS, {"metadata": {"name": "a"}, "spec": {"selector": {}, "template": {}}}, 422, "containers"),
    (PODS, {"metadata": {"name": "a"}, "spec": {"containers": [{}]}}, 422, "containers[0].name: Required value"),
]


@pytest.mark.parametrize(("path", "body", "code", "message"), BROKEN)
def test_what_is_broken_is_refused_by_field_and_nothing_is_stored(
    path: str, body: Any, code: int, message: str
) -> None:
    @in_lab
    async def scenario(lab: Lab) -> None:
        refused = await lab.create(path, body)
        assert (refused.code, message in refused.body["message"]) == (code, True), refused.body
        assert (await lab.get(path)).body["items"] == []

    scenario()


def test_a_selector_must_select_its_own_pods() -> None:
    @in_lab
    async def scenario(lab: Lab) -> None:
        body = deployment("shop")
        body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
        refused = await lab.create(DEPLOYMENTS, body)
        assert refused.body["details"]["causes"][0]["field"] == "spec.template.metadata.labels"

    scenario()


@in_lab
async def test_unknown_fields_are_refused_told_or_passed_over_as_asked(lab: Lab) -> None:
    body = config_map("a") | {"dato": {}}
    strict = await lab.create(CONFIG_MAPS, body, fieldValidation="Strict")
    assert (strict.code, 'unknown field "dato"' in strict.body["message"]) == (400, True)
    warned = await lab.create(CONFIG_MAPS, body, fieldValidation="Warn")
    assert (warned.code, warned.headers["Warning"]) == (201, '299 - "unknown field \\"dato\\""')
    assert "dato" not in warned.body
    ignored = await lab.create(CONFIG_MAPS, body | {"metadata": {"name": "b"}}, fieldValidation="Ignore")
    assert (ignored.code, ignored.headers.get("Warning")) == (201, None)


@in_lab
async def test_a_field_name_cannot_write_headers(lab: Lab) -> None:
    made = await lab.create(CONFIG_MAPS, config_map("a") | {"x\r\nSet-Cookie: a=b": 1, 'quote" \\': 2})
    assert made.code == 201
    assert "Set-Cookie" not in made.headers
    assert made.headers.getall("Warning") == [
        '299 - "unknown field \\"x??Set-Cookie: a=b\\""',
        '299 - "unknown field \\"quote\\" \\\\\\""',
    ]


@in_lab
async def test_a_write_from_an_outdated_object_is_a_conflict(lab: Lab) -> None:
    first = await lab.create(CONFIG_MAPS, config_map("a", x="1"))
    await lab.update(f"{CONFIG_MAPS}/a", first.body | {"data": {"x": "2"}})
    late = await lab.update(f"{CONFIG_MAPS}/a", first.body | {"data": {"x": "3"}})
    assert (late.code, late.body["reason"]) == (409, "Conflict")
    assert (await lab.get(f"{CONFIG_MAPS}/a")).body["data"] == {"x": "2"}


@in_lab
async def test_of_many_writers_from_one_object_exactly_one_wins(lab: Lab) -> None:
    first = await lab.create(CONFIG_MAPS, config_map("a"))
    writes = [lab.update(f"{CONFIG_MAPS}/a", first.body | {"data": {"x": str(number)}}) for number in range(8)]
    codes = sorted(answer.code for answer in await asyncio.gather(*writes))
    assert codes == [200] + [409] * 7


@in_lab
async def test_a_write_for_an_object_that_was_replaced_is_a_conflict(lab: Lab) -> None:
    body = config_map("a")
    await lab.create(CONFIG_MAPS, body)
    body["metadata"]["uid"] = "another"
    assert (await lab.update(f"{CONFIG_MAPS}/a", body)).code == 409


@in_lab
async def test_a_write_that_changes_nothing_makes_no_revision(lab: Lab) -> None:
    first = await lab.create(DEPLOYMENTS, deployment("shop"))
    again = await lab.update(f"{DEPLOYMENTS}/shop", first.body)
    assert again.body == first.body


@in_lab
async def test_generation_counts_changes_of_the_spec_only(lab: Lab) -> None:
    await lab.create(DEPLOYMENTS, deployment("shop"))
    labelled = await lab.merge(f"{DEPLOYMENTS}/shop", {"metadata": {"labels": {"a": "b"}}})
    scaled = await lab.merge(f"{DEPLOYMENTS}/shop", {"spec": {"replicas": 3}})
    reported = await lab.merge(f"{DEPLOYMENTS}/shop/status", {"status": {"replicas": 3}})
    assert [one.body["metadata"]["generation"] for one in (labelled, scaled, reported)] == [1, 2, 2]


@in_lab
async def test_spec_and_status_are_written_through_their_own_doors(lab: Lab) -> None:
    await lab.create(INGRESSES, ingress("shop"))
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    await lab.merge(f"{INGRESSES}/shop", {"status": address})
    assert (await lab.get(f"{INGRESSES}/shop")).body["status"] == {"loadBalancer": {}}
    published = await lab.merge(f"{INGRESSES}/shop/status", {"status": address, "spec": {"ingressClassName": "other"}})
    assert published.body["status"] == address
    assert published.body["spec"]["ingressClassName"] == "nginx"
    rewritten = await lab.update(f"{INGRESSES}/shop", ingress("shop", "other.example"))
    assert rewritten.body["status"] == address


@in_lab
async def test_what_must_not_change_does_not(lab: Lab) -> None:
    await lab.create(DEPLOYMENTS, deployment("shop"))
    patch = {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}}
    refused = await lab.merge(f"{DEPLOYMENTS}/shop", patch)
    assert (refused.code, refused.body["details"]["causes"][0]["field"]) == (422, "spec.selector")
    await lab.create(CONFIG_MAPS, config_map("fixed", a="b") | {"immutable": True})
    assert (await lab.merge(f"{CONFIG_MAPS}/fixed", {"data": {"a": "c"}})).code == 422


@in_lab
async def test_a_dry_run_answers_and_stores_nothing(lab: Lab) -> None:
    assert (await lab.create(CONFIG_MAPS, config_map("a"), dryRun="All")).code == 201
    assert (await lab.get(f"{CONFIG_MAPS}/a")).code == 404
    await lab.create(CONFIG_MAPS, config_map("a", x="1"))
    assert (await lab.merge(f"{CONFIG_MAPS}/a", {"data": {"x": "2"}}, dryRun="All")).body["data"] == {"x": "2"}
    assert (await lab.apply(f"{CONFIG_MAPS}/a", config_map("a", y="2"), dryRun="All")).code == 200
    assert (await lab.delete(f"{CONFIG_MAPS}/a", dryRun="All")).code == 200
    assert (await lab.get(f"{CONFIG_MAPS}/a")).body["data"] == {"x": "1"}


@in_lab
async def test_scale_is_an_object_of_its_own(lab: Lab) -> None:
    await lab.create(DEPLOYMENTS, deployment("shop"))
    scale = await lab.get(f"{DEPLOYMENTS}/shop/scale")
    assert (scale.body["kind"], scale.body["spec"], scale.body["status"]["selector"]) == (
        "Scale",
        {"replicas": 2},
        "app=shop",
    )
    await lab.update(f"{DEPLOYMENTS}/shop/scale", scale.body | {"spec": {"replicas": 5}})
    await lab.merge(f"{DEPLOYMENTS}/shop/scale", {"spec": {"replicas": 6}})
    assert (await lab.get(f"{DEPLOYMENTS}/shop")).body["spec"]["replicas"] == 6
    assert (await lab.merge(f"{DEPLOYMENTS}/shop/scale", {"spec": {"replicas": -1}})).code == 400


@in_lab
async def test_a_scale_that_was_read_earlier_does_not_overwrite(lab: Lab) -> None:
    await lab.create(DEPLOYMENTS, deployment("shop"))
    scale = (await lab.get(f"{DEPLOYMENTS}/shop/scale")).body
    await lab.merge(f"{DEPLOYMENTS}/shop", {"spec": {"replicas": 7}})
    late = await lab.update(f"{DEPLOYMENTS}/shop/scale", scale | {"spec": {"replicas": 1}})
    assert (late.code, (await lab.get(f"{DEPLOYMENTS}/shop")).body["spec"]["replicas"]) == (409, 7)


@in_lab
async def test_nobody_owns_a_status_that_came_through_the_wrong_door(lab: Lab) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    made = await lab.apply(f"{INGRESSES}/shop", ingress("shop") | {"status": status})
    assert made.body["status"] == {"loadBalancer": {}}
    assert "f:status" not in str(made.body["metadata"]["managedFields"])
    bare = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"}, "status": status}
    published = await lab.apply(f"{INGRESSES}/shop/status", bare, fieldManager="publisher")
    assert published.body["status"] == status
    owners = {one["manager"]: one.get("subresource") for one in published.body["metadata"]["managedFields"]}
    assert owners == {"test": None, "publisher": "status"}


@in_lab
async def test_odd_messages_to_subresources_and_reviews_are_refused(lab: Lab) -> None:
    await lab.create(PODS, pod("one"))
    await lab.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "bob"}})
    reviews = "/apis/authorization.k8s.io/v1"
    for path, body in (
        (f"{PODS}/one/binding", {"target": []}),
        (f"{PODS}/one/binding", {}),
        (f"{PODS}/one/eviction", {"deleteOptions": {"gracePeriodSeconds": "x"}}),
        ("/api/v1/namespaces/default/serviceaccounts/bob/token", {"spec": {"expirationSeconds": "x"}}),
        ("/api/v1/namespaces/default/serviceaccounts/bob/token", {"spec": {"expirationSeconds": 1}}),
        (f"{reviews}/selfsubjectaccessreviews", {"spec": []}),
        (f"{reviews}/subjectaccessreviews", {"spec": {"groups": 1}}),
        (f"{reviews}/subjectaccessreviews", {"spec": {"resourceAttributes": {"verb": []}}}),
    ):
        answer = await lab.create(path, body)
        assert (path, answer.code in {400, 422}) == (path, True), answer.body
    assert (await lab.get(f"{PODS}/one")).code == 200


@in_lab
async def test_a_selector_with_an_unknown_operator_is_refused(lab: Lab) -> None:
    body = deployment("shop")
    body["spec"]["selector"]["matchExpressions"] = [{"key": "app", "operator": "Like", "values": ["shop"]}]
    assert (await lab.create(DEPLOYMENTS, body)).code == 400


@in_lab
async def test_the_three_patches_differ_in_what_becomes_of_lists(lab: Lab) -> None:
    await lab.create(DEPLOYMENTS, deployment("shop"))
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    merged = await lab.ask("PATCH", f"{DEPLOYMENTS}/shop", side, content_type=STRATEGIC)
    assert [one["name"] for one in merged.body["spec"]["template"]["spec"]["containers"]] == ["web", "side"]
    operations = [{"op": "remove", "path": "/spec/template/spec/containers/0"}]
    removed = await lab.ask("PATCH", f"{DEPLOYMENTS}/shop", operations, content_type="application/json-patch+json")
    assert [one["name"] for one in removed.body["spec"]["template"]["spec"]["containers"]] == ["side"]
    unknown = await lab.ask("PATCH", f"{DEPLOYMENTS}/shop", {}, content_type="application/json")
    assert unknown.code == 415


@in_lab
async def test_apply_creates_merges_and_tells_of_conflicts(lab: Lab) -> None:
    place = f"{CONFIG_MAPS}/a"
    assert (await lab.apply(place, config_map("a", x="1"), fieldManager="me")).code == 201
    assert (await lab.apply(place, config_map("a", y="1"), fieldManager="you")).body["data"] == {"x": "1", "y": "1"}
    refused = await lab.apply(place, config_map("a", x="2"), fieldManager="you")
    assert (refused.code, refused.body["details"]["causes"][0]["field"]) == (409, ".data.x")
    forced = await lab.apply(place, config_map("a", x="2"), fieldManager="you", force="true")
    assert forced.body["data"] == {"x": "2"}
    nobody = await lab.ask("PATCH", place, config_map("a"), content_type="application/apply-patch+yaml")
    assert nobody.code == 422


@in_lab
async def test_apply_reads_yaml(lab: Lab) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: 'yes'}\n"
    made = await lab.ask(
        "PATCH", f"{CONFIG_MAPS}/a", text, content_type="application/apply-patch+yaml", query={"fieldManager": "me"}
    )
    assert made.body["data"] == {"x": "yes"}
    broken = await lab.ask(
        "PATCH", f"{CONFIG_MAPS}/a", b"a: [", content_type="application/apply-patch+yaml", query={"fieldManager": "me"}
    )
    assert broken.code == 400


@in_lab
async def test_an_event_is_one_object_under_both_groups(lab: Lab) -> None:
    new = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "one"},
        "note": "it runs",
        "reason": "Started",
        "type": "Normal",
        "reportingController": "kubelet",
        "eventTime": "2026-01-01T00:00:00.000000Z",
    }
    await lab.create("/apis/events.k8s.io/v1/namespaces/default/events", new)
    core = await lab.get("/api/v1/namespaces/default/events", fieldSelector="involvedObject.name=one")
    assert [(one["message"], one["involvedObject"]["kind"]) for one in core.body["items"]] == [("it runs", "Pod")]
    shown = await lab.get("/apis/events.k8s.io/v1/namespaces/default/events", fieldSelector="regarding.name=one")
    assert [(one["note"], one["apiVersion"]) for one in shown.body["items"]] == [("it runs", "events.k8s.io/v1")]


@in_lab
async def test_a_pod_is_bound_to_a_node_once(lab: Lab) -> None:
    await lab.create(PODS, pod("one"))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "one"}, "target": {"name": "node01"}}
    assert (await lab.create(f"{PODS}/one/binding", binding)).code == 201
    assert (await lab.get(f"{PODS}/one")).body["spec"]["nodeName"] == "node01"
    assert (await lab.create(f"{PODS}/one/binding", binding)).code == 409


@in_lab
async def test_what_is_not_served_is_told_so(lab: Lab) -> None:
    for method, path, code in (
        ("GET", "/api/v1/namespaces/default/nothings", 404),
        ("GET", "/apis/extensions/v1beta1/ingresses", 404),
        ("GET", f"{CONFIG_MAPS}/a/scale", 404),
        ("PUT", CONFIG_MAPS, 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("GET", "/nothing", 404),
        ("POST", "/version", 405),
        ("GET", f"{CONFIG_MAPS}?limit=many", 400),
        ("GET", f"{CONFIG_MAPS}?labelSelector=a=b=c", 400),
    ):
        answer = await lab.ask(method, path)
        assert (method, path, answer.code) == (method, path, code)
        assert answer.body["kind"] == "Status"


@in_lab
async def test_a_body_that_is_too_large_is_refused(lab: Lab) -> None:
    refused = await lab.create(CONFIG_MAPS, config_map("a", x="x" * 4_000_000))
    assert (refused.code, refused.body["reason"]) == (413, "RequestEntityTooLarge")
