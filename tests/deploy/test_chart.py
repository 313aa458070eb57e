import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import sevengate
from tests.deploy.helm import (
    CHART,
    MODES,
    Objects,
    Plain,
    check_strictly,
    container,
    helm,
    needs_helm,
    only,
    pod_of,
    refusal,
    render,
)
from tests.deploy.pod_security import complaints

pytestmark = needs_helm


def flags(objects: Objects, name: str = "controller") -> list[str]:
    return list(container(objects, name)["args"])


def pod_labels(objects: Objects) -> Plain:
    labels: Plain = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    return labels


def values_file(folder: Path, values: Plain) -> str:
    path = folder / "values.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return str(path)


def test_helm_finds_nothing_to_complain_about() -> None:
    run = helm("lint", "--strict", str(CHART))
    assert run.returncode == 0, run.stdout
    assert "[WARNING]" not in run.stdout


def test_the_chart_is_for_the_version_beside_it() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == sevengate.__version__


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.stem)
def test_every_mode_is_what_kubernetes_takes(mode: Path) -> None:
    check_strictly(render("--values", str(mode)))


#: Values that switch on, all together or by themselves, what the modes leave off.
ODD: dict[str, Plain] = {
    "everything": {
        "global": {"image": {"registry": "images.example"}},
        "commonLabels": {"team": "edge"},
        "imagePullSecrets": [{"name": "pull"}],
        "controller": {
            "kind": "Both",
            "image": {"tag": "1", "pullPolicy": "Always"},
            "config": {"keep-alive-requests": 1000000, "use-gzip": True, "log-format-upstream": '"$request"'},
            "extraArgs": {"default-ssl-certificate": "gates/star", "v": 2},
            "extraEnvs": [{"name": "TZ", "value": "UTC"}],
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "extraContainers": [{"name": "side", "image": "side:1"}],
            "extraInitContainers": [{"name": "first", "image": "first:1"}],
            "hostPort": {"enabled": True},
            "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a.example"]}],
            "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
            "sysctls": {"net.core.somaxconn": 4096},
            "podLabels": {"a": "b"},
            "podAnnotations": {"c": "d"},
            "tolerations": [{"key": "edge", "operator": "Exists"}],
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "ingressClassResource": {"default": True, "aliases": ["edge"]},
            "networkPolicy": {"enabled": True},
            "service": {"internal": {"enabled": True}, "nodePorts": {"http": 30080}},
            "admissionWebhooks": {"existingSecret": "mine", "caBundle": "-----BEGIN CERTIFICATE-----"},
            "metrics": {
                "enabled": True,
                "serviceMonitor": {"enabled": True},
                "prometheusRule": {"enabled": True, "rules": [{"alert": "Down", "expr": "up == 0"}]},
            },
            "dataplane": {"temporarySize": "4Gi", "extraEnvs": [{"name": "A", "value": "b"}]},
        },
        "defaultBackend": {"enabled": True, "image": {"image": "pages", "tag": "3"}, "replicaCount": 2},
    },
    "autoscaling": {"controller": {"autoscaling": {"enabled": True, "targetMemoryUtilizationPercentage": 80}}},
    "keda": {"controller": {"keda": {"enabled": True, "triggers": [{"type": "cpu", "metadata": {"value": "60"}}]}}},
    "one namespace": {"controller": {"scope": {"enabled": True, "namespace": "shop"}}},
    "no cluster-wide rules": {
        "controller": {"scope": {"enabled": True}, "admissionWebhooks": {"enabled": False}},
        "rbac": {"scope": True},
    },
    "some namespaces": {"controller": {"scope": {"enabled": True, "namespaceSelector": "edge=yes"}}},
    "nothing of its own": {
        "rbac": {"create": False},
        "serviceAccount": {"create": False, "name": "given"},
        "controller": {
            "service": {"enabled": False},
            "admissionWebhooks": {"enabled": False},
            "ingressClassResource": {"enabled": False},
        },
    },
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_are_what_kubernetes_takes(name: str, tmp_path: Path) -> None:
    check_strictly(render("--values", values_file(tmp_path, ODD[name])))


