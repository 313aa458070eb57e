"""/openapi/v3: the schemas of what is served, by which kubectl explains, validates and decides how to patch.

Takes Resources; gives the index and, when asked for, the document of one group and version, with the definitions that
its types refer to. Pure. kubectl sends `fieldValidation` only if a type's PATCH operation says that it knows it, so the
operations of each type are described as far as that. Source: Kubernetes, "OpenAPI V3".

/openapi/v2 describes nothing: kubectl asks there only for types that v3 does not know, to be told so.
"""

import hashlib
from typing import Any, Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.resources import Resource, Resources
from sevengate.lab.apiserver.schemas import KUBERNETES, definition_name, definitions

_OLD, _NEW = "#/$defs/", "#/components/schemas/"
_PARAMETERS: Final = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]
_PATCHES: Final = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)

EMPTY_V2: Final[Object] = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": f"v{KUBERNETES}"}, "paths": {}}
#: The same as a message of the protobuf package openapi.v2: Document.swagger = 1.
EMPTY_V2_PROTOBUF: Final = b"\x0a\x032.0"


def index(resources: Resources) -> Object:
    """Give what /openapi/v3 answers: where each document is; the address changes with what is in it."""
    paths = {}
    for group, versions in resources.groups().items():
        for version in versions:
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            mark = hashlib.sha256(f"{KUBERNETES} {resources.revision}".encode()).hexdigest()
            paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={mark}"}
    return {"paths": paths}


def document(resources: Resources, group: str, version: str) -> Object | None:
    """Give the document of one group and version; None if it is not served."""
    served = [one for one in resources if (one.group, one.version) == (group, version)]
    if not served:
        return None
    paths: Object = {}
    schemas: Object = {}
    for resource in served:
        name = _name(resource)
        schemas[name] = _spelled(_node(resource))
        paths |= _paths(resource, name)
    _close(schemas)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{KUBERNETES}"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _name(resource: Resource) -> str:
    if not resource.is_custom:
        return definition_name(resource.group, resource.version, resource.kind)
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _node(resource: Resource) -> Object:
    spoken = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return {**resource.schema.node, "x-kubernetes-group-version-kind": [spoken]}


def _close(schemas: Object) -> None:
    """Add what is referred to, and what that refers to in turn."""
    open_names = {name for node in schemas.values() for name in _references(node)}
    while missing := open_names - schemas.keys():
        for name in missing:
            schemas[name] = _spelled(definitions()[name])
            open_names |= set(_references(schemas[name]))


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for part in node for name in _references(part)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].removeprefix(_NEW)] if isinstance(node.get("$ref"), str) else []
    return own + [name for part in node.values() for name in _references(part)]


def _spelled(node: Any) -> Any:
    """Turn JSON Schema as the package has it into OpenAPI 3.0, which knows no lists of types."""
    if isinstance(node, list):
        return [_spelled(part) for part in node]
    if not isinstance(node, dict):
        return node
    spelled = {key: _spelled(value) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        reference = {"$ref": node["$ref"].replace(_OLD, _NEW)}
        rest = {key: value for key, value in spelled.items() if key != "$ref"}
        return {"allOf": [reference], **rest} if rest else reference
    if isinstance(node.get("type"), list):
        spelled["type"] = next(kind for kind in node["type"] if kind != "null")
    if isinstance(node.get("oneOf"), list) and all(set(part) == {"type"} for part in node["oneOf"]):
        spelled["oneOf"] = [{"type": part["type"]} for part in spelled["oneOf"]]
    return spelled


def _paths(resource: Resource, name: str) -> Object:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    place = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    creates = {"post": _operation(resource, name, "post", ("application/json",))}
    if not resource.is_stored:
        return {place: creates}
    one = {
        "get": _operation(resource, name, "get", ()),
        "put": _operation(resource, name, "put", ("application/json",)),
        "patch": _operation(resource, name, "patch", _PATCHES),
        "delete": _operation(resource, name, "delete", ()),
    }
    return {place: {"get": _operation(resource, name, "list", ()), **creates}, f"{place}/{{name}}": one}


def _operation(resource: Resource, name: str, action: str, bodies: tuple[str, ...]) -> Object:
    spoken = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    reference = {"schema": {"$ref": f"{_NEW}{name}"}}
    operation: Object = {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": spoken,
        "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
    }
    if bodies:
        operation["parameters"] = _PARAMETERS
        operation["requestBody"] = {"content": dict.fromkeys(bodies, reference)}
    return operation
