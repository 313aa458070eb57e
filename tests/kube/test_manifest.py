"""A file's text becomes objects that know their lines; a broken document loses only itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.kube import manifest
from sevengate.kube.manifest import Definition, Locator, Manifest


def config_map(name: str, **data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {json.dumps(data)}\n"


def read(text: str) -> Manifest:
    return manifest.read(text, "shop.yaml")


def names(found: Manifest) -> list[str]:
    return [definition.object.metadata.name for definition in found.definitions]


def complaints(found: Manifest) -> list[tuple[str, str]]:
    return [(str(diagnostic.where.origin), diagnostic.code) for diagnostic in found.diagnostics]


def only(text: str) -> Definition:
    found = read(text)
    assert found.diagnostics == ()
    (definition,) = found.definitions
    return definition


INGRESS = """\
# the shop

apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    nginx.ingress.kubernetes.io/rewrite-target: /$1
spec:
  rules:
  - host: shop.example
    http:
      paths:
      - path: /a
        pathType: Prefix
        backend: {service: {name: web, port: {number: 80}}}
      -
        pathType: Prefix
        path: /shop
        backend:
          service:
            name: web
            port:
              number: 80
"""


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("", 3),
        ("kind", 4),
        ("metadata.name", 6),
        ("metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]", 8),
        ("metadata.annotations[absent.example/a]", 7),
        ("spec.rules", 10),
        ("spec.rules[0]", 11),
        ("spec.rules[0].host", 11),
        ("spec.rules[0].http.paths[0].path", 14),
        ("spec.rules[0].http.paths[0].backend.service.port.number", 16),
        ("spec.rules[0].http.paths[1]", 18),
        ("spec.rules[0].http.paths[1].path", 19),
        ("spec.rules[0].http.paths[1].backend.service.port.number", 24),
        ("spec.rules[0].http.paths[1].backend.service.port.name", 23),
        ("spec.rules[0].http.paths[2].path", 13),
        ("spec.rules[zero]", 10),
        ("spec.tls[0].hosts", 9),
        ("status", 3),
        ("[", 3),
        ("..]", 3),
    ],
)
def test_a_field_has_the_line_of_its_key_or_of_its_nearest_parent(field: str, line: int) -> None:
    assert str(only(INGRESS).origin(field)) == f"shop.yaml:{line}"


def test_lines_are_those_of_the_file_in_every_document() -> None:
    found = read(f"{config_map('a')}---\n{config_map('b')}---  # and\n\n{config_map('c')}")
    assert names(found) == ["a", "b", "c"]
    assert [definition.origin("metadata").line for definition in found.definitions] == [3, 8, 14]


def test_carriage_returns_and_a_byte_order_mark_change_nothing() -> None:
    text = "\ufeff" + f"{config_map('a')}---\n{config_map('b')}".replace("\n", "\r\n")
    found = read(text)
    assert names(found) == ["a", "b"]
    assert found.definitions[1].origin("kind").line == 7


@pytest.mark.parametrize(
    "text", ["", "\n", "---\n", "---\n---\n", "# nothing\n", "--- # nothing\n---\n# still\n", "null\n"]
)
def test_empty_documents_hold_nothing_and_are_no_fault(text: str) -> None:
    assert read(text) == Manifest("shop.yaml")


def test_a_broken_document_loses_only_itself() -> None:
    found = read(f"{config_map('a')}---\nkind: [\nb: c\n---\n{config_map('c')}---\na: 1\nb: 2\na: 3\n")
    assert names(found) == ["a", "c"]
    assert complaints(found) == [("shop.yaml:8", "manifest/syntax"), ("shop.yaml:16", "manifest/duplicate-key")]


def test_a_document_may_have_directives_and_comments_before_it() -> None:
    found = read(f"# one\n%YAML 1.1\n---\n{config_map('a')}...\n---\n{config_map('b')}")
    assert (names(found), found.diagnostics) == (["a", "b"], ())
    assert found.definitions[0].origin("kind").line == 5


def test_a_separator_within_a_value_is_part_of_the_value() -> None:
    definition = only("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: |\n    ---\n    x: [\n")
    assert definition.object.data == {"k": "---\nx: [\n"}  # type: ignore[union-attr]


def test_complaints_about_fields_have_their_lines() -> None:
    found = read("a: 1\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  b: x\n  c: 7\n")
    assert complaints(found) == [("shop.yaml:1", "manifest/not-an-object"), ("shop.yaml:9", "manifest/wrong-type")]
    assert str(found.diagnostics[1].where) == "shop.yaml:9 ConfigMap default/a data[c]"


def test_the_default_namespace_is_the_readers_choice() -> None:
    (definition,) = manifest.read(config_map("a"), "f", default_namespace="team").definitions
    assert definition.object.key == "team/a"


# --- lists

LIST = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: a}
- apiVersion: v1
  kind: List
  items:
  - apiVersion: v1
    kind: ConfigMap
    metadata:
      name: b
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: C}
- 7
- kind: ConfigMap
"""


