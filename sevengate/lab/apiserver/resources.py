"""Which types of objects are served, under which names, and with which verbs.

Gives Resource, what discovery tells about one type in one version, and Resources, all that are served now: Kubernetes'
own from the table here, and those that CustomResourceDefinitions add (made in `crds`). What their fields are is said
by `schemas`, how kubectl prints them by `tables`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.schemas import ANY, Schema, built_in
from sevengate.lab.apiserver.storage import Shelf

#: What can be done with most types.
VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(msgspec.Struct, frozen=True):
    """One column that a CustomResourceDefinition asks kubectl to print."""

    name: str
    type: str
    path: str
    priority: int = 0


class Conversion(msgspec.Struct, frozen=True):
    """How objects of one version become what is stored, and back."""

    to_stored: Callable[[Object], Object]
    from_stored: Callable[[Object], Object]


class Resource(msgspec.Struct, frozen=True):
    """One type in one version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    verbs: tuple[str, ...] = VERBS
    schema: Schema = ANY
    columns: tuple[Column, ...] = ()
    shelf: Shelf = ("", "")
    conversion: Conversion | None = None
    #: What users of the type are warned of.
    deprecation: str = ""
    is_custom: bool = False
    singular: str = ""
    scale_paths: tuple[str, str, str] = ("spec.replicas", "status.replicas", "")

    @property
    def api_version(self) -> str:
        """`v1` or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`pods` or `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_stored(self) -> bool:
        """Whether objects of it are kept; reviews are only answered."""
        return "get" in self.verbs

    def shown(self, stored: Object) -> Object:
        """Give a stored object in this version."""
        return self.conversion.from_stored(stored) if self.conversion else stored

    def stored(self, shown: Object) -> Object:
        """Give an object of this version as it is stored."""
        return self.conversion.to_stored(shown) if self.conversion else shown


def _row(api_version: str, kind: str, plural: str, short: str = "", subresources: str = "") -> Resource:
    group, _, version = api_version.rpartition("/")
    return Resource(
        group=group,
        version=version,
        plural=plural,
        kind=kind,
        singular=kind.lower(),
        namespaced=kind not in _CLUSTER_WIDE,
        short_names=tuple(short.split()),
        categories=("all",) if kind in _IN_ALL else (),
        subresources=frozenset(subresources.split()),
        verbs=("create",) if kind in _ONLY_ASKED else VERBS,
        shelf=(group, plural),
    )


_CLUSTER_WIDE: Final = frozenset(
    {
        "Namespace", "Node", "PersistentVolume", "IngressClass", "ClusterRole", "ClusterRoleBinding", "StorageClass",
        "PriorityClass", "ValidatingWebhookConfiguration", "CustomResourceDefinition", "SelfSubjectAccessReview",
        "SelfSubjectRulesReview", "SubjectAccessReview", "SelfSubjectReview", "TokenReview",
    }
)  # fmt: skip
#: What `kubectl get all` shows.
_IN_ALL: Final = frozenset(
    {
        "CronJob", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Job", "Pod", "ReplicaSet", "Service",
        "StatefulSet",
    }
)  # fmt: skip
#: What is answered and not stored.
_ONLY_ASKED: Final = frozenset(
    {
        "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview", "LocalSubjectAccessReview",
        "SelfSubjectReview", "TokenReview",
    }
)  # fmt: skip

_ROWS: Final = (
    _row("v1", "ConfigMap", "configmaps", "cm"),
    _row("v1", "Endpoints", "endpoints", "ep"),
    _row("v1", "Event", "events", "ev"),
    _row("v1", "LimitRange", "limitranges", "limits"),
    _row("v1", "Namespace", "namespaces", "ns", "status finalize"),
    _row("v1", "Node", "nodes", "no", "status"),
    _row("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "status"),
    _row("v1", "PersistentVolume", "persistentvolumes", "pv", "status"),
    _row("v1", "Pod", "pods", "po", "status binding eviction log exec attach portforward"),
    _row("v1", "ResourceQuota", "resourcequotas", "quota", "status"),
    _row("v1", "Secret", "secrets"),
    _row("v1", "ServiceAccount", "serviceaccounts", "sa", "token"),
    _row("v1", "Service", "services", "svc", "status"),
    _row("apps/v1", "ControllerRevision", "controllerrevisions"),
    _row("apps/v1", "DaemonSet", "daemonsets", "ds", "status"),
    _row("apps/v1", "Deployment", "deployments", "deploy", "status scale"),
    _row("apps/v1", "ReplicaSet", "replicasets", "rs", "status scale"),
    _row("apps/v1", "StatefulSet", "statefulsets", "sts", "status scale"),
    _row("batch/v1", "CronJob", "cronjobs", "cj", "status"),
    _row("batch/v1", "Job", "jobs", "", "status"),
    _row("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "status"),
    _row("networking.k8s.io/v1", "Ingress", "ingresses", "ing", "status"),
    _row("networking.k8s.io/v1", "IngressClass", "ingressclasses"),
    _row("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol"),
    _row("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    _row("coordination.k8s.io/v1", "Lease", "leases"),
    _row("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "status"),
    _row("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles"),
    _row("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
    _row("rbac.authorization.k8s.io/v1", "Role", "roles"),
    _row("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    _row("storage.k8s.io/v1", "StorageClass", "storageclasses", "sc"),
    _row("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "pc"),
    _row("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    _row("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", "crd crds", "status"),
    _row("events.k8s.io/v1", "Event", "events", "ev"),
    _row("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    _row("authorization.k8s.io/v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    _row("authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews"),
    _row("authorization.k8s.io/v1", "LocalSubjectAccessReview", "localsubjectaccessreviews"),
    _row("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews"),
    _row("authentication.k8s.io/v1", "TokenReview", "tokenreviews"),
)  # fmt: skip


def own_resources(conversions: dict[tuple[str, str], tuple[Shelf, Conversion]]) -> Iterator[Resource]:
    """Give Kubernetes' own types with their schemas; `conversions` names those that are stored as another type."""
    for row in _ROWS:
        shelf, conversion = conversions.get((row.api_version, row.kind), (row.shelf, None))
        schema = built_in(row.group, row.version, row.kind)
        yield msgspec.structs.replace(row, schema=schema, shelf=shelf, conversion=conversion)


class Resources:
    """All types that are served now."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_place: dict[tuple[str, str, str], Resource] = {}
        #: Rises with each change, so that documents made from it know whether they are fresh.
        self.revision = 0
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a type, in place of what was served under its name."""
        self._by_place[resource.group, resource.version, resource.plural] = resource
        self.revision += 1

    def remove_group_plural(self, group: str, plural: str) -> None:
        """Serve a type no more, in any version."""
        for place in [place for place in self._by_place if (place[0], place[2]) == (group, plural)]:
            del self._by_place[place]
        self.revision += 1

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        """Give a type by its names in a URL, or None."""
        return self._by_place.get((group, version, plural))

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_place.values())

    def groups(self) -> dict[str, list[str]]:
        """Give the versions that are served of each group, core first."""
        found: dict[str, list[str]] = {}
        for resource in sorted(self, key=lambda one: one.group != ""):
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return found
