"""The ClusterRoles that every cluster has, so that a manifest that binds one of them means the same in a lab.

Takes the types that are served; gives the roles `cluster-admin`, `admin`, `edit` and `view`, and the binding that lets
system:masters do all, ready to be stored. Pure. The three roles for users cover what lies in namespaces: `view` reads
all but secrets and rights, `edit` writes besides, `admin` gives rights besides. Source: Kubernetes, "Using RBAC
Authorization" (user-facing roles).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.rbac import GROUP, MASTERS
from sevengate.lab.apiserver.resources import Resource

_ADMIN: Final = "cluster-admin"
_API: Final = f"{GROUP}/v1"
_LABELS: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_READING: Final = ["get", "list", "watch"]
_WRITING: Final = ["create", "delete", "deletecollection", "patch", "update"]
_RIGHTS: Final = frozenset({"roles", "rolebindings"})
#: What only the cluster's owner or its controllers write.
_NOT_USERS: Final = frozenset(
    {"controllerrevisions", "endpointslices", "events", "leases", "limitranges", "resourcequotas"}
)
_IN_PODS: Final = ["pods/attach", "pods/exec", "pods/portforward", "pods/eviction", "serviceaccounts/token"]


def roles(resources: Iterable[Resource]) -> Iterator[Object]:
    """Give the ClusterRoles and the ClusterRoleBinding."""
    found = [one for one in resources if one.namespaced and one.is_stored]
    rights = [one for one in found if one.group == GROUP and one.plural in _RIGHTS]
    things = [one for one in found if one not in rights]
    reading = list(_rules([one for one in things if one.qualified != "secrets"], _READING))
    reading.append(_rule("", ["pods/log", "pods/status"], _READING))
    secrets = _rule("", ["secrets"], _READING)
    writing = list(_rules([one for one in things if one.plural not in _NOT_USERS], _WRITING))
    writing += [_rule("", _IN_PODS, ["create", "get"]), _scaling(things)]
    everything = {"nonResourceURLs": ["*"], "verbs": ["*"]}
    yield _role(_ADMIN, [_rule("*", ["*"], ["*"]), everything])
    yield _role("view", reading)
    yield _role("edit", [*reading, secrets, *writing])
    yield _role("admin", [*reading, secrets, *writing, *_rules(rights, [*_READING, *_WRITING])])
    yield {
        **_named("ClusterRoleBinding", _ADMIN),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": _ADMIN},
        "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": MASTERS}],
    }


def _rules(resources: list[Resource], verbs: list[str]) -> Iterator[Object]:
    """Give one rule for each API group."""
    groups: dict[str, dict[str, None]] = {}
    for one in resources:
        groups.setdefault(one.group, {})[one.plural] = None
    yield from (_rule(group, list(plurals), verbs) for group, plurals in groups.items())


def _scaling(resources: list[Resource]) -> Object:
    scaled = [f"{one.plural}/scale" for one in resources if one.group == "apps" and "scale" in one.subresources]
    return _rule("apps", scaled, ["get", "patch", "update"])


def _rule(group: str, plurals: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": plurals, "verbs": verbs}


def _role(name: str, rules: list[Object]) -> Object:
    return {**_named("ClusterRole", name), "rules": rules}


def _named(kind: str, name: str) -> Object:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name, "labels": dict(_LABELS)}}
