"""The shape of an Ingress, in any of its versions, becomes an Ingress.

networking.k8s.io/v1 names a backend by service and port; extensions/v1beta1 and networking.k8s.io/v1beta1 say
serviceName and servicePort and need no pathType. What cannot be read in one path is reported and falls alone: if it is
the backend, the path stays and leads nowhere, for no other route may get its requests; a path that cannot even be
compared is None in its place. Anything else that cannot be read makes the whole Ingress fall: without a rule, or
without an annotation, it would take more requests than it asked for. Whether hosts and paths are ones that can be
routed is the compiler's question.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

import msgspec

from sevengate.kube import shapes
from sevengate.kube.fault import Fault, of_validation
from sevengate.kube.flatten import load_balancer_addresses
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

S = TypeVar("S", bound=shapes.Shape)


def ingress(shape: shapes.Ingress, metadata: Metadata, faults: list[Fault]) -> Ingress:
    """Make an Ingress of what networking.k8s.io/v1 calls one; what is wrong with single paths goes to `faults`."""
    spec = shape.spec or shapes.IngressSpec()
    default = _default_backend(spec.default_backend, "spec.defaultBackend", _V1)
    return _ingress(shape, metadata, default, tuple(_rules(spec, _V1, faults)))


def old_ingress(shape: shapes.Ingress, metadata: Metadata, faults: list[Fault]) -> Ingress:
    """Make an Ingress of what extensions/v1beta1 and networking.k8s.io/v1beta1 call one."""
    spec = shape.spec or shapes.IngressSpec()
    default = _default_backend(spec.backend, "spec.backend", _V1_BETA)
    return _ingress(shape, metadata, default, tuple(_rules(spec, _V1_BETA, faults)))


def ingress_class(shape: shapes.IngressClass, metadata: Metadata, _faults: list[Fault]) -> IngressClass:
    """Make an IngressClass."""
    return IngressClass(metadata=metadata, controller=(shape.spec and shape.spec.controller) or "")


def shape_piece_by_piece(plain: dict[str, object], faults: list[Fault]) -> shapes.Ingress:
    """Read an Ingress that holds values of wrong types: what is wrong with a path goes to `faults`, the rest raises."""
    spec = plain.get("spec")
    rules = spec.get("rules") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(rules, list):
        return _convert(plain, shapes.Ingress)
    shape = _convert({**plain, "spec": {**spec, "rules": None}}, shapes.Ingress)
    readable = tuple(_readable_rule(rule, f"spec.rules[{i}]", faults) for i, rule in enumerate(rules))
    return msgspec.structs.replace(shape, spec=shape.spec and msgspec.structs.replace(shape.spec, rules=readable))


def _readable_rule(rule: object, field: str, faults: list[Fault]) -> shapes.IngressRule:
    http = rule.get("http") if isinstance(rule, dict) else None
    paths = http.get("paths") if isinstance(http, dict) else None
    if not isinstance(rule, dict) or not isinstance(http, dict) or not isinstance(paths, list):
        return _convert(rule, shapes.IngressRule, field)
    shape = _convert({**rule, "http": {**http, "paths": None}}, shapes.IngressRule, field)
    readable = (_readable_path(path, f"{field}.http.paths[{i}]", faults) for i, path in enumerate(paths))
    return shapes.IngressRule(shape.host, shapes.IngressHTTP(tuple(readable)))


def _readable_path(path: object, field: str, faults: list[Fault]) -> shapes.IngressPath:
    try:
        return _convert(path, shapes.IngressPath)
    except Fault as fault:
        faults.append(fault.under(field))
        if not isinstance(path, dict) or not fault.field.startswith("backend"):
            return _UNREADABLE_PATH
    try:
        shape = _convert({**path, "backend": None}, shapes.IngressPath)
    except Fault as fault:
        faults.append(fault.under(field))
        return _UNREADABLE_PATH
    return msgspec.structs.replace(shape, backend=_UNREADABLE_BACKEND)


def _convert(plain: object, shape: type[S], field: str = "") -> S:
    try:
        return msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        raise of_validation(error, plain).under(field) from None


def _ingress(
    shape: shapes.Ingress, metadata: Metadata, default: IngressBackend | None, rules: tuple[IngressRule, ...]
) -> Ingress:
    spec = shape.spec or shapes.IngressSpec()
    return Ingress(
        metadata=metadata,
        ingress_class_name=spec.ingress_class_name,
        default_backend=default,
        rules=rules,
        tls=tuple(IngressTLS(tls.hosts or (), tls.secret_name or "") for tls in spec.tls or ()),
        published=load_balancer_addresses(shape.status),
    )


def _rules(spec: shapes.IngressSpec, version: "_Version", faults: list[Fault]) -> Iterator[IngressRule]:
    for i, rule in enumerate(spec.rules or ()):
        if rule.http is None:
            yield IngressRule(rule.host or "")
        else:
            paths = _paths(rule.http.paths or (), f"spec.rules[{i}].http.paths", version, faults)
            yield IngressRule(rule.host or "", tuple(paths))


def _paths(
    paths: tuple[shapes.IngressPath, ...], field: str, version: "_Version", faults: list[Fault]
) -> Iterator[IngressPath | None]:
    for i, path in enumerate(paths):
        yield None if path is _UNREADABLE_PATH else _path(path, f"{field}[{i}]", version, faults)


def _path(path: shapes.IngressPath, field: str, version: "_Version", faults: list[Fault]) -> IngressPath | None:
    path_type = path.path_type or version.path_type
    if path_type is None:
        faults.append(Fault("object/invalid-value", f"{field}.pathType", "pathType is missing", _TYPE_HINT))
        return None
    try:
        backend = version.backend(path.backend)
    except Fault as fault:
        faults.append(fault.under(f"{field}.backend"))
        backend = _CLOSED
    return IngressPath(backend, path.path or "", path_type)


def _default_backend(backend: shapes.IngressBackend | None, field: str, version: "_Version") -> IngressBackend | None:
    if backend is None:
        return None
    try:
        return version.backend(backend)
    except Fault as fault:
        raise fault.under(field) from None


def _backend(backend: shapes.IngressBackend | None) -> IngressBackend:
    if backend is _UNREADABLE_BACKEND:
        return _CLOSED
    service, resource = (backend.service, backend.resource) if backend else (None, None)
    if service is not None and resource is not None:
        raise Fault("object/invalid-value", "", "A backend cannot be both a service and a resource")
    if resource is not None:
        return IngressBackend(resource=_resource(resource))
    if service is None:
        hint = _OLD_BACKEND_HINT if backend and backend.service_name else ""
        raise Fault("object/invalid-value", "", "A backend must be a service or a resource", hint)
    return IngressBackend(ServiceRef(_name(service.name, "service.name"), _port(service.port)))


def _old_backend(backend: shapes.IngressBackend | None) -> IngressBackend:
    if backend is _UNREADABLE_BACKEND:
        return _CLOSED
    if backend is None:
        raise Fault("object/invalid-value", "", "A backend must be a service or a resource")
    if backend.resource is not None and backend.service_name is not None:
        raise Fault("object/invalid-value", "", "A backend cannot be both a service and a resource")
    if backend.resource is not None:
        return IngressBackend(resource=_resource(backend.resource))
    name = _name(backend.service_name, "serviceName")
    return IngressBackend(ServiceRef(name, _old_port(backend.service_port)))


def _name(name: str | None, field: str) -> str:
    if not name:
        raise Fault("object/invalid-value", field, "The name of the service is missing")
    return name


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


class _Version(NamedTuple):
    """What differs between the versions: how a backend is written, and what a missing pathType means."""

    backend: Callable[[shapes.IngressBackend | None], IngressBackend]
    path_type: PathType | None


_V1: Final = _Version(_backend, None)
_V1_BETA: Final = _Version(_old_backend, PathType.IMPLEMENTATION_SPECIFIC)

#: What stands for a path and a backend whose types are wrong, which has been told already.
_UNREADABLE_PATH: Final = shapes.IngressPath()
_UNREADABLE_BACKEND: Final = shapes.IngressBackend()
#: What becomes of any backend that cannot be read.
_CLOSED: Final = IngressBackend()

_TYPE_HINT: Final = "write pathType: Prefix, Exact or ImplementationSpecific"
_OLD_BACKEND_HINT: Final = "serviceName belongs to the old versions; write service: {name: …, port: {number: …}}"