def test_numbers_stay_as_they_were_written(tmp_path: Path) -> None:
    objects = render("--values", values_file(tmp_path, ODD["everything"] | {"controller": {"config": {"a": 1000000}}}))
    assert objects["ConfigMap", "sevengate-controller"]["data"] == {"a": "1000000"}


def test_every_value_is_known_to_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert list(differences(values, schema)) == []


def differences(values: Mapping[str, Any], schema: Plain, path: str = "") -> Any:
    """Give the paths that only one of both has; what a quantity is asked of is Kubernetes' to say."""
    known = set(schema["properties"])
    if known != {"requests", "limits", "claims"}:
        yield from sorted(f"{path}.{name}" for name in known ^ set(values))
    for name in known & set(values):
        if "properties" in schema["properties"][name]:
            yield from differences(values[name], schema["properties"][name], f"{path}.{name}")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("controller.replicaCnt=3", "'replicaCnt' not allowed"),
        ("controller.kind=StatefulSet", "/controller/kind"),
        ("controller.containerPort.http=0", "/controller/containerPort/http"),
        ("controller.service.type=ExternalName", "/controller/service/type"),
        ("controller.hostNetwork=maybe", "/controller/hostNetwork"),
        ("controler.kind=Deployment", "'controler' not allowed"),
        ("controller.image.digest=abc", "/controller/image/digest"),
        ("defaultBackend.image.nme=a", "'nme' not allowed"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(value: str, complaint: str) -> None:
    assert complaint in refusal("--set", value)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (["tcp.53=dns/server:53"], "TCP and UDP services are not carried out yet"),
        (["udp.53=dns/server:53"], "TCP and UDP services are not carried out yet"),
        (["controller.hostNetwork=true", "controller.hostPort.enabled=true"], "choose one of them"),
        (["controller.kind=DaemonSet", "controller.autoscaling.enabled=true"], "cannot be scaled"),
        (["controller.autoscaling.enabled=true", "controller.keda.enabled=true"], "choose one of them"),
        (["controller.kind=DaemonSet", "controller.maxUnavailable=1"], "use controller.minAvailable"),
        (["controller.kind=DaemonSet", "controller.minAvailable=50%"], "give a number of pods"),
        (["controller.shutdownGracePeriod=300"], "shorter than controller.terminationGracePeriodSeconds"),
        (["controller.allowSnippetAnnotations=true"], "snippets are never carried out"),
        (["rbac.scope=true"], "set controller.scope.enabled"),
        (["rbac.scope=true", "controller.scope.enabled=true"], "controller.admissionWebhooks.existingSecret"),
        (["defaultBackend.enabled=true"], "defaultBackend.image.image: name the image"),
        (["controller.extraArgs.http-port=8080"], "extraArgs.http-port: set controller.containerPort.http"),
        (["controller.containerPort.status=80"], "each of the ports must be another one"),
        (
            ["controller.service.type=NodePort", "controller.service.loadBalancerSourceRanges={192.0.2.0/24}"],
            "controller.service.loadBalancerSourceRanges: only for a Service of type LoadBalancer, and not NodePort",
        ),
        (
            ["controller.service.type=NodePort", "controller.service.allocateLoadBalancerNodePorts=false"],
            "controller.service.allocateLoadBalancerNodePorts: only for a Service of type LoadBalancer",
        ),
        (
            ["controller.service.type=ClusterIP", "controller.service.externalTrafficPolicy=Local"],
            "controller.service.externalTrafficPolicy: nothing comes from outside",
        ),
        (
            [
                "controller.service.internal.enabled=true",
                "controller.service.internal.externalTrafficPolicy=Cluster",
                "controller.service.internal.healthCheckNodePort=30000",
            ],
            "controller.service.internal.healthCheckNodePort: only with externalTrafficPolicy Local",
        ),
        (
            ["controller.service.enableHttp=false", "controller.service.enableHttps=false"],
            "controller.service.enableHttp, controller.service.enableHttps: a Service needs one of them",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(values: list[str], complaint: str) -> None:
    assert complaint in refusal("--set", ",".join(values))


#: As people have it for ingress-nginx, put together from their questions.
VALUES_OF_INGRESS_NGINX: Plain = {
    "controller": {
        "replicaCount": 3,
        "allowSnippetAnnotations": False,
        "ingressClassResource": {"name": "nginx", "enabled": True, "default": True},
        "config": {"use-forwarded-headers": "true", "proxy-body-size": "50m", "ssl-protocols": "TLSv1.2 TLSv1.3"},
        "extraArgs": {"default-ssl-certificate": "certs/star", "enable-ssl-passthrough": ""},
        "service": {
            "annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"},
            "externalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
        },
        "resources": {"requests": {"cpu": "100m", "memory": "90Mi"}, "limits": {"memory": "1Gi"}},
        "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 10, "targetCPUUtilizationPercentage": 80},
        "metrics": {
            "enabled": True,
            "serviceMonitor": {"enabled": True, "additionalLabels": {"release": "prometheus"}},
        },
        "admissionWebhooks": {"enabled": True, "failurePolicy": "Ignore", "timeoutSeconds": 15},
        "tolerations": [{"key": "edge", "operator": "Exists", "effect": "NoSchedule"}],
        "podAnnotations": {"linkerd.io/inject": "enabled"},
        "terminationGracePeriodSeconds": 600,
    },
    "defaultBackend": {"enabled": False},
    "rbac": {"create": True},
}


def test_a_values_file_for_ingress_nginx_can_stay_as_it_is(tmp_path: Path) -> None:
    objects = render("--values", values_file(tmp_path, VALUES_OF_INGRESS_NGINX))
    check_strictly(objects)
    assert {"--default-ssl-certificate=certs/star", "--enable-ssl-passthrough"} <= set(flags(objects))


def test_only_the_controller_has_the_token() -> None:
    objects = render()
    assert pod_of(objects)["automountServiceAccountToken"] is False
    mounts = {
        name: {mount["name"] for mount in container(objects, name)["volumeMounts"]}
        for name in ("controller", "dataplane")
    }
    assert "token" in mounts["controller"]
    assert mounts["dataplane"] == {"sockets", "temporary", "dataplane-tmp"}
    kinds = {volume["name"]: set(volume) - {"name"} for volume in pod_of(objects)["volumes"]}
    assert all(kinds[name] == {"emptyDir"} for name in mounts["dataplane"])
    assert "env" not in container(objects, "dataplane")


@pytest.mark.parametrize("name", ["controller", "dataplane"])
def test_containers_may_do_as_little_as_the_restricted_standard_asks(name: str) -> None:
    objects = render()
    pod, own = pod_of(objects)["securityContext"], container(objects, name)["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"]) == (True, 101)
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    kept = {"add": ["NET_BIND_SERVICE"]} if name == "dataplane" else {}
    assert own["capabilities"] == {"drop": ["ALL"], **kept}