def test_lists_are_taken_apart_and_their_items_keep_their_lines() -> None:
    found = read(LIST)
    assert names(found) == ["a", "b"]
    assert [definition.origin("metadata.name").line for definition in found.definitions] == [6, 13]
    assert complaints(found) == [
        ("shop.yaml:16", "object/invalid-name"),
        ("shop.yaml:17", "manifest/not-an-object"),
        ("shop.yaml:18", "manifest/not-an-object"),
    ]


def test_items_of_a_list_of_one_kind_need_not_say_their_kind() -> None:
    definition = only("apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n")
    assert definition.object.KIND == "ConfigMap"


def test_an_empty_list_holds_nothing_and_a_wrong_one_is_told() -> None:
    assert read("apiVersion: v1\nkind: List\nitems:\n") == Manifest("shop.yaml")
    assert complaints(read("apiVersion: v1\nkind: List\nitems: 7\n")) == [("shop.yaml:3", "manifest/not-an-object")]


def test_a_locator_finds_lines_of_many_objects() -> None:
    locator, found = Locator(), read(LIST)
    origins = [str(locator.origin(definition, "kind")) for definition in found.definitions]
    assert origins == ["shop.yaml:5", "shop.yaml:11"]


# --- JSON


def json_map(name: str, **data: object) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}, indent=1)


def test_json_texts_are_read_one_after_the_other_with_their_lines() -> None:
    found = read(f"\n{json_map('a', k='v')}\n{json_map('b')}\n---\n{json_map('c')}")
    assert (names(found), found.diagnostics) == (["a", "b", "c"], ())
    assert [definition.origin("metadata.name").line for definition in found.definitions] == [6, 16, 25]


def test_a_pair_of_surrogates_in_json_is_a_character() -> None:
    definition = only(json_map("a", k="😀"))
    assert definition.object.data == {"k": "😀"}  # type: ignore[union-attr]
    assert definition.origin("data").line == 7


def test_lines_of_json_that_is_nested_beyond_all_measure_are_found_as_far_as_that_goes() -> None:
    deep = "[" * 900 + "]" * 900
    definition = only(json_map("a").replace('"data"', f'"x": {deep},\n "data"'))
    assert definition.origin("metadata.name").line == 5


def test_a_lone_surrogate_in_json_is_refused() -> None:
    assert complaints(read(json_map("a", k="\ud83d")))[0][1] == "manifest/syntax"
    assert complaints(read('{"a": "\ud83d"}'))[0][1] == "manifest/syntax"


def test_a_key_that_stands_twice_in_json_is_told_with_its_line() -> None:
    assert complaints(read('{"kind": "A",\n "b": {"c": 1,\n  "c": 2}}')) == [("shop.yaml:3", "manifest/duplicate-key")]


@pytest.mark.parametrize("number", ["80.0", "8e1"])
def test_a_whole_number_is_one_however_json_writes_it(number: str) -> None:
    text = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": NUMBER}]}}'
    assert only(text.replace("NUMBER", number)).object.ports[0].port == 80  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '{"a": ', '{"a": 1} x', "{a: 1", '{"a": "\0"}', '{"a":' * 9999]
)
def test_what_is_neither_json_nor_an_object_is_told(text: str) -> None:
    found = read(text)
    assert found.definitions == ()
    assert found.diagnostics != ()


# --- whatever comes

LINES = """
---
...
%YAML 1.1
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  name: b
data:
  k: v
  k: 7
kind: List
items:
- kind: Secret
  - x
{
}
{"kind": "Pod"}
# c
\t
"""


@given(st.lists(st.sampled_from(LINES.splitlines()) | st.text(max_size=10)).map("\n".join))
def test_no_text_raises_and_every_complaint_has_a_line_of_the_text(text: str) -> None:
    found = read(text)
    for diagnostic in found.diagnostics:
        assert diagnostic.where.origin is not None
        assert 1 <= diagnostic.where.origin.line <= len(text.splitlines()) + 1
    for definition in found.definitions:
        assert definition.origin("metadata.name").line <= len(text.splitlines())
