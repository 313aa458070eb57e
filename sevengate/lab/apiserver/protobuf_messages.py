"""The protobuf messages that kubectl and helm send: field numbers, names and types, and nothing else.

A row is `number name type`; `[]` behind the type makes a list, `{}` a map, `?` says that zero means zero (in Go: a
pointer), and a name of `-` that the message's fields stand in its parent. `protobuf` reads bytes by this table.
Source: the generated.proto files of Kubernetes' API, whose numbers never change.
"""

from typing import Final

import msgspec


class Field(msgspec.Struct, frozen=True):
    """One field of a message."""

    name: str
    type: str
    shape: str = ""
    optional: bool = False


def _fields(rows: str) -> dict[int, Field]:
    return dict(_field(row) for row in rows.split(",") if row.strip())


def _field(row: str) -> tuple[int, Field]:
    number, name, kind = row.split()
    shape = {"[]": "list", "{}": "map"}.get(kind[-2:], "inline" if name == "-" else "")
    bare = kind.removesuffix("?").removesuffix("[]")
    entry = {"string{}": "StringEntry", "bytes{}": "BytesEntry", "Quantity{}": "QuantityEntry"}.get(bare, bare)
    return int(number), Field(name, entry, shape, kind.endswith("?"))


_OBJECT: Final = "1 metadata ObjectMeta, 2 spec {spec}, 3 status Empty"