def test_the_default_backend_is_a_restricted_pod_too() -> None:
    objects = render("--set", "defaultBackend.enabled=true,defaultBackend.image.image=pages")
    spec = objects["Deployment", "sevengate-defaultbackend"]["spec"]["template"]["spec"]
    assert list(complaints(spec)) == []
    privileged = {**spec, "containers": [{**spec["containers"][0], "securityContext": {"privileged": True}}]}
    assert list(complaints(privileged)) == [
        "container default-backend: it is privileged",
        "container default-backend: it may escalate privileges",
        "container default-backend: not all capabilities are dropped",
    ]


def test_in_a_network_of_its_own_a_pod_opens_low_ports_by_a_safe_sysctl() -> None:
    sysctls = pod_of(render())["securityContext"]["sysctls"]
    assert sysctls == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert "sysctls" not in pod_of(render("--set", "controller.hostNetwork=true"))["securityContext"]


def test_on_the_hosts_network_names_of_the_cluster_are_still_found() -> None:
    assert pod_of(render())["dnsPolicy"] == "ClusterFirst"
    assert pod_of(render("--set", "controller.hostNetwork=true"))["dnsPolicy"] == "ClusterFirstWithHostNet"


def test_addresses_in_statuses_are_the_services_or_the_nodes() -> None:
    service = "--publish-service=$(POD_NAMESPACE)/sevengate-controller"
    assert service in flags(render())
    by_nodes = render("--set", "controller.service.type=NodePort")
    assert not [flag for flag in flags(by_nodes) if flag.startswith("--publish-service")]
    assert service in flags(render("--set", "controller.service.type=NodePort,controller.publishService.enabled=true"))
    given = render("--set", "controller.extraArgs.publish-status-address=192.0.2.1")
    assert not [flag for flag in flags(given) if flag.startswith("--publish-service")]


