"""The shape of an Ingress, in any of its versions, becomes an Ingress.

networking.k8s.io/v1 names a backend by service and port; extensions/v1beta1 and networking.k8s.io/v1beta1 say
serviceName and servicePort and need no pathType. A path that cannot be read is left out and reported, and the other
paths stay; anything else that cannot be read makes the whole Ingress fall, as it may guard access. Whether hosts and
paths are ones that can be routed is the compiler's question.
"""

from collections.abc import Callable, Iterator

import msgspec

from sevengate.kube import shapes
from sevengate.kube.fault import Fault, of_validation
from sevengate.kube.names import is_label
from sevengate.kube.objects import (
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTLS,
    Metadata,
    PathType,
    ResourceRef,
    ServicePortRef,
    ServiceRef,
)

Backend = Callable[[shapes.IngressBackend], IngressBackend]


def ingress(shape: shapes.Ingress, metadata: Metadata, faults: list[Fault]) -> Ingress:
    """Make an Ingress of what networking.k8s.io/v1 calls one; paths that cannot be read go to `faults`."""
    spec = shape.spec or shapes.IngressSpec()
    default = _default_backend(spec.default_backend, "spec.defaultBackend", _backend)
    return _ingress(spec, metadata, default, tuple(_rules(spec, _path, faults)))


def old_ingress(shape: shapes.Ingress, metadata: Metadata, faults: list[Fault]) -> Ingress:
    """Make an Ingress of what extensions/v1beta1 and networking.k8s.io/v1beta1 call one."""
    spec = shape.spec or shapes.IngressSpec()
    default = _default_backend(spec.backend, "spec.backend", _old_backend)
    return _ingress(spec, metadata, default, tuple(_rules(spec, _old_path, faults)))


def ingress_class(shape: shapes.IngressClass, metadata: Metadata, _faults: list[Fault]) -> IngressClass:
    """Make an IngressClass."""
    return IngressClass(metadata=metadata, controller=(shape.spec and shape.spec.controller) or "")


def without_broken_paths(plain: dict[str, object], faults: list[Fault]) -> dict[str, object]:
    """Give an Ingress without the rules and paths of wrong types, which go to `faults`, so that each falls alone."""
    spec = plain.get("spec")
    rules = spec.get("rules") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(rules, list):
        return plain
    kept = [rule for i, item in enumerate(rules) for rule in _readable_rule(item, f"spec.rules[{i}]", faults)]
    return {**plain, "spec": {**spec, "rules": kept}}


def _readable_rule(rule: object, field: str, faults: list[Fault]) -> Iterator[object]:
    http = rule.get("http") if isinstance(rule, dict) else None
    paths = http.get("paths") if isinstance(http, dict) else None
    if isinstance(rule, dict) and isinstance(http, dict) and isinstance(paths, list):
        kept = [
            path
            for i, path in enumerate(paths)
            if _is_readable(path, shapes.IngressPath, f"{field}.http.paths[{i}]", faults)
        ]
        rule = {**rule, "http": {**http, "paths": kept}}
    if _is_readable(rule, shapes.IngressRule, field, faults):
        yield rule


def _is_readable(plain: object, shape: type[shapes.Shape], field: str, faults: list[Fault]) -> bool:
    try:
        msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        faults.append(of_validation(error, plain).under(field))
        return False
    return True


def _ingress(
    spec: shapes.IngressSpec, metadata: Metadata, default: IngressBackend | None, rules: tuple[IngressRule, ...]
) -> Ingress:
    return Ingress(
        metadata=metadata,
        ingress_class_name=spec.ingress_class_name,
        default_backend=default,
        rules=rules,
        tls=tuple(IngressTLS(tls.hosts or (), tls.secret_name or "") for tls in spec.tls or ()),
    )


