"""What an HTTP request asks of the API: a verb on a resource, as Kubernetes' URLs spell it.

Takes method, path and query, and the types that are served; gives a Call, or raises ApiError. Pure. Everything that a
query can say is read here, so that a wrong number is refused in one place; what it means is decided by `verbs`,
`removal` and `watch`. Source: Kubernetes, "API Concepts" (Resource URIs).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from sevengate.lab.apiserver.answers import ApiError, bad_request, method_not_allowed, no_such_path
from sevengate.lab.apiserver.rbac import Attributes, User
from sevengate.lab.apiserver.resources import Resource, Resources
from sevengate.lab.apiserver.selectors import Selector, read_fields, read_labels
from sevengate.lab.apiserver.storage import Key

_OF_NAMESPACES: Final = frozenset({"status", "finalize"})
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_TRUE: Final = frozenset({"true", "1"})
#: Subresources that carry streams to and from a container.
STREAMS: Final = frozenset({"exec", "attach", "portforward"})


class Call(msgspec.Struct):
    """One request: who wants what with which resource. `warnings` collects what to tell the sender besides."""

    user: User
    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = {}
    agent: str = "unknown"
    warnings: list[str] = []
    is_apply: bool = False

    @property
    def key(self) -> Key:
        """Where the object stands."""
        return (self.namespace, self.name)

    @property
    def attributes(self) -> Attributes:
        """What has to be allowed; whoever lists or watches one object by its name is allowed by that name, too."""
        resource = self.resource
        name = self.name or (self.selector().name if self.verb in {"list", "watch"} else "")
        return Attributes(self.verb, resource.group, resource.plural, self.subresource, self.namespace, name)

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing is to be stored."""
        return self.query.get("dryRun") == "All"

    @property
    def manager(self) -> str:
        """Who the fields that are written will belong to; clients that do not say go by their program's name."""
        return self.query.get("fieldManager") or self.agent.partition("/")[0][:128] or "unknown"

    @property
    def field_validation(self) -> str:
        """What becomes of unknown fields: Strict, Warn or Ignore."""
        return self.query.get("fieldValidation") or "Warn"

    def flag(self, name: str) -> bool:
        """Read a parameter that is true or false."""
        return self.query.get(name, "") in _TRUE

    def number(self, name: str, default: int = 0) -> int:
        """Read a parameter that is a whole number; raise ApiError 400 if it is none."""
        text = self.query.get(name) or str(default)
        if not text.isascii() or not text.isdigit():
            raise bad_request(f"invalid {name} {text!r}: not a number")
        return int(text)

    def selector(self) -> Selector:
        """Read which objects are meant; a request for one object by name selects that one."""
        fields = read_fields(self.query.get("fieldSelector", ""), self.resource.kind)
        return Selector(read_labels(self.query.get("labelSelector", "")), fields)


def is_api(path: str) -> bool:
    """Say whether a path names a resource, and not a document of discovery or a probe."""
    parts = path.strip("/").split("/")
    return (parts[0] == "api" and len(parts) > 2) or (parts[0] == "apis" and len(parts) > 3)


def read_call(method: str, path: str, query: Mapping[str, str], resources: Resources) -> Call:
    """Read a request of nobody in particular; raise ApiError 404 or 405 if nothing is served there."""
    parts = path.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace, rest = _namespace(rest)
    resource = resources.get(group, version, rest[0]) if 1 <= len(rest) <= 3 else None
    if resource is None or (namespace and not resource.namespaced and resource.plural != "namespaces"):
        raise no_such_path()
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and subresource not in resource.subresources:
        raise no_such_path()
    call = Call(User(""), _VERBS.get(method, ""), resource, namespace, name, subresource, query, warnings=[])
    call.verb = _verb(call)
    if namespace and resource.plural == "namespaces":
        call.namespace = ""
    if not subresource and call.verb not in resource.verbs:
        raise method_not_allowed()
    return call


def _namespace(parts: list[str]) -> tuple[str, list[str]]:
    if len(parts) < 3 or parts[0] != "namespaces" or parts[2] in _OF_NAMESPACES:
        return "", parts
    return parts[1], parts[2:]


def _verb(call: Call) -> str:
    # A WebSocket begins with a GET, but whoever opens one does more than read.
    if call.subresource in STREAMS:
        return "create"
    if call.flag("watch") and call.verb == "get" and (not call.name or not call.subresource):
        return "watch"
    if call.name:
        return call.verb
    if call.verb in {"update", "patch"}:
        raise method_not_allowed()
    return {"get": "list", "delete": "deletecollection"}.get(call.verb, call.verb)


def check_options(call: Call) -> None:
    """Raise ApiError for a dry run or field validation of a kind that does not exist."""
    if call.query.get("dryRun", "All") not in {"All", ""}:
        raise ApiError(422, "Invalid", f'dryRun: Unsupported value: {call.query["dryRun"]!r}: supported values: "All"')
    if call.field_validation not in {"Strict", "Warn", "Ignore"}:
        raise ApiError(422, "Invalid", f"fieldValidation: Unsupported value: {call.field_validation!r}")