def test_nodes_are_read_only_where_statuses_name_them() -> None:
    def resources(objects: Objects) -> set[str]:
        return {name for rule in only(objects, "ClusterRole")["rules"] for name in rule["resources"]}

    assert "nodes" not in resources(render())
    assert "nodes" in resources(render("--set", "controller.service.type=NodePort"))


def test_with_one_namespace_to_watch_nothing_of_others_may_be_read() -> None:
    objects = render("--set", "controller.scope.enabled=true,controller.scope.namespace=shop")
    assert "--watch-namespace=shop" in flags(objects)
    wide = {name for rule in only(objects, "ClusterRole")["rules"] for name in rule["resources"]}
    assert wide == {"ingressclasses", "validatingwebhookconfigurations"}
    assert objects["Role", "sevengate-watched"]["metadata"]["namespace"] == "shop"


def test_no_rule_gives_everything() -> None:
    for (kind, _), one in render("--set", "controller.service.type=NodePort").items():
        if kind in {"Role", "ClusterRole"}:
            assert not any("*" in text for rule in one["rules"] for texts in rule.values() for text in texts)


def test_a_daemon_set_gets_a_budget_that_kubernetes_can_keep() -> None:
    spec = only(render("--set", "controller.kind=DaemonSet"), "PodDisruptionBudget")["spec"]
    assert spec["minAvailable"] == 1
    assert "maxUnavailable" not in spec


def test_a_single_pod_gets_no_budget_that_would_block_every_drain() -> None:
    assert not [kind for kind, _ in render("--set", "controller.replicaCount=1") if kind == "PodDisruptionBudget"]


@pytest.mark.parametrize("counts", [True, False])
def test_a_network_policy_lets_in_what_pods_serve_and_their_ports_have_these_names(*, counts: bool) -> None:
    objects = render("--set", f"controller.networkPolicy.enabled=true,controller.metrics.enabled={str(counts).lower()}")
    spec = only(objects, "NetworkPolicy")["spec"]
    let_in = {port["port"] for rule in spec["ingress"] for port in rule["ports"]}
    assert let_in == {"http", "https", "webhook", *(("metrics",) if counts else ())}
    ports = {port["name"] for one in ("controller", "dataplane") for port in container(objects, one)["ports"]}
    assert let_in <= ports
    assert spec["podSelector"]["matchLabels"].items() <= pod_labels(objects).items()


def test_pods_of_a_deployment_are_spread_and_those_of_a_daemon_set_are_by_themselves() -> None:
    keys = [one["topologyKey"] for one in pod_of(render())["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert "topologySpreadConstraints" not in pod_of(render("--set", "controller.kind=DaemonSet"))


@pytest.mark.parametrize("at_ports_of_nodes", ["controller.hostNetwork=true", "controller.hostPort.enabled=true"])
def test_a_deployment_that_has_all_its_nodes_ports_can_be_updated(at_ports_of_nodes: str) -> None:
    spec = only(render("--set", at_ports_of_nodes), "Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert "strategy" not in only(render(), "Deployment")["spec"]
    chosen = only(render("--set", f"{at_ports_of_nodes},controller.updateStrategy.type=Recreate"), "Deployment")["spec"]
    assert chosen["strategy"] == {"type": "Recreate"}


def test_pods_of_two_versions_are_peers() -> None:
    assert not [name for name in pod_labels(render()) if "version" in name or "chart" in name]