def _rules(
    spec: shapes.IngressSpec, read: Callable[[shapes.IngressPath], IngressPath], faults: list[Fault]
) -> Iterator[IngressRule]:
    for i, rule in enumerate(spec.rules or ()):
        paths: list[IngressPath] = []
        for j, path in enumerate((rule.http and rule.http.paths) or ()):
            try:
                paths.append(read(path))
            except Fault as fault:
                faults.append(fault.under(f"spec.rules[{i}].http.paths[{j}]"))
        yield IngressRule(rule.host or "", None if rule.http is None else tuple(paths))


def _path(path: shapes.IngressPath) -> IngressPath:
    if path.path_type is None:
        raise Fault("object/invalid-value", "pathType", "pathType is missing", _PATH_TYPE_HINT)
    return IngressPath(_required(path.backend, _backend), path.path or "", path.path_type)


def _old_path(path: shapes.IngressPath) -> IngressPath:
    path_type = path.path_type or PathType.IMPLEMENTATION_SPECIFIC
    return IngressPath(_required(path.backend, _old_backend), path.path or "", path_type)


def _required(backend: shapes.IngressBackend | None, read: Backend) -> IngressBackend:
    if backend is None:
        raise Fault("object/invalid-value", "backend", "backend is missing")
    try:
        return read(backend)
    except Fault as fault:
        raise fault.under("backend") from None


def _default_backend(backend: shapes.IngressBackend | None, field: str, read: Backend) -> IngressBackend | None:
    if backend is None:
        return None
    try:
        return read(backend)
    except Fault as fault:
        raise fault.under(field) from None


def _backend(backend: shapes.IngressBackend) -> IngressBackend:
    if backend.service is not None and backend.resource is not None:
        raise Fault("object/invalid-value", "", "A backend cannot be both a service and a resource")
    if backend.resource is not None:
        return IngressBackend(resource=_resource(backend.resource))
    if backend.service is None:
        hint = _OLD_BACKEND_HINT if backend.service_name else ""
        raise Fault("object/invalid-value", "", "A backend must be a service or a resource", hint)
    return IngressBackend(_service(backend.service.name, _port(backend.service.port), "service.name"))


def _old_backend(backend: shapes.IngressBackend) -> IngressBackend:
    if backend.resource is not None and backend.service_name is not None:
        raise Fault("object/invalid-value", "", "A backend cannot be both a service and a resource")
    if backend.resource is not None:
        return IngressBackend(resource=_resource(backend.resource))
    return IngressBackend(_service(backend.service_name, _old_port(backend.service_port), "serviceName"))


def _service(name: str | None, port: ServicePortRef, field: str) -> ServiceRef:
    if not name:
        raise Fault("object/invalid-value", field, "The name of the service is missing")
    if not is_label(name):
        raise Fault("object/invalid-value", field, f"No service can have the name {name[:80]!r}")
    return ServiceRef(name, port)


def _resource(resource: shapes.ResourceRef) -> ResourceRef:
    return ResourceRef(resource.kind or "", resource.name or "", resource.api_group or "")


def _port(port: shapes.ServicePortRef | None) -> ServicePortRef:
    if port is None or not (port.number or port.name):
        raise Fault("object/invalid-value", "service.port", "The port needs a number or a name")
    if port.number and port.name:
        raise Fault("object/invalid-value", "service.port", "The port cannot have both a number and a name")
    return ServicePortRef(port.number or 0, port.name or "")


def _old_port(port: int | str | None) -> ServicePortRef:
    if isinstance(port, int):
        return ServicePortRef(number=port)
    if not port:
        raise Fault("object/invalid-value", "servicePort", "servicePort is missing")
    # A number in quotes was a port's name to the API and its number to controllers; no port's name is all digits.
    if port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535:
        return ServicePortRef(number=int(port))
    return ServicePortRef(name=port)


_PATH_TYPE_HINT = "write pathType: Prefix, Exact or ImplementationSpecific"
_OLD_BACKEND_HINT = "serviceName and servicePort belong to the old versions; write service: {name, port: {number}}"