MESSAGES: Final[dict[str, dict[int, Field]]] = {
    name: _fields(rows)
    for name, rows in {
        "Unknown": "1 typeMeta TypeMeta, 2 raw bytes, 3 contentEncoding string, 4 contentType string",
        "TypeMeta": "1 apiVersion string, 2 kind string",
        "Empty": "1 loadBalancer Empty, 2 user Empty, 3 token string",
        "Time": "1 seconds int, 2 nanos int",
        "IntOrString": "1 type int, 2 intVal int, 3 strVal string",
        "Quantity": "1 string string",
        "StringEntry": "1 key string, 2 value string",
        "BytesEntry": "1 key string, 2 value bytes",
        "QuantityEntry": "1 key string, 2 value Quantity",
        "ObjectMeta": "1 name string, 2 generateName string, 3 namespace string, 4 selfLink string, 5 uid string, "
        "6 resourceVersion string, 7 generation int, 8 creationTimestamp Time, 11 labels string{}, "
        "12 annotations string{}, 14 finalizers string[]",
        "DeleteOptions": "1 gracePeriodSeconds int?, 2 preconditions Preconditions, 3 orphanDependents bool?, "
        "4 propagationPolicy string, 5 dryRun string[]",
        "Preconditions": "1 uid string, 2 resourceVersion string",
        "Secret": "1 metadata ObjectMeta, 2 data bytes{}, 3 type string, 4 stringData string{}, 5 immutable bool",
        "ConfigMap": "1 metadata ObjectMeta, 2 data string{}, 3 binaryData bytes{}, 4 immutable bool",
        "Namespace": _OBJECT.format(spec="NamespaceSpec"),
        "NamespaceSpec": "1 finalizers string[]",
        "ServiceAccount": "1 metadata ObjectMeta, 4 automountServiceAccountToken bool?",
        "Service": _OBJECT.format(spec="ServiceSpec"),
        "ServiceSpec": "1 ports ServicePort[], 2 selector string{}, 3 clusterIP string, 4 type string, "
        "5 externalIPs string[], 7 sessionAffinity string, 8 loadBalancerIP string, 10 externalName string, "
        "11 externalTrafficPolicy string, 12 healthCheckNodePort int, 13 publishNotReadyAddresses bool, "
        "18 clusterIPs string[]",
        "ServicePort": "1 name string, 2 protocol string, 3 port int, 4 targetPort IntOrString, 5 nodePort int, "
        "6 appProtocol string",
        "Deployment": _OBJECT.format(spec="DeploymentSpec").replace("Empty", "DeploymentStatus"),
        "DeploymentSpec": "1 replicas int?, 2 selector LabelSelector, 3 template PodTemplateSpec, "
        "4 strategy DeploymentStrategy, 5 minReadySeconds int, 6 revisionHistoryLimit int?, 7 paused bool, "
        "9 progressDeadlineSeconds int?",
        "DeploymentStatus": "1 observedGeneration int, 2 replicas int, 3 updatedReplicas int, "
        "4 availableReplicas int, 5 unavailableReplicas int, 7 readyReplicas int",
        "DeploymentStrategy": "1 type string",
        "LabelSelector": "1 matchLabels string{}, 2 matchExpressions Requirement[]",
        "Requirement": "1 key string, 2 operator string, 3 values string[]",
        "PodTemplateSpec": "1 metadata ObjectMeta, 2 spec PodSpec",
        "PodSpec": "2 containers Container[], 3 restartPolicy string, 4 terminationGracePeriodSeconds int?, "
        "6 dnsPolicy string, 7 nodeSelector string{}, 8 serviceAccountName string, 9 serviceAccount string, "
        "10 nodeName string, 11 hostNetwork bool, 12 hostPID bool, 13 hostIPC bool, 16 hostname string, "
        "17 subdomain string, 19 schedulerName string, 24 priorityClassName string",
        "Container": "1 name string, 2 image string, 3 command string[], 4 args string[], 5 workingDir string, "
        "6 ports ContainerPort[], 8 resources ResourceRequirements, 13 terminationMessagePath string, "
        "14 imagePullPolicy string, 16 stdin bool, 17 stdinOnce bool, 18 tty bool, "
        "20 terminationMessagePolicy string",
        "ContainerPort": "1 name string, 2 hostPort int, 3 containerPort int, 4 protocol string, 5 hostIP string",
        "ResourceRequirements": "1 limits Quantity{}, 2 requests Quantity{}",
        "Job": _OBJECT.format(spec="JobSpec").replace("Empty", "JobStatus"),
        "JobSpec": "1 parallelism int?, 2 completions int?, 6 template PodTemplateSpec, 7 backoffLimit int?",
        "JobStatus": "4 active int, 5 succeeded int, 6 failed int, 7 completedIndexes string",
        "CronJob": _OBJECT.format(spec="CronJobSpec"),
        "CronJobSpec": "1 schedule string, 3 concurrencyPolicy string, 4 suspend bool?, 5 jobTemplate JobTemplateSpec, "
        "8 timeZone string",
        "JobTemplateSpec": "1 metadata ObjectMeta, 2 spec JobSpec",
        "DisruptionBudget": _OBJECT.format(spec="DisruptionBudgetSpec").replace("Empty", "DisruptionBudgetStatus"),
        "DisruptionBudgetSpec": "1 minAvailable IntOrString?, 2 selector LabelSelector, 3 maxUnavailable IntOrString?",
        "DisruptionBudgetStatus": "1 observedGeneration int, 3 disruptionsAllowed int, 4 currentHealthy int, "
        "5 desiredHealthy int, 6 expectedPods int",
        "ResourceQuota": _OBJECT.format(spec="ResourceQuotaSpec"),
        "ResourceQuotaSpec": "1 hard Quantity{}, 2 scopes string[]",
        "PriorityClass": "1 metadata ObjectMeta, 2 value int?, 3 globalDefault bool, 4 description string, "
        "5 preemptionPolicy string",
        "Autoscaler": _OBJECT.format(spec="AutoscalerSpec").replace("Empty", "AutoscalerStatus"),
        "AutoscalerSpec": "1 scaleTargetRef ScaleTarget, 2 minReplicas int?, 3 maxReplicas int, 4 metrics Metric[]",
        "AutoscalerStatus": "1 observedGeneration int, 3 currentReplicas int, 4 desiredReplicas int",
        "ScaleTarget": "1 kind string, 2 name string, 3 apiVersion string",
        "Metric": "1 type string, 4 resource ResourceMetric",
        "ResourceMetric": "1 name string, 2 target MetricTarget",
        "MetricTarget": "1 type string, 2 value Quantity, 3 averageValue Quantity, 4 averageUtilization int?",
        "Ingress": _OBJECT.format(spec="IngressSpec"),
        "IngressSpec": "1 defaultBackend IngressBackend, 2 tls IngressTLS[], 3 rules IngressRule[], "
        "4 ingressClassName string",
        "IngressTLS": "1 hosts string[], 2 secretName string",
        "IngressRule": "1 host string, 2 - IngressRuleValue",
        "IngressRuleValue": "1 http HTTPIngressRuleValue",
        "HTTPIngressRuleValue": "1 paths HTTPIngressPath[]",
        "HTTPIngressPath": "1 path string, 2 backend IngressBackend, 3 pathType string",
        "IngressBackend": "4 service IngressServiceBackend",
        "IngressServiceBackend": "1 name string, 2 port ServiceBackendPort",
        "ServiceBackendPort": "1 name string, 2 number int",
        "Role": "1 metadata ObjectMeta, 2 rules PolicyRule[]",
        "PolicyRule": "1 verbs string[], 2 apiGroups string[], 3 resources string[], 4 resourceNames string[], "
        "5 nonResourceURLs string[]",
        "RoleBinding": "1 metadata ObjectMeta, 2 subjects Subject[], 3 roleRef RoleRef",
        "Subject": "1 kind string, 2 apiGroup string, 3 name string, 4 namespace string",
        "RoleRef": "1 apiGroup string, 2 kind string, 3 name string",
        "AccessReview": _OBJECT.format(spec="AccessReviewSpec").replace("Empty", "AccessReviewStatus"),
        "AccessReviewSpec": "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes",
        "AccessReviewStatus": "1 allowed bool, 2 reason string, 3 evaluationError string, 4 denied bool",
        "ResourceAttributes": "1 namespace string, 2 verb string, 3 group string, 4 version string, "
        "5 resource string, 6 subresource string, 7 name string",
        "NonResourceAttributes": "1 path string, 2 verb string",
        "RulesReview": _OBJECT.format(spec="RulesReviewSpec").replace("Empty", "RulesReviewStatus"),
        "RulesReviewSpec": "1 namespace string",
        "RulesReviewStatus": "3 incomplete bool, 4 evaluationError string",
        "SubjectReview": "1 metadata ObjectMeta, 2 status SubjectReviewStatus",
        "SubjectReviewStatus": "1 userInfo UserInfo",
        "UserInfo": "1 username string, 2 uid string",
        "TokenRequest": _OBJECT.format(spec="TokenRequestSpec").replace("Empty", "TokenRequestStatus"),
        "TokenRequestSpec": "1 audiences string[], 4 expirationSeconds int?",
        "TokenRequestStatus": "1 token string, 2 expirationTimestamp Time",
    }.items()
}

