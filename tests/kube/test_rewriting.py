"""Manifests of old versions are rewritten where they stand: the words change, and nothing else does."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sevengate.kube import manifest
from sevengate.kube.rewriting import rewrite

HEAD = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: shop}\n"

BLOCK = """\
# The shop of a tutorial.
apiVersion: extensions/v1beta1    # as it was in 2018
kind: Ingress
metadata:
  name: "shop"
  annotations:
    kubernetes.io/ingress.class: nginx
    nginx.ingress.kubernetes.io/rewrite-target: /   # keep
spec:
  backend:
    serviceName: default-page
    servicePort: 80
  rules:
  - host: www.kgc.com
    http:
      paths:
        - path: /    # everything
          backend:
            # to the pods
            serviceName: nginx-svc  # theirs
            servicePort: http
        -   backend:
              servicePort: '8080'
              serviceName: "other"
            path: /other
---
apiVersion: v1
kind: Service
metadata:   {name: nginx-svc}
"""
BLOCK_AFTER = """\
# The shop of a tutorial.
apiVersion: networking.k8s.io/v1    # as it was in 2018
kind: Ingress
metadata:
  name: "shop"
  annotations:
    kubernetes.io/ingress.class: nginx
    nginx.ingress.kubernetes.io/rewrite-target: /   # keep
spec:
  defaultBackend:
    service:
      name: default-page
      port:
        number: 80
  rules:
  - host: www.kgc.com
    http:
      paths:
        - path: /    # everything
          pathType: ImplementationSpecific
          backend:
            # to the pods
            service:
              name: nginx-svc  # theirs
              port:
                name: http
        -   backend:
              service:
                port:
                  number: 8080
                name: "other"
            path: /other
            pathType: ImplementationSpecific
