"""Discovery: which groups, versions and types are served, in the two forms that clients ask for.

Takes Resources; gives APIVersions, APIGroupList and APIResourceList, or, for clients that ask for it by name, all of it
in one aggregated APIGroupDiscoveryList (apidiscovery.k8s.io/v2). Pure. Clients up to 1.29 know a v2beta1 of the latter
only and would not understand v2, so they get the plain form. Source: Kubernetes, "API Overview" (Discovery API).
"""

from typing import Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.resources import Resource, Resources

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_STATUS_VERBS: Final = ["get", "patch", "update"]
#: The type that each subresource speaks, where it is not the parent's, and its verbs.
_SUBRESOURCES: Final[dict[str, tuple[str, str, str, list[str]]]] = {
    "scale": ("autoscaling", "v1", "Scale", _STATUS_VERBS),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ["create"]),
    "binding": ("", "v1", "Binding", ["create"]),
    "eviction": ("policy", "v1", "Eviction", ["create"]),
    "log": ("", "v1", "Pod", ["get"]),
    "exec": ("", "v1", "PodExecOptions", ["create", "get"]),
    "attach": ("", "v1", "PodAttachOptions", ["create", "get"]),
    "portforward": ("", "v1", "PodPortForwardOptions", ["create", "get"]),
    "finalize": ("", "v1", "Namespace", ["update"]),
}


def wants_aggregated(accept: str) -> bool:
    """Say whether a client can read the aggregated form."""
    return any(
        {"g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"} <= {part.strip() for part in wanted.split(";")}
        for wanted in accept.split(",")
    )


def versions() -> Object:
    """Give what /api answers."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(resources: Resources) -> Object:
    """Give what /apis answers."""
    listed = [_group(name, served) for name, served in resources.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _group(name: str, served: list[str]) -> Object:
    known = [{"groupVersion": f"{name}/{version}", "version": version} for version in served]
    return {"name": name, "versions": known, "preferredVersion": known[0]}


def group(resources: Resources, name: str) -> Object | None:
    """Give what /apis/GROUP answers; None if it is not served."""
    served = resources.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, served)} if served and name else None


def resource_list(resources: Resources, name: str, version: str) -> Object | None:
    """Give what /apis/GROUP/VERSION answers; None if it is not served."""
    served = [one for one in resources if (one.group, one.version) == (name, version)]
    if not served:
        return None
    listed = [entry for one in served for entry in _entries(one)]
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *(_subentry(resource, name) for name in sorted(resource.subresources))]


def _subentry(resource: Resource, name: str) -> Object:
    group_name, version, kind, verbs = _spoken(resource, name)
    entry = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    own = (group_name, version) == (resource.group, resource.version)
    return entry | {"kind": kind, "verbs": verbs} | ({} if own else {"group": group_name, "version": version})


def _spoken(resource: Resource, subresource: str) -> tuple[str, str, str, list[str]]:
    own = (resource.group, resource.version, resource.kind, _STATUS_VERBS)
    return _SUBRESOURCES.get(subresource, own)


def aggregated(resources: Resources, *, core: bool) -> Object:
    """Give what /api (`core`) or /apis answers to clients that want all at once."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [_version(resources, name, one) for one in served],
        }
        for name, served in resources.groups().items()
        if (name == "") is core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _version(resources: Resources, group_name: str, version: str) -> Object:
    served = [_described(one) for one in resources if (one.group, one.version) == (group_name, version)]
    return {"version": version, "resources": served, "freshness": "Current"}


def _described(resource: Resource) -> Object:
    described: Object = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
    }
    subresources = []
    for name in sorted(resource.subresources):
        group_name, version, kind, verbs = _spoken(resource, name)
        subresources.append({"subresource": name, "responseKind": _kind(group_name, version, kind), "verbs": verbs})
    return {key: value for key, value in described.items() if value} | (
        {"subresources": subresources} if subresources else {}
    )


def _kind(group_name: str, version: str, kind: str) -> Object:
    return {"group": group_name, "version": version, "kind": kind}
