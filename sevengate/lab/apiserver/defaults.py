"""What the API server fills in where a manifest is silent, for the types that people look at with kubectl.

Takes an object that may be changed and completes it in place. Pure. Each type has one function, listed in DEFAULTS;
the values are those of Kubernetes' API reference. What a controller allocates (cluster IPs, node ports, nodes) is not
a default and is left to that controller.
"""

import base64
from collections.abc import Callable
from typing import Any, Final

from sevengate.lab.apiserver.answers import Object


def fill(thing: Object) -> None:
    """Fill in the defaults of an object's type, if it has any."""
    if default := DEFAULTS.get((thing["apiVersion"], thing["kind"])):
        default(thing)


def _set(target: Object, **values: Any) -> None:
    for name, value in values.items():
        target.setdefault(name, value)


def _namespace(namespace: Object) -> None:
    _set(_spec(namespace), finalizers=["kubernetes"])
    labels = namespace["metadata"].setdefault("labels", {})
    _set(labels, **{"kubernetes.io/metadata.name": namespace["metadata"]["name"]})


def _spec(thing: Object) -> Object:
    """Give an object's spec; an empty one is complained about by `rules`, not here."""
    spec: Object = thing.setdefault("spec", {})
    return spec


def _pod(pod: Object) -> None:
    spec = _spec(pod)
    _pod_spec(spec)
    account = spec.setdefault("serviceAccountName", "default")
    _set(spec, serviceAccount=account, enableServiceLinks=True)


