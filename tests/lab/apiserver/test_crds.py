"""CustomResourceDefinitions: new types at once, with schema, defaults, columns, versions and subresources."""

from tests.lab.apiserver.serving import Lab, Object, in_lab

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "replicas": {"type": "integer"},
        "either": {
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "v": {"type": "string", "default": "x"}},
            },
        },
    },
}


def definition() -> Object:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": SPEC,
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [version, {**version, "name": "v2", "storage": False}],
        },
    }


def widget(**spec: object) -> Object:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"size": 1, **spec}}


@in_lab
async def test_a_type_is_served_from_its_definition_on_and_goes_with_it(lab: Lab) -> None:
    assert (await lab.get(WIDGETS)).code == 404
    made = await lab.create(DEFINITIONS, definition())
    assert [one["type"] for one in made.body["status"]["conditions"]] == ["NamesAccepted", "Established"]
    assert (await lab.create(WIDGETS, widget())).code == 201
    listed = (await lab.get("/apis/example.com/v1")).body["resources"]
    assert [one["name"] for one in listed] == ["widgets", "widgets/scale", "widgets/status"]
    assert listed[0]["shortNames"] == ["wd"]
    schemas = (await lab.get("/openapi/v3/apis/example.com/v1")).body["components"]["schemas"]
    assert "com.example.v1.Widget" in schemas
    await lab.delete(f"{DEFINITIONS}/widgets.example.com")
    assert (await lab.get(WIDGETS)).code == 404
    await lab.create(DEFINITIONS, definition())
    assert (await lab.get(WIDGETS)).body["items"] == []


@in_lab
async def test_objects_are_checked_by_the_schema_and_completed_from_it(lab: Lab) -> None:
    await lab.create(DEFINITIONS, definition())
    made = await lab.create(WIDGETS, widget(port="http", free={"x": [1]}, unknown=1, parts=[{"id": "p"}]))
    assert made.body["spec"] == {
        "size": 1,
        "port": "http",
        "free": {"x": [1]},
        "parts": [{"id": "p", "v": "x"}],
        "color": "red",
    }
    for spec, message in (
        ({"size": 0}, "spec.size in body should be greater than or equal to 1"),
        ({"size": 11}, "should be less than or equal to 10"),
        ({"size": "1"}, "spec.size must be of type integer"),
        ({"color": "green"}, 'Unsupported value: "green": supported values: "red", "blue"'),
        ({"name": "A"}, "should match '^[a-z]+$'"),
        ({"name": "abcdef"}, "should have at most 5 chars long"),
        ({"port": 1.5}, "must be of type integer,string"),
        ({"either": {"a": 1, "b": 2}}, "must validate one and only one schema"),
    ):
        refused = await lab.create(WIDGETS, widget(**spec) | {"metadata": {"name": "b"}})
        assert (refused.code, message in refused.body["message"]) == (422, True), refused.body["message"]
    missing = await lab.merge(f"{WIDGETS}/a", {"spec": {"size": None}})
    assert (missing.code, "spec.size: Required value" in missing.body["message"]) == (422, True)


@in_lab
async def test_a_version_shows_the_same_object(lab: Lab) -> None:
    await lab.create(DEFINITIONS, definition())
    await lab.create(WIDGETS, widget())
    other = await lab.get(WIDGETS.replace("v1", "v2") + "/a")
    assert (other.body["apiVersion"], other.body["spec"]["size"]) == ("example.com/v2", 1)


@in_lab
async def test_custom_objects_have_subresources_and_columns(lab: Lab) -> None:
    await lab.create(DEFINITIONS, definition())
    await lab.create(WIDGETS, widget(replicas=2))
    await lab.merge(f"{WIDGETS}/a/status", {"status": {"replicas": 1}, "spec": {"size": 9}})
    scale = await lab.merge(f"{WIDGETS}/a/scale", {"spec": {"replicas": 3}})
    assert (scale.body["spec"], scale.body["status"]) == ({"replicas": 3}, {"replicas": 1})
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = (await lab.ask("GET", WIDGETS, headers=headers)).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["a", 1]
    strategic = await lab.ask("PATCH", f"{WIDGETS}/a", {}, content_type="application/strategic-merge-patch+json")
    assert strategic.code == 415


@in_lab
async def test_apply_merges_lists_by_the_keys_of_the_schema(lab: Lab) -> None:
    await lab.create(DEFINITIONS, definition())
    await lab.apply(f"{WIDGETS}/a", widget(parts=[{"id": "p", "v": "1"}]), fieldManager="me")
    both = await lab.apply(f"{WIDGETS}/a", widget(parts=[{"id": "q", "v": "2"}]), fieldManager="you")
    assert both.body["spec"]["parts"] == [{"id": "p", "v": "1"}, {"id": "q", "v": "2"}]


@in_lab
async def test_a_definition_that_makes_no_sense_is_refused(lab: Lab) -> None:
    for name, value in (("group", "other.com"), ("scope", "Everywhere"), ("versions", [])):
        body = definition()
        body["spec"][name] = value
        assert (await lab.create(DEFINITIONS, body)).code == 422


@in_lab
async def test_a_pattern_or_type_that_cannot_be_read_lets_nothing_through(lab: Lab) -> None:
    body = definition()
    properties = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"] = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "("}, "b": {"type": "odd"}},
    }
    await lab.create(DEFINITIONS, body)
    for spec in ({"a": "x"}, {"b": "x"}):
        refused = await lab.create(WIDGETS, {"metadata": {"name": "a"}, "spec": spec})
        assert refused.code == 422
