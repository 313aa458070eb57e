"""What is served at paths that are no resources: discovery, OpenAPI, the version, and probes.

Takes a path and the Accept header; gives a document as bytes and its Content-Type, or raises ApiError 404. Pure. What
stands in the documents is made by `discovery` and `openapi`.
"""

from typing import Final

import msgspec

from sevengate.lab.apiserver import discovery, openapi
from sevengate.lab.apiserver.answers import Object, no_such_path
from sevengate.lab.apiserver.bodies import JSON
from sevengate.lab.apiserver.resources import Resources
from sevengate.lab.apiserver.schemas import KUBERNETES

_PROBES: Final = frozenset({"healthz", "livez", "readyz"})


def document(resources: Resources, path: str, accept: str) -> tuple[bytes, str]:
    """Give what stands at a path; raise ApiError 404 if nothing does."""
    parts = [part for part in path.split("/") if part]
    if parts and parts[0] in _PROBES:
        return b"ok", "text/plain; charset=utf-8"
    if parts in (["api"], ["apis"]) and discovery.wants_aggregated(accept):
        found = discovery.aggregated(resources, core=parts == ["api"])
        return msgspec.json.encode(found), discovery.AGGREGATED
    if parts == ["openapi", "v2"] and "protobuf" in accept:
        return openapi.EMPTY_V2_PROTOBUF, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    plain = _plain(resources, parts)
    if plain is None:
        raise no_such_path()
    return msgspec.json.encode(plain), JSON


def _plain(resources: Resources, parts: list[str]) -> Object | None:
    match parts:
        case ["version"]:
            found: Object | None = _version()
        case ["api"]:
            found = discovery.versions()
        case ["apis"]:
            found = discovery.groups(resources)
        case ["api", version]:
            found = discovery.resource_list(resources, "", version)
        case ["apis", group]:
            found = discovery.group(resources, group)
        case ["apis", group, version]:
            found = discovery.resource_list(resources, group, version)
        case ["openapi", "v2"]:
            found = openapi.EMPTY_V2
        case ["openapi", "v3"]:
            found = openapi.index(resources)
        case ["openapi", "v3", "api", version]:
            found = openapi.document(resources, "", version)
        case ["openapi", "v3", "apis", group, version]:
            found = openapi.document(resources, group, version)
        case _:
            found = None
    return found


def _version() -> Object:
    major, minor, _ = KUBERNETES.split(".")
    return {"major": major, "minor": minor, "gitVersion": f"v{KUBERNETES}+sevengate-lab", "platform": "linux/amd64"}
