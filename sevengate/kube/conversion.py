"""An Ingress of an old version becomes one of networking.k8s.io/v1, and back, both as plain data.

extensions/v1beta1 and networking.k8s.io/v1beta1 say `backend`, serviceName and servicePort, and need no pathType. Takes
plain data and gives new plain data with everything else as it was; what cannot be said in the other version raises a
Fault that names the field. Rewriting the text of a manifest is the business of `rewriting`.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sevengate.kube.fault import Fault

Plain = dict[str, Any]

#: The versions in which an Ingress was once served.
OLD_VERSIONS: Final = ("extensions/v1beta1", "networking.k8s.io/v1beta1")
NEW_VERSION: Final = "networking.k8s.io/v1"
#: What a path without pathType meant in the old versions.
PATH_TYPE: Final = "ImplementationSpecific"


def modern(ingress: Plain) -> Plain:
    """Give an Ingress of an old version as networking.k8s.io/v1; raise Fault where it is not one."""
    return _converted(ingress, NEW_VERSION, _MODERN)


def old(ingress: Plain, version: str) -> Plain:
    """Give an Ingress of networking.k8s.io/v1 as one of the old versions."""
    return _converted(ingress, version, _OLD)


def port_number(port: object) -> int | None:
    """Read a servicePort as a number, None for a name: to controllers a number in quotes was a number."""
    if isinstance(port, int) and not isinstance(port, bool):
        return port
    is_number = isinstance(port, str) and port.isascii() and port.isdecimal() and len(port) <= 5
    return int(str(port)) if is_number and 1 <= int(str(port)) <= 65535 else None


# --- one way, and the other


def _modern_backend(backend: Plain, field: str) -> Plain:
    if strange := backend.keys() - {"serviceName", "servicePort", "resource"}:
        raise Fault("object/invalid-value", f"{field}.{min(strange)}", "This is no field of the old versions")
    if "serviceName" not in backend and "resource" in backend:
        return backend
    name, port = backend.get("serviceName"), backend.get("servicePort")
    if not isinstance(name, str) or not name:
        raise Fault("object/invalid-value", f"{field}.serviceName", "serviceName is missing, or not a string")
    if isinstance(port, bool) or not isinstance(port, int | str) or not port:
        raise Fault("object/invalid-value", f"{field}.servicePort", "servicePort is missing, or no number and no name")
    number = port_number(port)
    rest = {key: value for key, value in backend.items() if key == "resource"}
    return {"service": {"name": name, "port": {"name": port} if number is None else {"number": number}}, **rest}


def _old_backend(backend: Plain, field: str) -> Plain:
    if backend.get("service") is None:
        return backend
    service = _mapping(backend["service"], f"{field}.service")
    port = _mapping(service.get("port") or {}, f"{field}.service.port")
    rest = {key: value for key, value in backend.items() if key != "service"}
    return {"serviceName": service.get("name", ""), "servicePort": port.get("name") or port.get("number", 0), **rest}


class _Way(NamedTuple):
    """What differs between the two ways: a field's name before and after, the type of a path without one, a backend."""

    before: str
    after: str
    path_type: str
    backend: Callable[[Plain, str], Plain]


_MODERN: Final = _Way("backend", "defaultBackend", PATH_TYPE, _modern_backend)
_OLD: Final = _Way("defaultBackend", "backend", "", _old_backend)


# --- the way to a backend


def _converted(ingress: Plain, version: str, way: _Way) -> Plain:
    converted = {**ingress, "apiVersion": version}
    if ingress.get("spec") is not None:
        converted["spec"] = _spec(_mapping(ingress["spec"], "spec"), way)
    return converted


def _spec(spec: Plain, way: _Way) -> Plain:
    if way.after in spec:
        message = f"{way.after} is not a field of this version"
        raise Fault("object/invalid-value", f"spec.{way.after}", message, f"write {way.before}")
    converted = {way.after if name == way.before else name: value for name, value in spec.items()}
    if spec.get(way.before) is not None:
        field = f"spec.{way.before}"
        converted[way.after] = way.backend(_mapping(spec[way.before], field), field)
    if spec.get("rules") is not None:
        converted["rules"] = [_rule(rule, field, way) for rule, field in _items(spec["rules"], "spec.rules")]
    return converted


def _rule(rule: Plain, field: str, way: _Way) -> Plain:
    if rule.get("http") is None:
        return rule
    http = _mapping(rule["http"], f"{field}.http")
    paths = _items(http.get("paths") or [], f"{field}.http.paths")
    return {**rule, "http": {**http, "paths": [_path(path, place, way) for path, place in paths]}}


def _path(path: Plain, field: str, way: _Way) -> Plain:
    backend = _mapping(path.get("backend"), f"{field}.backend")
    converted = {**path, "backend": way.backend(backend, f"{field}.backend")}
    if way.path_type and path.get("pathType") is None:
        converted["pathType"] = way.path_type
    return converted


def _items(plain: object, field: str) -> list[tuple[Plain, str]]:
    if not isinstance(plain, list):
        raise Fault("manifest/wrong-type", field, "Expected a list")
    return [(_mapping(item, f"{field}[{i}]"), f"{field}[{i}]") for i, item in enumerate(plain)]


def _mapping(plain: object, field: str) -> Plain:
    if not isinstance(plain, dict):
        raise Fault("manifest/wrong-type", field, "Expected a mapping")
    return plain
