"""Discovery and OpenAPI, in the forms that clients of different age ask for."""

from typing import Any

import pytest

from tests.lab.apiserver.serving import Lab, in_lab

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"


@in_lab
async def test_new_clients_get_everything_at_once(lab: Lab) -> None:
    for path, group, resource in (("/api", None, "pods"), ("/apis", "networking.k8s.io", "ingresses")):
        answer = await lab.ask("GET", path, headers={"Accept": f"{V2},{V2BETA},application/json"})
        assert answer.headers["Content-Type"] == V2
        groups = {item["metadata"].get("name") or None: item for item in answer.body["items"]}
        served = {one["resource"]: one for one in groups[group]["versions"][0]["resources"]}
        assert served[resource]["scope"] == "Namespaced"
        assert "status" in [one["subresource"] for one in served[resource]["subresources"]]


@pytest.mark.parametrize("accept", ["application/json", f"{V2BETA},application/json", "*/*"])
def test_old_clients_get_plain_lists(accept: str) -> None:
    @in_lab
    async def scenario(lab: Lab) -> None:
        assert (await lab.ask("GET", "/api", headers={"Accept": accept})).body["kind"] == "APIVersions"
        groups = (await lab.ask("GET", "/apis", headers={"Accept": accept})).body
        assert "networking.k8s.io" in [group["name"] for group in groups["groups"]]

    scenario()


@in_lab
async def test_every_group_that_is_named_can_be_read(lab: Lab) -> None:
    for group in (await lab.get("/apis")).body["groups"]:
        assert (await lab.get(f"/apis/{group['name']}")).body["name"] == group["name"]
        for version in group["versions"]:
            listed = await lab.get(f"/apis/{version['groupVersion']}")
            assert listed.body["groupVersion"] == version["groupVersion"]
            assert listed.body["resources"]
    assert (await lab.get("/apis/nothing.example/v1")).code == 404


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {name for part in node for name in references(part)}
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own | {name for part in node.values() for name in references(part)}


@in_lab
async def test_every_openapi_document_is_whole_and_says_that_fields_are_validated(lab: Lab) -> None:
    index = (await lab.get("/openapi/v3")).body["paths"]
    assert {"api/v1", "apis/networking.k8s.io/v1"} <= index.keys()
    for place in index.values():
        path, _, query = place["serverRelativeURL"].partition("?hash=")
        document = (await lab.get(path, hash=query)).body
        schemas = document["components"]["schemas"]
        assert {name.removeprefix("#/components/schemas/") for name in references(document)} <= schemas.keys()
        for operations in document["paths"].values():
            if patch := operations.get("patch"):
                assert "fieldValidation" in [one["name"] for one in patch["parameters"]]
                assert patch["x-kubernetes-group-version-kind"]["kind"]


@in_lab
async def test_probes_and_the_version_answer(lab: Lab) -> None:
    for probe in ("/healthz", "/livez", "/readyz"):
        async with lab.session.get(lab.running.url + probe) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
    assert (await lab.get("/version")).body["major"] == "1"
