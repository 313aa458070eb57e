"""What stands in a request's body: an object in JSON, YAML or protobuf, or one of the four kinds of patches.

Takes bytes and the Content-Type; gives plain data, or for a patch the function that carries it out. Raises ApiError
for what cannot be read or carried out. Pure. The patches themselves are in `patches`.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import yaml

from sevengate.lab.apiserver import protobuf
from sevengate.lab.apiserver.answers import ApiError, Object, bad_request, unsupported_media_type
from sevengate.lab.apiserver.patches.error import PatchError
from sevengate.lab.apiserver.patches.json_patch import json_patch
from sevengate.lab.apiserver.patches.merge_patch import merge_patch
from sevengate.lab.apiserver.patches.strategic import strategic_merge
from sevengate.lab.apiserver.resources import Resource
from sevengate.lab.apiserver.schemas import ANY, Schema

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
APPLY: Final = "application/apply-patch+yaml"

_Patch = Callable[[Any, Any, Schema], Any]
_PATCHES: Final[dict[str, _Patch]] = {
    "application/json-patch+json": lambda target, patch, _schema: json_patch(target, patch),
    "application/merge-patch+json": lambda target, patch, _schema: merge_patch(target, patch),
    "application/strategic-merge-patch+json": strategic_merge,
}


def media_type(header: str) -> str:
    """Give the Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


def read_object(body: bytes, content_type: str) -> Object:
    """Read an object; raise ApiError 400 or 415."""
    match content_type or JSON:
        case "application/json":
            found = _json(body)
        case "application/yaml" | "application/apply-patch+yaml":
            found = _yaml(body)
        case "application/vnd.kubernetes.protobuf":
            found = protobuf.decode(body)
        case other:
            raise unsupported_media_type(other, (JSON, YAML, PROTOBUF))
    if not isinstance(found, dict):
        raise bad_request("the body of the request is not an object")
    return found


def read_patch(body: bytes, content_type: str, resource: Resource, subresource: str) -> Callable[[Object], Object]:
    """Give the function that a patch is; raise ApiError 400 or 415. A Scale is patched by no type's merge keys."""
    carry_out = _PATCHES.get(content_type)
    if carry_out is None or (resource.is_custom and carry_out is strategic_merge):
        known = [name for name in _PATCHES if not resource.is_custom or _PATCHES[name] is not strategic_merge]
        raise unsupported_media_type(content_type, [*known, APPLY])
    patch = _json(body)
    schema = ANY if subresource == "scale" else resource.schema

    def patched(target: Object) -> Object:
        try:
            changed = carry_out(target, patch, schema)
        except (PatchError, RecursionError) as error:
            raise ApiError(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from None
        if not isinstance(changed, dict):
            raise bad_request("the patch leaves no object")
        return changed

    return patched


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body of the request is not JSON: {error}") from None


def _yaml(body: bytes) -> Any:
    if body.lstrip().startswith(b"{"):
        return _json(body)
    try:
        return msgspec.yaml.decode(body)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body of the request is not YAML: {error}") from None
