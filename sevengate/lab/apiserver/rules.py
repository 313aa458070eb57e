"""What the API demands of an object beyond its schema: names, what belongs together, and what never changes.

Takes an object after defaulting, and on an update the one before; gives FieldErrors. Pure. Only rules that people who
write manifests for an Ingress controller meet are here; each is Kubernetes' own, with its wording. Types and required
fields are checked in `validation`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from sevengate.kube.names import is_label, is_qualified, is_subdomain
from sevengate.lab.apiserver.answers import FieldError, Object
from sevengate.lab.apiserver.patches.json_patch import same
from sevengate.lab.apiserver.selectors import of_label_selector

_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LABEL: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
#: Types whose names are labels, and types whose names may hold anything that fits in a path.
_NAMED_BY_LABEL: Final = frozenset({"Namespace", "Service"})
_NAMED_FREELY: Final = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})


def broken(new: Object, old: Object | None) -> list[FieldError]:
    """Give what is wrong with an object that is created (`old` is None) or changed."""
    found = [*_metadata(new)]
    if rule := _RULES.get(new["kind"]):
        found += rule(new)
    if old is not None:
        found += _immutable(new, old)
    return found


def _invalid(field: str, value: Any, why: str) -> FieldError:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def _required(field: str, why: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", f"Required value{': ' if why else ''}{why}")


def _metadata(thing: Object) -> Iterator[FieldError]:
    name, kind = thing["metadata"]["name"], thing["kind"]
    if kind in _NAMED_FREELY:
        if name in {".", ".."} or "/" in name or "%" in name:
            yield _invalid("metadata.name", name, "may not contain '/' or '%'")
    elif kind in _NAMED_BY_LABEL:
        if not is_label(name):
            yield _invalid("metadata.name", name, _LABEL)
    elif not is_subdomain(name):
        yield _invalid("metadata.name", name, _SUBDOMAIN)
    for field in ("labels", "annotations"):
        for key in thing["metadata"].get(field) or ():
            if not is_qualified(key):
                yield _invalid(
                    f"metadata.{field}", key, "name part must consist of alphanumeric characters, '-', '_' or '.'"
                )


def _ingress(ingress: Object) -> Iterator[FieldError]:
    spec = ingress.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield _invalid("spec", "", "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend"):
        yield from _ingress_backend(spec["defaultBackend"], "spec.defaultBackend")
    for number, rule in enumerate(spec.get("rules") or ()):
        for index, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _ingress_path(path, f"spec.rules[{number}].http.paths[{index}]")


def _ingress_path(path: Object, field: str) -> Iterator[FieldError]:
    text, path_type = path.get("path", ""), path.get("pathType")
    if path_type not in {"Exact", "Prefix", "ImplementationSpecific"}:
        supported = '"Exact", "ImplementationSpecific", "Prefix"'
        yield FieldError(
            f"{field}.pathType",
            "FieldValueNotSupported",
            f'Unsupported value: "{path_type}": supported values: {supported}',
        )
    elif path_type != "ImplementationSpecific" and not text.startswith("/"):
        yield _invalid(f"{field}.path", text, "must be an absolute path")
    elif path_type != "ImplementationSpecific" and any(part in text for part in ("//", "/./", "/../", "%2f", "%2F")):
        yield _invalid(f"{field}.path", text, "must not contain '//', '/./', '/../' or an escaped slash")
    yield from _ingress_backend(path["backend"], f"{field}.backend")


def _ingress_backend(backend: Object, field: str) -> Iterator[FieldError]:
    service = backend.get("service")
    if bool(service) == bool(backend.get("resource")):
        yield _invalid(field, "", "exactly one of `service` and `resource` must be set")
    elif service:
        port = service.get("port") or {}
        if bool(port.get("name")) == bool(port.get("number")):
            yield _required(f"{field}.service.port", "port name or number is required")


def _service(service: Object) -> Iterator[FieldError]:
    spec = service["spec"]
    ports = spec.get("ports") or ()
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield _required("spec.ports")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield _required("spec.externalName")
    names = [port.get("name", "") for port in ports]
    for index, port in enumerate(ports):
        if len(ports) > 1 and not names[index]:
            yield _required(f"spec.ports[{index}].name")
        elif names[index] in names[:index]:
            yield FieldError(f"spec.ports[{index}].name", "FieldValueDuplicate", f'Duplicate value: "{names[index]}"')
        if not 1 <= port["port"] <= 65535:
            yield _invalid(f"spec.ports[{index}].port", port["port"], "must be between 1 and 65535, inclusive")


def _workload(workload: Object) -> Iterator[FieldError]:
    """A selector must select the pods of its own template (Kubernetes, "Deployments")."""
    spec = workload["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not spec.get("selector"):
        yield _required("spec.selector")
    elif not of_label_selector(spec["selector"]).matches({"metadata": {"labels": labels}}):
        yield _invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _pod_spec(spec["template"].get("spec") or {}, "spec.template.spec")


def _pod(pod: Object) -> Iterator[FieldError]:
    return _pod_spec(pod["spec"], "spec")


def _pod_spec(spec: Object, field: str) -> Iterator[FieldError]:
    containers = spec.get("containers") or ()
    if not containers:
        yield _required(f"{field}.containers")
    names = [container["name"] for container in containers]
    volumes = {volume["name"] for volume in spec.get("volumes") or ()}
    for index, container in enumerate(containers):
        here = f"{field}.containers[{index}]"
        if not container.get("image"):
            yield _required(f"{here}.image")
        if names[index] in names[:index]:
            yield FieldError(f"{here}.name", "FieldValueDuplicate", f'Duplicate value: "{names[index]}"')
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            if mount["name"] not in volumes:
                yield FieldError(
                    f"{here}.volumeMounts[{number}].name", "FieldValueNotFound", f'Not found: "{mount["name"]}"'
                )


def _job(job: Object) -> Iterator[FieldError]:
    return _pod_spec(job["spec"]["template"]["spec"], "spec.template.spec")


def _cron_job(cron_job: Object) -> Iterator[FieldError]:
    if not cron_job["spec"].get("schedule"):
        yield _required("spec.schedule")
    spec = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    yield from _pod_spec(spec, "spec.jobTemplate.spec.template.spec")


def _custom_resource_definition(definition: Object) -> Iterator[FieldError]:
    spec, name = definition["spec"], definition["metadata"]["name"]
    if name != f"{spec['names']['plural']}.{spec['group']}":
        yield _invalid("metadata.name", name, "must be spec.names.plural+'.'+spec.group")
    if sum(bool(version["storage"]) for version in spec["versions"]) != 1:
        yield _invalid("spec.versions", "", "must have exactly one version marked as storage version")
    if spec["scope"] not in {"Cluster", "Namespaced"}:
        supported = '"Cluster", "Namespaced"'
        message = f'Unsupported value: "{spec["scope"]}": supported values: {supported}'
        yield FieldError("spec.scope", "FieldValueNotSupported", message)
    for index, version in enumerate(spec["versions"]):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not schema or schema.get("type") != "object":
            yield _required(f"spec.versions[{index}].schema.openAPIV3Schema", "a structural schema of type object")


def _tls_secret(secret: Object) -> Iterator[FieldError]:
    if secret.get("type") == "kubernetes.io/tls":
        for name in ("tls.crt", "tls.key"):
            if name not in (secret.get("data") or {}):
                yield _required(f"data[{name}]")


_RULES: Final[dict[str, Callable[[Object], Iterator[FieldError]]]] = {
    "CronJob": _cron_job,
    "CustomResourceDefinition": _custom_resource_definition,
    "DaemonSet": _workload,
    "Deployment": _workload,
    "Ingress": _ingress,
    "Job": _job,
    "Pod": _pod,
    "ReplicaSet": _workload,
    "Secret": _tls_secret,
    "Service": _service,
    "StatefulSet": _workload,
}

#: Fields that stay as they were created.
_IMMUTABLE: Final[dict[str, tuple[str, ...]]] = {
    "ClusterRoleBinding": ("roleRef",),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "EndpointSlice": ("addressType",),
    "IngressClass": ("spec.controller",),
    "ReplicaSet": ("spec.selector",),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "StatefulSet": ("spec.selector", "spec.serviceName"),
}


def _immutable(new: Object, old: Object) -> Iterator[FieldError]:
    for field in _IMMUTABLE.get(new["kind"], ()):
        if not same(_at(new, field), _at(old, field)):
            yield _invalid(field, _at(new, field), "field is immutable")
    if old.get("immutable") and new["kind"] in {"ConfigMap", "Secret"}:
        for field in ("data", "binaryData", "immutable"):
            if not same(new.get(field), old.get(field)):
                yield FieldError(field, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")


def _at(thing: Any, field: str) -> Any:
    for name in field.split("."):
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing
