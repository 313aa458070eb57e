"""The kinds that are read or written, and where each lies under the API server's URL.

A Selection is one list and watch: a Resource, in one namespace or in all, perhaps narrowed by selectors. It knows its
path, its parameters and the RBAC rule that it needs, so that a refusal can name what is missing.
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class Resource(msgspec.Struct, frozen=True):
    """A kind as the API serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, "" for the core's."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Give the URL path of all objects, of those in a namespace, of one, or of a part of one."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        parts = [root, f"namespaces/{namespace}" if namespace else "", self.plural, name, subresource]
        return "/".join(part for part in parts if part)


INGRESSES: Final = Resource("networking.k8s.io/v1", "Ingress", "ingresses")
INGRESS_CLASSES: Final = Resource("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False)
SERVICES: Final = Resource("v1", "Service", "services")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
ENDPOINTS: Final = Resource("v1", "Endpoints", "endpoints")
SECRETS: Final = Resource("v1", "Secret", "secrets")
CONFIG_MAPS: Final = Resource("v1", "ConfigMap", "configmaps")
NAMESPACES: Final = Resource("v1", "Namespace", "namespaces", namespaced=False)
NODES: Final = Resource("v1", "Node", "nodes", namespaced=False)
PODS: Final = Resource("v1", "Pod", "pods")
LEASES: Final = Resource("coordination.k8s.io/v1", "Lease", "leases")
EVENTS: Final = Resource("events.k8s.io/v1", "Event", "events")
WEBHOOK_CONFIGURATIONS: Final = Resource(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)


class Selection(msgspec.Struct, frozen=True):
    """What one reflector follows. `required` says that nothing can be served rightly without it."""

    resource: Resource
    namespace: str = ""
    field_selector: str = ""
    label_selector: str = ""
    required: bool = True

    @property
    def path(self) -> str:
        """The URL path to list or watch."""
        return self.resource.path(self.namespace)

    @property
    def params(self) -> Mapping[str, str]:
        """The query parameters that narrow it."""
        selectors = {"fieldSelector": self.field_selector, "labelSelector": self.label_selector}
        return {name: value for name, value in selectors.items() if value}

    @property
    def rule(self) -> str:
        """The RBAC rule that it needs, in words."""
        group = f' of apiGroup "{self.resource.group}"'
        scope = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return f"verbs list and watch on {self.resource.plural}{group} {scope}"

    def __str__(self) -> str:
        narrowed = [self.namespace, self.field_selector, self.label_selector]
        return " ".join([self.resource.plural, *(part for part in narrowed if part)])