_RBAC: Final = "rbac.authorization.k8s.io/v1"
_REVIEW: Final = "authorization.k8s.io/v1"

#: The message of each kind that is read.
KINDS: Final[dict[tuple[str, str], str]] = {
    ("v1", "ConfigMap"): "ConfigMap",
    ("v1", "DeleteOptions"): "DeleteOptions",
    ("v1", "Namespace"): "Namespace",
    ("v1", "Secret"): "Secret",
    ("v1", "Service"): "Service",
    ("v1", "ServiceAccount"): "ServiceAccount",
    ("apps/v1", "Deployment"): "Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "Autoscaler",
    ("batch/v1", "CronJob"): "CronJob",
    ("batch/v1", "Job"): "Job",
    ("networking.k8s.io/v1", "Ingress"): "Ingress",
    ("policy/v1", "PodDisruptionBudget"): "DisruptionBudget",
    ("scheduling.k8s.io/v1", "PriorityClass"): "PriorityClass",
    ("v1", "ResourceQuota"): "ResourceQuota",
    (_RBAC, "ClusterRole"): "Role",
    (_RBAC, "ClusterRoleBinding"): "RoleBinding",
    (_RBAC, "Role"): "Role",
    (_RBAC, "RoleBinding"): "RoleBinding",
    (_REVIEW, "SelfSubjectAccessReview"): "AccessReview",
    (_REVIEW, "SelfSubjectRulesReview"): "RulesReview",
    ("authentication.k8s.io/v1", "SelfSubjectReview"): "SubjectReview",
    ("authentication.k8s.io/v1", "TokenRequest"): "TokenRequest",
}
