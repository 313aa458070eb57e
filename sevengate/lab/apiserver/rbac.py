"""Who may do what: Kubernetes' role-based access control, decided from the roles and bindings that are stored.

Takes a User and an Attributes (verb and resource, or verb and path) and the objects of rbac.authorization.k8s.io; gives
yes or no, or the rules that apply. Pure, and closed: what no rule allows is refused. The group system:masters may do
all, as in a real cluster. Source: Kubernetes, "Using RBAC Authorization". Who a request comes from is found by
`identity`.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.storage import Storage

GROUP: Final = "rbac.authorization.k8s.io"
MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
SERVICE_ACCOUNT: Final = "system:serviceaccount:"

#: What everybody who is known may do, as by Kubernetes' role system:basic-user: ask about themselves.
_BASIC: Final[Object] = {
    "verbs": ["create"],
    "apiGroups": ["authorization.k8s.io", "authentication.k8s.io"],
    "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"],
}


class User(msgspec.Struct, frozen=True):
    """Who sends a request."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


class Attributes(msgspec.Struct, frozen=True):
    """What is to be done: a verb on a resource, or on a path that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    def why_not(self, user: User) -> str:
        """Say in Kubernetes' words that a user may not do this."""
        if self.path:
            return f'User "{user.name}" cannot {self.verb} path "{self.path}"'
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        place = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'User "{user.name}" cannot {self.verb} resource "{resource}" in API group "{self.group}" {place}'


def allowed(storage: Storage, user: User, wanted: Attributes) -> bool:
    """Say whether a user may do something."""
    if MASTERS in user.groups:
        return True
    return any(_covers(rule, wanted) for rule in rules_for(storage, user, wanted.namespace))


def rules_for(storage: Storage, user: User, namespace: str) -> Iterator[Object]:
    """Give the rules that apply to a user in a namespace, or, with "", in the whole cluster."""
    if AUTHENTICATED in user.groups:
        yield _BASIC
    for stored in storage.items((GROUP, "clusterrolebindings")):
        if _is_bound(stored.object, user, ""):
            yield from _rules(storage, stored.object["roleRef"], "")
    if namespace:
        for stored in storage.items((GROUP, "rolebindings"), namespace):
            if _is_bound(stored.object, user, namespace):
                yield from _rules(storage, stored.object["roleRef"], namespace)


def _is_bound(binding: Object, user: User, namespace: str) -> bool:
    return any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or ())


def _is_subject(subject: Object, user: User, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            return user.name == f"{SERVICE_ACCOUNT}{subject.get('namespace') or namespace}:{subject['name']}"
        case _:
            return False


def _rules(storage: Storage, reference: Object, namespace: str) -> Iterator[Object]:
    plural, place = ("roles", namespace) if reference.get("kind") == "Role" else ("clusterroles", "")
    role = storage.get((GROUP, plural), (place, reference["name"]))
    yield from (role.object.get("rules") or ()) if role else ()


def _covers(rule: Object, wanted: Attributes) -> bool:
    if not _listed(rule, "verbs", wanted.verb):
        return False
    if wanted.path:
        return any(_path_matches(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        _listed(rule, "apiGroups", wanted.group)
        and _resource_listed(rule, wanted)
        and (not names or wanted.name in names)
    )


def _listed(rule: Object, field: str, value: str) -> bool:
    values: Any = rule.get(field) or ()
    return "*" in values or value in values


def _resource_listed(rule: Object, wanted: Attributes) -> bool:
    listed = rule.get("resources") or ()
    if not wanted.subresource:
        return "*" in listed or wanted.resource in listed
    return bool({"*", f"{wanted.resource}/{wanted.subresource}", f"*/{wanted.subresource}"} & set(listed))


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
