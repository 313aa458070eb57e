"""The columns in which kubectl users know the common types: `READY 2/2`, `PORT(S) 80:30080/TCP`.

Takes one object and the time; gives the cells of its row. Pure. Each type has one row of COLUMNS; columns with `+` are
shown by `-o wide` only. How a Table is put together, and the columns of custom resources, are in `tables`.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.durations import age, short
from sevengate.lab.apiserver.events import to_core
from sevengate.lab.apiserver.pod_columns import pod_cells

NONE: Final = "<none>"
_NO: Final[Object] = {}
#: Gives the cells behind the name.
Cells = Callable[[Object, datetime], list[Any]]


class Columns(msgspec.Struct, frozen=True):
    """The titles, which of them only `-o wide` shows, what gives their cells, and whether NAME stands in front."""

    titles: tuple[str, ...]
    wide: frozenset[str]
    cells: Cells
    named: bool = True


def _at(thing: Any, path: str, default: Any = None) -> Any:
    for name in path.split("."):
        thing = thing.get(name) if isinstance(thing, dict) else None
    return default if thing is None else thing


def _age(thing: Object, now: datetime) -> str:
    return age(_at(thing, "metadata.creationTimestamp"), now)


def _listed(values: Iterable[Any], most: int = 0) -> str:
    texts = [str(value) for value in values if value]
    if most and len(texts) > most:
        return f"{','.join(texts[:most])} + {len(texts) - most} more..."
    return ",".join(texts) or NONE


def _labels(labels: Object | None) -> str:
    return _listed(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def selector_text(selector: Object | None) -> str:
    """Write a LabelSelector in one line."""
    selector = selector or {}
    words = {"In": "in", "NotIn": "notin"}
    rules = [
        f"{rule['key']} {words[rule['operator']]} ({','.join(rule.get('values') or ())})"
        if rule["operator"] in words
        else ("!" if rule["operator"] == "DoesNotExist" else "") + rule["key"]
        for rule in selector.get("matchExpressions") or ()
    ]
    exact = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return _listed([*exact, *rules])


def _containers(owner: Object) -> list[str]:
    containers = _at(owner, "spec.template.spec.containers", [])
    return [_listed(one["name"] for one in containers), _listed(one.get("image") for one in containers)]


def _deployment(one: Object, now: datetime) -> list[Any]:
    ready, wanted = _at(one, "status.readyReplicas", 0), _at(one, "spec.replicas", 0)
    counts = [f"{ready}/{wanted}", _at(one, "status.updatedReplicas", 0), _at(one, "status.availableReplicas", 0)]
    return [*counts, _age(one, now), *_containers(one), selector_text(_at(one, "spec.selector"))]


def _replica_set(one: Object, now: datetime) -> list[Any]:
    counts = [_at(one, "spec.replicas", 0), _at(one, "status.replicas", 0), _at(one, "status.readyReplicas", 0)]
    return [*counts, _age(one, now), *_containers(one), selector_text(_at(one, "spec.selector"))]


def _daemon_set(one: Object, now: datetime) -> list[Any]:
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    counts = [_at(one, f"status.{name}", 0) for name in names]
    nodes = _labels(_at(one, "spec.template.spec.nodeSelector"))
    return [*counts, nodes, _age(one, now), *_containers(one), selector_text(_at(one, "spec.selector"))]


def _stateful_set(one: Object, now: datetime) -> list[Any]:
    ready = f"{_at(one, 'status.readyReplicas', 0)}/{_at(one, 'spec.replicas', 0)}"
    return [ready, _age(one, now), *_containers(one)]


def _job(job: Object, now: datetime) -> list[Any]:
    conditions = [one["type"] for one in _at(job, "status.conditions", []) if one.get("status") == "True"]
    state = next((word for word in conditions if word in {"Complete", "Failed", "Suspended"}), "Running")
    completions = f"{_at(job, 'status.succeeded', 0)}/{_at(job, 'spec.completions', 1)}"
    start, end = _at(job, "status.startTime"), _at(job, "status.completionTime")
    took = short((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()) if start and end else ""
    return [
        state,
        completions,
        took or (age(start, now) if start else ""),
        _age(job, now),
        *_containers(job),
        selector_text(_at(job, "spec.selector")),
    ]


def _cron_job(one: Object, now: datetime) -> list[Any]:
    spec = one["spec"]
    last = _at(one, "status.lastScheduleTime")
    active = len(_at(one, "status.active", []))
    return [
        spec["schedule"],
        spec.get("timeZone", NONE),
        str(bool(spec.get("suspend"))),
        active,
        age(last, now) if last else NONE,
        _age(one, now),
    ]


def _service(service: Object, now: datetime) -> list[Any]:
    spec = service["spec"]
    ports = [
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    ]
    cluster = spec.get("clusterIP") or NONE
    return [
        spec.get("type"),
        cluster,
        _external(service, spec),
        _listed(ports),
        _age(service, now),
        _labels(spec.get("selector")),
    ]


def _external(service: Object, spec: Object) -> str:
    fixed = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") != "LoadBalancer":
        return _listed(fixed)
    given = _balancers(service)
    return ",".join([*given, *fixed]) or "<pending>"


def _balancers(thing: Object) -> list[str]:
    return [str(one.get("ip") or one.get("hostname")) for one in _at(thing, "status.loadBalancer.ingress", [])]


def _ingress(ingress: Object, now: datetime) -> list[Any]:
    spec = ingress.get("spec") or {}
    hosts = [rule.get("host") or "*" for rule in spec.get("rules") or ()]
    annotated = _at(ingress, "metadata.annotations", _NO).get("kubernetes.io/ingress.class")
    ports = "80, 443" if spec.get("tls") else "80"
    known = _listed(hosts, 3) if hosts else "*"
    return [
        spec.get("ingressClassName") or annotated or NONE,
        known,
        ",".join(_balancers(ingress)),
        ports,
        _age(ingress, now),
    ]


def _ingress_class(one: Object, now: datetime) -> list[Any]:
    parameters = _at(one, "spec.parameters", _NO)
    shown = ".".join(filter(None, (parameters.get("kind"), parameters.get("apiGroup"))))
    return [_at(one, "spec.controller", ""), f"{shown}/{parameters['name']}" if shown else NONE, _age(one, now)]


def _config_map(one: Object, now: datetime) -> list[Any]:
    return [len(one.get("data") or {}) + len(one.get("binaryData") or {}), _age(one, now)]


def _secret(one: Object, now: datetime) -> list[Any]:
    return [one.get("type", ""), len(one.get("data") or {}), _age(one, now)]


def _node(node: Object, now: datetime) -> list[Any]:
    ready = next((one["status"] for one in _at(node, "status.conditions", []) if one["type"] == "Ready"), "Unknown")
    state = "Ready" if ready == "True" else "NotReady"
    state += ",SchedulingDisabled" if _at(node, "spec.unschedulable") else ""
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in _at(node, "metadata.labels", _NO) if key.startswith(prefix))
    addresses = {one["type"]: one["address"] for one in _at(node, "status.addresses", [])}
    about = _at(node, "status.nodeInfo", _NO)
    return [
        state,
        _listed(roles),
        _age(node, now),
        about.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        *(about.get(name, "<unknown>") for name in ("osImage", "kernelVersion", "containerRuntimeVersion")),
    ]


def _endpoints(one: Object, now: datetime) -> list[Any]:
    pairs = [
        f"{address['ip']}:{port['port']}"
        for subset in one.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return [_listed(pairs, 3), _age(one, now)]


def _endpoint_slice(one: Object, now: datetime) -> list[Any]:
    ports = [port.get("port", "*") for port in one.get("ports") or ()]
    addresses = [address for endpoint in one.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [
        one.get("addressType", ""),
        _listed(ports, 3) if ports else "<unset>",
        _listed(addresses, 3) if addresses else "<unset>",
        _age(one, now),
    ]


def _event(shown: Object, now: datetime) -> list[Any]:
    event = to_core(shown)
    about = event.get("involvedObject") or {}
    last = event.get("lastTimestamp") or event.get("eventTime")
    component = _at(event, "source.component") or event.get("reportingComponent", "")
    first = event.get("firstTimestamp") or event.get("eventTime")
    return [
        age(last, now),
        event.get("type", ""),
        event.get("reason", ""),
        f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        component,
        str(event.get("message", "")).strip(),
        age(first, now),
        event.get("count", 1),
        event["metadata"]["name"],
    ]


def _lease(one: Object, now: datetime) -> list[Any]:
    return [_at(one, "spec.holderIdentity", ""), _age(one, now)]


def _created(one: Object, _now: datetime) -> list[Any]:
    return [_at(one, "metadata.creationTimestamp", "")]


def _role_binding(one: Object, now: datetime) -> list[Any]:
    def named(kind: str) -> str:
        return ", ".join(
            f"{subject['namespace']}/{subject['name']}" if subject.get("namespace") else subject["name"]
            for subject in one.get("subjects") or ()
            if subject["kind"] == kind
        )

    role = f"{one['roleRef']['kind']}/{one['roleRef']['name']}"
    return [role, _age(one, now), named("User"), named("Group"), named("ServiceAccount")]


def _webhooks(one: Object, now: datetime) -> list[Any]:
    return [len(one.get("webhooks") or ()), _age(one, now)]


def _namespace(one: Object, now: datetime) -> list[Any]:
    return [_at(one, "status.phase", ""), _age(one, now)]


def _service_account(one: Object, now: datetime) -> list[Any]:
    return [len(one.get("secrets") or ()), _age(one, now)]


def _network_policy(one: Object, now: datetime) -> list[Any]:
    return [selector_text(_at(one, "spec.podSelector")), _age(one, now)]


def _claim(one: Object, now: datetime) -> list[Any]:
    capacity, modes = _at(one, "status.capacity.storage", ""), ",".join(_at(one, "status.accessModes", []))
    storage_class = _at(one, "spec.storageClassName", "")
    return [
        _at(one, "status.phase", ""),
        _at(one, "spec.volumeName", ""),
        capacity,
        modes,
        storage_class,
        _age(one, now),
    ]


def _budget(one: Object, now: datetime) -> list[Any]:
    limits = [str(_at(one, f"spec.{name}", "N/A")) for name in ("minAvailable", "maxUnavailable")]
    return [*limits, _at(one, "status.disruptionsAllowed", 0), _age(one, now)]


def _autoscaler(one: Object, now: datetime) -> list[Any]:
    target = _at(one, "spec.scaleTargetRef", _NO)
    reference = f"{target.get('kind', '')}/{target.get('name', '')}"
    least, most = _at(one, "spec.minReplicas", 1), _at(one, "spec.maxReplicas", 0)
    # Nobody measures pods here.
    targets = _listed("<unknown>" for _ in _at(one, "spec.metrics", []))
    return [reference, targets, str(least), most, _at(one, "status.currentReplicas", 0), _age(one, now)]


def _storage_class(one: Object, now: datetime) -> list[Any]:
    names = {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", "allowVolumeExpansion": False}
    return [one.get("provisioner", ""), *(one.get(name, usual) for name, usual in names.items()), _age(one, now)]


def _priority_class(one: Object, now: datetime) -> list[Any]:
    return [one.get("value", 0), bool(one.get("globalDefault")), _age(one, now)]


def _revision(one: Object, now: datetime) -> list[Any]:
    owners = _at(one, "metadata.ownerReferences", [])
    owner = next(
        (f"{each['kind'].lower()}.{each['apiVersion'].partition('/')[0]}/{each['name']}" for each in owners), NONE
    )
    return [owner, one.get("revision", 0), _age(one, now)]


def _columns(titles: str, cells: Cells, *, named: bool = True) -> Columns:
    """Read titles; those with a + in front are for `-o wide`."""
    listed = [title.strip() for title in titles.split(",")]
    names = tuple(title.removeprefix("+") for title in listed)
    return Columns(names, frozenset(title[1:] for title in listed if title.startswith("+")), cells, named)


COLUMNS: Final[dict[str, Columns]] = {
    "ClusterRole": _columns("Created At", _created),
    "ClusterRoleBinding": _columns("Role, Age, +Users, +Groups, +ServiceAccounts", _role_binding),
    "ConfigMap": _columns("Data, Age", _config_map),
    "ControllerRevision": _columns("Controller, Revision, Age", _revision),
    "CronJob": _columns("Schedule, Timezone, Suspend, Active, Last Schedule, Age", _cron_job),
    "CustomResourceDefinition": _columns("Created At", _created),
    "DaemonSet": _columns(
        "Desired, Current, Ready, Up-to-date, Available, Node Selector, Age, +Containers, +Images, +Selector",
        _daemon_set,
    ),
    "Deployment": _columns("Ready, Up-to-date, Available, Age, +Containers, +Images, +Selector", _deployment),
    "EndpointSlice": _columns("AddressType, Ports, Endpoints, Age", _endpoint_slice),
    "Endpoints": _columns("Endpoints, Age", _endpoints),
    "Event": _columns(
        "Last Seen, Type, Reason, Object, +Subobject, +Source, Message, +First Seen, +Count, +Name", _event, named=False
    ),
    "HorizontalPodAutoscaler": _columns("Reference, Targets, MinPods, MaxPods, Replicas, Age", _autoscaler),
    "Ingress": _columns("Class, Hosts, Address, Ports, Age", _ingress),
    "IngressClass": _columns("Controller, Parameters, Age", _ingress_class),
    "Job": _columns("Status, Completions, Duration, Age, +Containers, +Images, +Selector", _job),
    "LimitRange": _columns("Created At", _created),
    "Lease": _columns("Holder, Age", _lease),
    "Namespace": _columns("Status, Age", _namespace),
    "NetworkPolicy": _columns("Pod-Selector, Age", _network_policy),
    "Node": _columns(
        "Status, Roles, Age, Version, +Internal-IP, +External-IP, +OS-Image, +Kernel-Version, +Container-Runtime", _node
    ),
    "PersistentVolumeClaim": _columns("Status, Volume, Capacity, Access Modes, StorageClass, Age", _claim),
    "PodDisruptionBudget": _columns("Min Available, Max Unavailable, Allowed Disruptions, Age", _budget),
    "PriorityClass": _columns("Value, Global-Default, Age", _priority_class),
    "Pod": _columns("Ready, Status, Restarts, Age, +IP, +Node, +Nominated Node, +Readiness Gates", pod_cells),
    "ReplicaSet": _columns("Desired, Current, Ready, Age, +Containers, +Images, +Selector", _replica_set),
    "Role": _columns("Created At", _created),
    "RoleBinding": _columns("Role, Age, +Users, +Groups, +ServiceAccounts", _role_binding),
    "Secret": _columns("Type, Data, Age", _secret),
    "Service": _columns("Type, Cluster-IP, External-IP, Port(s), Age, +Selector", _service),
    "ServiceAccount": _columns("Secrets, Age", _service_account),
    "StorageClass": _columns(
        "Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age", _storage_class
    ),
    "StatefulSet": _columns("Ready, Age, +Containers, +Images", _stateful_set),
    "ValidatingWebhookConfiguration": _columns("Webhooks, Age", _webhooks),
}
