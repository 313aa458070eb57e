"""Manifests are loaded in any order, thousands at once, and what is refused is told with its place."""

import asyncio

from sevengate.cluster.client import Client
from sevengate.diagnostics import Report
from sevengate.kube.manifest import chunks, items
from sevengate.lab.apiserver.running import RunningApi, serving_api
from sevengate.lab.loading import Loader, Manifest, Refusal
from tests.lab.clients import access_to

EVERYTHING = """\
apiVersion: example.com/v1
kind: Widget
metadata: {name: wheel, namespace: shop}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}
- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
FAULTY = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: fine}
---
apiVersion: example.com/v1
kind: Nothing
metadata: {name: a}
---
apiVersion: v1
kind: Secret
metadata: {}
---
apiVersion: v1
kind: Service
metadata: {name: WRONG}
spec: {ports: [{port: 80}]}
---
just text
"""


def manifests(text: str) -> list[Manifest]:
    report = Report()
    return [
        Manifest(plain if isinstance(plain, dict) else {}, chunk.document, inside)
        for chunk in chunks(text, "all.yaml", report)
        for inside, plain in items(chunk.plain)
    ]


def loaded(*texts: str) -> tuple[RunningApi, list[Refusal]]:
    """Load the texts into a new lab, one after the other."""
    refused: list[Refusal] = []

    async def load() -> RunningApi:
        async with asyncio.timeout(60), serving_api() as running, Client(access_to(running)) as client:
            for text in texts:
                refused.extend(await Loader(client).load(manifests(text)))
            return running

    return asyncio.run(load()), refused


def test_what_others_need_comes_first_wherever_it_stands() -> None:
    running, refused = loaded(EVERYTHING)
    assert refused == []
    assert running.storage.get(("example.com", "widgets"), ("shop", "wheel"))
    assert running.storage.get(("", "services"), ("shop", "web"))


def test_what_is_there_is_changed_as_far_as_it_differs() -> None:
    before = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b, c: d}\n"
    running, refused = loaded(before, before.replace("a: b, c: d", "a: z"))
    assert refused == []
    stored = running.storage.get(("", "configmaps"), ("default", "one"))
    assert stored is not None
    assert stored.object["data"] == {"a": "z", "c": "d"}


def test_what_is_refused_is_told_with_its_line_and_the_rest_is_loaded() -> None:
    running, refused = loaded(FAULTY)
    assert running.storage.get(("", "configmaps"), ("default", "fine"))
    lines = {one.origin.line: one.message for one in refused}
    assert lines.keys() == {5, 9, 13, 18}
    assert lines[5] == "the cluster serves no Nothing of example.com/v1"
    assert lines[9] == "metadata.name is missing"
    assert lines[18] == "this is no Kubernetes object: apiVersion or kind is missing"
    assert "Service WRONG: 422 Invalid" in lines[13]


def test_thousands_of_ingresses_services_and_pods_are_all_there() -> None:
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p%d}, spec: {containers: [{name: a, image: b}]}}"
    service = "{apiVersion: v1, kind: Service, metadata: {name: s%d}, spec: {ports: [{port: 80}]}}"
    things = [f"- {pod % number}\n- {service % number}\n" for number in range(500)]
    running, refused = loaded("apiVersion: v1\nkind: List\nitems:\n" + "".join(things))
    assert refused == []
    assert len(running.storage.items(("", "pods"))) == 500
