"""The schemas of API versions that Kubernetes no longer serves, made from those that it does.

Takes Kubernetes' own definitions by name; gives more of them, for Ingress and RBAC as of v1beta1. Pure. Today's
definitions serve as the mould, since little differed: an Ingress' backend was serviceName and servicePort, and its path
needed no type. Source: the API reference of Kubernetes 1.18.
"""

from typing import Any, Final

from sevengate.lab.apiserver.answers import Object

_INGRESS_PARTS: Final = (
    "Ingress",
    "IngressSpec",
    "IngressRule",
    "HTTPIngressRuleValue",
    "HTTPIngressPath",
    "IngressBackend",
    "IngressClass",
)
_RBAC_PARTS: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


def old_definitions(today: Object) -> Object:
    """Give the definitions of the old versions, by name."""
    found: Object = {}
    for name, group in (("extensions", "extensions"), ("networking", "networking.k8s.io")):
        old = _cast(today, _INGRESS_PARTS, "networking", name, group)
        _age_ingress({part: old[f"io.k8s.api.{name}.v1beta1.{part}"] for part in _INGRESS_PARTS})
        found |= old
    return found | _cast(today, _RBAC_PARTS, "rbac", "rbac", "rbac.authorization.k8s.io")


def _cast(today: Object, parts: tuple[str, ...], mould: str, name: str, group: str) -> Object:
    """Give copies of some definitions that call themselves v1beta1, of another group if need be."""
    names = {f"io.k8s.api.{mould}.v1.{part}": f"io.k8s.api.{name}.v1beta1.{part}" for part in parts}
    cast: Object = {new: _renamed(today[old], names) for old, new in names.items()}
    for node in cast.values():
        for spoken in node.get("x-kubernetes-group-version-kind", ()):
            spoken |= {"group": group, "version": "v1beta1"}
            node["properties"]["apiVersion"]["enum"] = [f"{group}/v1beta1"]
    return cast


def _renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(part, names) for part in node]
    if isinstance(node, dict):
        return {key: _renamed(part, names) for key, part in node.items()}
    if isinstance(node, str) and node.startswith("#/$defs/"):
        reference = node.removeprefix("#/$defs/")
        return f"#/$defs/{names.get(reference, reference)}"
    return node


def _age_ingress(parts: Object) -> None:
    """Take an Ingress' definitions back to what they were."""
    spec = parts["IngressSpec"]["properties"]
    spec["backend"] = spec.pop("defaultBackend")
    parts["HTTPIngressPath"]["required"] = ["backend"]
    backend = parts["IngressBackend"]["properties"]
    del backend["service"]
    backend["serviceName"] = {"description": "the name of the Service.", "type": ["string", "null"]}
    backend["servicePort"] = {"description": "the port of the Service.", "$ref": f"#/$defs/{_INT_OR_STRING}"}