def _pod_spec(spec: Object) -> None:
    _set(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        securityContext={},
    )
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        _container(container, on_host=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes", ()):
        _volume(volume)


def _container(container: Object, *, on_host: bool) -> None:
    image = container.get("image", "")
    name = image.rpartition("/")[2]
    is_latest = "@" not in image and (":" not in name or name.endswith(":latest"))
    _set(
        container,
        imagePullPolicy="Always" if is_latest else "IfNotPresent",
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for port in container.get("ports", ()):
        _set(port, protocol="TCP")
        if on_host:
            _set(port, hostPort=port["containerPort"])
    for variable in container.get("env", ()):
        if reference := (variable.get("valueFrom") or {}).get("fieldRef"):
            _set(reference, apiVersion="v1")
    for probe in filter(None, map(container.get, ("livenessProbe", "readinessProbe", "startupProbe"))):
        _probe(probe)


def _probe(probe: Object) -> None:
    _set(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        _set(probe["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Object) -> None:
    sources = volume.keys() - {"name"}
    if not sources:
        volume["emptyDir"] = {}
    for source in sources & {"configMap", "secret", "projected", "downwardAPI"}:
        _set(volume[source], defaultMode=0o644)
    for source in (volume.get("projected") or {}).get("sources", ()):
        if "serviceAccountToken" in source:
            _set(source["serviceAccountToken"], expirationSeconds=3600)
    for item in (volume.get("downwardAPI") or {}).get("items", ()):
        if "fieldRef" in item:
            _set(item["fieldRef"], apiVersion="v1")
    if "hostPath" in volume:
        _set(volume["hostPath"], type="")


def _template(spec: Object) -> None:
    _pod_spec(_spec(spec.setdefault("template", {})))


def _deployment(deployment: Object) -> None:
    spec = _spec(deployment)
    _set(spec, replicas=1, strategy={}, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    _set(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        _set(spec["strategy"].setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replica_set(replica_set: Object) -> None:
    spec = _spec(replica_set)
    _set(spec, replicas=1)
    _template(spec)


def _daemon_set(daemon_set: Object) -> None:
    spec = _spec(daemon_set)
    _set(spec, revisionHistoryLimit=10, updateStrategy={})
    _set(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _set(spec["updateStrategy"].setdefault("rollingUpdate", {}), maxUnavailable=1, maxSurge=0)
    _template(spec)


def _stateful_set(stateful_set: Object) -> None:
    spec = _spec(stateful_set)
    _set(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10, updateStrategy={})
    _set(spec["updateStrategy"], type="RollingUpdate")
    _template(spec)


def _job(job: Object) -> None:
    spec = _spec(job)
    _job_spec(spec)
    if not spec.get("manualSelector"):
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        _set(spec, selector={"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
        labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
        _set(labels, **{"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name})


def _job_spec(spec: Object) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    _set(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _template(spec)


def _cron_job(cron_job: Object) -> None:
    spec = _spec(cron_job)
    _set(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    _template(_spec(spec.setdefault("jobTemplate", {})))


def _service(service: Object) -> None:
    spec = _spec(service)
    _set(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports", ()):
        _set(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] == "ExternalName":
        return
    _set(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _set(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _set(spec, allocateLoadBalancerNodePorts=True)
    if spec["sessionAffinity"] == "ClientIP":
        _set(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})


def _endpoint_slice(endpoint_slice: Object) -> None:
    for port in endpoint_slice.get("ports") or ():
        _set(port, name="", protocol="TCP")


def _endpoints(endpoints: Object) -> None:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            _set(port, protocol="TCP")


def _secret(secret: Object) -> None:
    _set(secret, type="Opaque")
    for name, text in secret.pop("stringData", {}).items():
        secret.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _binding(binding: Object) -> None:
    _set(binding["roleRef"], apiGroup="rbac.authorization.k8s.io")
    for subject in binding.get("subjects") or ():
        if subject["kind"] in {"User", "Group"}:
            _set(subject, apiGroup="rbac.authorization.k8s.io")


def _webhooks(configuration: Object) -> None:
    for webhook in configuration.get("webhooks") or ():
        _set(
            webhook,
            failurePolicy="Fail",
            matchPolicy="Equivalent",
            namespaceSelector={},
            objectSelector={},
            timeoutSeconds=10,
        )
        for rule in webhook.get("rules") or ():
            _set(rule, scope="*")
        if service := webhook["clientConfig"].get("service"):
            _set(service, port=443)


def _custom_resource_definition(definition: Object) -> None:
    names = definition["spec"]["names"]
    _set(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    _set(definition["spec"], conversion={"strategy": "None"})


def _network_policy(policy: Object) -> None:
    spec = _spec(policy)
    _set(spec, policyTypes=["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _claim(claim: Object) -> None:
    _set(_spec(claim), volumeMode="Filesystem")


def first_status(thing: Object) -> Object:
    """Give the status with which an object of a type begins; empty for most types."""
    match thing["kind"]:
        case "Namespace":
            return {"phase": "Active"}
        case "Pod":
            return {"phase": "Pending", "qosClass": _qos_class(thing["spec"])}
        case "PersistentVolumeClaim":
            return {"phase": "Pending"}
        case "Service":
            return {"loadBalancer": {}}
        case "Ingress":
            return {"loadBalancer": {}}
        case _:
            return {}


def _qos_class(spec: Object) -> str:
    """Say how well a pod's resources are guaranteed (Kubernetes, "Pod Quality of Service Classes")."""
    resources = [container.get("resources") or {} for container in spec.get("containers", ())]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= (one.get("limits") or {}).keys() and one.get("requests", one["limits"]) == one["limits"]
        for one in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


DEFAULTS: Final[dict[tuple[str, str], Callable[[Object], None]]] = {
    ("v1", "Endpoints"): _endpoints,
    ("v1", "Namespace"): _namespace,
    ("v1", "PersistentVolumeClaim"): _claim,
    ("v1", "Pod"): _pod,
    ("v1", "Secret"): _secret,
    ("v1", "Service"): _service,
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"): _webhooks,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): _custom_resource_definition,
    ("apps/v1", "DaemonSet"): _daemon_set,
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "ReplicaSet"): _replica_set,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("batch/v1", "CronJob"): _cron_job,
    ("batch/v1", "Job"): _job,
    ("discovery.k8s.io/v1", "EndpointSlice"): _endpoint_slice,
    ("networking.k8s.io/v1", "NetworkPolicy"): _network_policy,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _binding,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _binding,
}