---
apiVersion: v1
kind: Service
metadata:   {name: nginx-svc}
"""

JSON = """\
{
  "apiVersion": "networking.k8s.io/v1beta1",
  "kind": "Ingress",
  "metadata": {"name": "shop"},
  "spec": {
    "rules": [{"http": {"paths": [
      {
        "path": "/",
        "backend": {"serviceName": "web", "servicePort": "80"}
      }
    ]}}]
  }
}
"""
JSON_AFTER = """\
{
  "apiVersion": "networking.k8s.io/v1",
  "kind": "Ingress",
  "metadata": {"name": "shop"},
  "spec": {
    "rules": [{"http": {"paths": [
      {
        "path": "/",
        "pathType": "ImplementationSpecific",
        "backend": {"service": {"name": "web", "port": {"number": 80}}}
      }
    ]}}]
  }
}
"""


def objects(text: str) -> list[Any]:
    return [definition.object for definition in manifest.read(text, "shop.yaml").definitions]


def test_lines_are_put_in_and_all_else_stays_as_it_was() -> None:
    rewriting = rewrite(BLOCK, "shop.yaml")
    assert rewriting.text == BLOCK_AFTER
    assert rewriting.count == 1
    assert objects(BLOCK_AFTER) == objects(BLOCK)


def test_json_stays_json() -> None:
    rewriting = rewrite(JSON, "shop.json")
    assert rewriting.text == JSON_AFTER
    assert json.loads(rewriting.text)


@pytest.mark.parametrize("text", [BLOCK_AFTER, JSON_AFTER, "", "# nothing\n", "a: [", "kind: Pod\napiVersion: v1\n"])
def test_what_needs_no_rewriting_stays(text: str) -> None:
    assert rewrite(text, "shop.yaml").text == text
    assert rewrite(text, "shop.yaml").count == 0


def test_line_ends_stay_what_they_are() -> None:
    rewriting = rewrite(BLOCK.replace("\n", "\r\n"), "shop.yaml")
    assert rewriting.text == BLOCK_AFTER.replace("\n", "\r\n")


def test_lists_are_rewritten_item_by_item() -> None:
    item = "{metadata: {name: a}, spec: {backend: {serviceName: web, servicePort: 80}}}"
    text = f"apiVersion: extensions/v1beta1\nkind: IngressList\nitems:\n- {item}\n"
    rewriting = rewrite(text, "shop.yaml")
    assert "extensions" not in rewriting.text
    assert rewriting.count == 1
    assert objects(rewriting.text) == objects(text)


@pytest.mark.parametrize("kind", ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"])
def test_rbac_changes_nothing_but_its_version(kind: str) -> None:
    text = f"kind: {kind}\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{name: a}}\n"
    assert rewrite(text, "rbac.yaml").text == text.replace("v1beta1", "v1")


def test_one_anchored_backend_serves_its_aliases() -> None:
    text = HEAD + (
        "spec:\n  rules:\n  - http:\n      paths:\n      - path: /a\n        backend: &web\n"
        "          serviceName: web\n          servicePort: 80\n      - path: /b\n        backend: *web\n"
    )
    rewriting = rewrite(text, "shop.yaml")
    assert rewriting.text.count("number: 80") == 1
    assert objects(rewriting.text) == objects(text)


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("spec:\n  backend: {serviceName: web}\n", 5),
        ("spec:\n  backend:\n    serviceName:\n      web\n    servicePort: 80\n", 6),
        ("spec:\n  backend:\n    <<: {serviceName: web}\n    servicePort: 80\n", 6),
        ("spec:\n  backend:\n    serviceName: web\n    servicePort: 80\n    weight: 3\n", 8),
        ("spec:\n  rules:\n  - http: {paths: [{path: /}]}\n", 6),
        ("spec: [\n", 5),
    ],
)
def test_a_file_that_cannot_be_rewritten_safely_stays_and_says_in_which_line_why(spec: str, line: int) -> None:
    text = HEAD + spec + "---\n" + HEAD
    rewriting = rewrite(text, "shop.yaml")
    assert (rewriting.text, rewriting.count) == (text, 0)
    (complaint,) = rewriting.diagnostics
    assert complaint.where.origin is not None
    assert complaint.where.origin.line == line


CLASS = "  annotations:\n    kubernetes.io/ingress.class: nginx\n"
CLASSED = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata:\n  name: shop\n" + CLASS + "spec:\n  rules: []\n"


def test_the_class_annotation_becomes_a_field_if_the_class_is_known() -> None:
    rewriting = rewrite(CLASSED, "shop.yaml", frozenset({"nginx"}))
    wanted = CLASSED.replace("extensions/v1beta1", "networking.k8s.io/v1").replace(CLASS, "")
    assert rewriting.text == wanted.replace("spec:\n", "spec:\n  ingressClassName: nginx\n")
    assert rewriting.diagnostics == ()


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        (CLASSED, set[str]()),
        (CLASSED.replace("class: nginx", "class: nginx  # ours"), {"nginx"}),
        (CLASSED.replace("\n    kube", " {kube").replace("nginx\n", "nginx, a: b}\n"), {"nginx"}),
    ],
    ids=["unknown-class", "comment", "flow"],
)
def test_otherwise_the_annotation_stays_and_a_notice_says_so(text: str, classes: set[str]) -> None:
    rewriting = rewrite(text, "shop.yaml", frozenset(classes))
    assert rewriting.text == text.replace("extensions/v1beta1", "networking.k8s.io/v1")
    assert [one.code for one in rewriting.diagnostics] == ["manifest/class-annotation"]


# --- any Ingress, written in any of several ways

_words = st.sampled_from(["web", "a-b", "80x", "null", "0", "é"])
_backends = st.one_of(
    st.fixed_dictionaries(
        {"serviceName": _words, "servicePort": st.one_of(st.integers(1, 65535), st.sampled_from(["http", "80"]))}
    ),
    st.just({"resource": {"kind": "Bucket", "name": "b"}}),
)
_paths = st.fixed_dictionaries(
    {"backend": _backends},
    optional={"path": st.sampled_from(["/", "/a: b", "/#", ""]), "pathType": st.sampled_from(["Exact", None])},
)
_rules = st.fixed_dictionaries(
    {"http": st.fixed_dictionaries({"paths": st.lists(_paths, max_size=3)})}, optional={"host": _words}
)
_specs = st.fixed_dictionaries({"rules": st.lists(_rules, max_size=3)}, optional={"backend": _backends})
_versions = st.sampled_from(["extensions/v1beta1", "networking.k8s.io/v1beta1"])


def written(plain: object, way: str, *, is_sorted: bool) -> str:
    if way == "json":
        return json.dumps(plain, sort_keys=is_sorted)
    if way == "pretty":
        return json.dumps(plain, indent=2, sort_keys=is_sorted)
    flow = {"block": False, "flow": True, "mixed": None}[way]
    return yaml.safe_dump(plain, default_flow_style=flow, sort_keys=is_sorted, width=1000, allow_unicode=True)


@given(
    spec=_specs,
    version=_versions,
    way=st.sampled_from(["json", "pretty", "block", "flow", "mixed"]),
    is_sorted=st.booleans(),
)
def test_what_was_rewritten_is_read_as_the_same_and_is_not_rewritten_again(
    spec: dict[str, Any], version: str, way: str, is_sorted: bool
) -> None:
    plain = {"apiVersion": version, "kind": "Ingress", "metadata": {"name": "shop"}, "spec": spec}
    text = written(plain, way, is_sorted=is_sorted)
    rewriting = rewrite(text, "shop.yaml")
    assert rewriting.diagnostics == (), text
    assert rewriting.count == 1
    assert "v1beta1" not in rewriting.text
    assert objects(rewriting.text) == objects(text)
    assert rewrite(rewriting.text, "shop.yaml").text == rewriting.text


@given(st.text(alphabet="abk:{}[]&*<-, \n\"'#|>", max_size=60))
def test_no_text_is_made_to_mean_something_else(text: str) -> None:
    whole = HEAD + "spec:\n  backend: {serviceName: a, servicePort: 1}\n  other: " + text.replace("\n", "\n    ")
    rewriting = rewrite(whole, "shop.yaml")
    assert objects(rewriting.text) == objects(whole)
