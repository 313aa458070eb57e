"""Sevengate in a pod of the lab: by its own image, and where manifests still name its predecessor's."""

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lab.kubelet.nodes import Nodes, Object, pod, running_nodes

#: What the predecessor's manifests of 2019 and 2020 say of its container.
PREDECESSOR: Object = {
    "args": [
        "/nginx-ingress-controller",
        "--configmap=$(POD_NAMESPACE)/nginx-configuration",
        "--tcp-services-configmap=$(POD_NAMESPACE)/tcp-services",
        "--udp-services-configmap=$(POD_NAMESPACE)/udp-services",
        "--annotations-prefix=nginx.ingress.kubernetes.io",
    ],
    "securityContext": {
        "allowPrivilegeEscalation": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "runAsUser": 101,
    },
    "env": [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    ],
    "ports": [{"name": "http", "containerPort": 80}, {"name": "https", "containerPort": 443}],
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 10254, "scheme": "HTTP"}, "initialDelaySeconds": 10},
    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 10254, "scheme": "HTTP"}},
    "lifecycle": {"preStop": {"exec": {"command": ["/wait-shutdown"]}}},
}
WORLD = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: gate}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-root-ca.crt}
data: {ca.crt: AUTHORITY}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gate}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gate}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gate}
subjects: [{kind: ServiceAccount, name: gate, namespace: default}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nginx-configuration}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
"""


ALIAS = """
apiVersion: v1
kind: Service
metadata: {name: peers}
spec: {clusterIP: None, ports: [{name: http, port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: peers, labels: {kubernetes.io/service-name: peers, service.kubernetes.io/headless: ""}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: peers.default.svc.cluster.local, ports: [{port: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: alias}
spec:
  ingressClassName: nginx
  rules:
  - host: alias.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: alias, port: {number: 8080}}}}]}
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with running_nodes() as running:
        running.apply(pod("shop", "traefik/whoami", ports=[{"containerPort": 8080}]))
        running.until_ready("shop")
        furnish(running)
        yield running


def furnish(nodes: Nodes) -> None:
    """Make an Ingress that leads to the pod `shop`, and an account that may do all."""
    world = list(yaml.safe_load_all(WORLD.replace("ADDRESS", nodes.address("shop"))))
    world[1]["data"]["ca.crt"] = nodes.running.authority.decode()
    nodes.apply(*world)


def ask(address: str, path: str = "/", host: str = "shop.example") -> str:
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().read().decode()
    except ConnectionError:  # not there yet; NGINX also opens its ports for a moment when it tests its configuration
        return ""
    finally:
        connection.close()


def gate(name: str, image: str, **container: Any) -> Object:
    return pod(name, image, spec={"serviceAccountName": "gate"}, **container)


def test_the_predecessors_manifest_runs_sevengate_with_its_arguments_and_user(nodes: Nodes) -> None:
    image = "quay.io/kubernetes-ingress-controller/nginx-ingress-controller:0.30.0"
    nodes.apply(gate("old", image, node="node02", **PREDECESSOR))
    nodes.until_ready("old")
    nodes.until_true(lambda: "Hostname: shop" in ask(nodes.address("old")))
    assert "uid=101" in nodes.kubectl("exec", "old", "--", "id")
    nodes.kubectl("delete", "pod", "old")


def test_the_jobs_of_the_predecessors_manifest_make_its_webhooks_certificate(nodes: Nodes) -> None:
    webhook = {
        "name": "validate.nginx.ingress.kubernetes.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "none", "namespace": "default"}},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "rules": [],
    }
    name = "ingress-nginx-admission"
    configuration = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    nodes.apply({**configuration, "metadata": {"name": name}, "webhooks": [webhook]})
    image, where = "registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.4.1", f"--secret-name={name}"
    for what, more in (("create", "--host=controller.default.svc"), ("patch", f"--webhook-name={name}")):
        job = gate(what, image, args=[what, more, "--namespace=default", where])
        job["spec"]["restartPolicy"] = "OnFailure"
        nodes.apply(job)
        nodes.until(what, lambda found: found["status"]["phase"] == "Succeeded")
    patched = nodes.get("validatingwebhookconfiguration", name)["webhooks"][0]
    assert patched["clientConfig"]["caBundle"] == nodes.get("secret", name)["data"]["ca"]
    assert patched["failurePolicy"] == "Fail"
    nodes.kubectl("delete", "validatingwebhookconfiguration", name)


def test_the_image_of_sevengate_runs_this_sevengate(nodes: Nodes) -> None:
    nodes.apply(gate("new", "ghcr.io/sevengate/sevengate:1.0", args=["run"]))
    nodes.until_true(lambda: "Hostname: shop" in ask(nodes.address("new")))
    assert "sevengate" in nodes.kubectl("exec", "new", "--", "sevengate", "version")


def test_a_name_of_the_cluster_leads_where_the_cluster_says(nodes: Nodes) -> None:
    nodes.apply(*yaml.safe_load_all(ALIAS.replace("ADDRESS", nodes.address("shop"))))
    nodes.apply(gate("resolving", "sevengate:0.1.0", args=["run"]))
    nodes.until_true(lambda: "Hostname: shop" in ask(nodes.address("resolving"), host="alias.example"))
    nodes.kubectl("delete", "pod", "resolving")
