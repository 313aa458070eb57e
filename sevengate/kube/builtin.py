"""Kinds that every cluster has and that decide no routes: a manifest may hold them and nothing need be said.

Whatever else has a kind and an apiVersion is either a custom resource or a misspelling, and is told so by decode.py.
The names are those of the API reference (https://kubernetes.io/docs/reference/kubernetes-api/), by API group.
"""

from typing import Final

_BY_GROUP: Final = {
    "": "Binding Event LimitRange PersistentVolume PersistentVolumeClaim PodTemplate ReplicationController"
    " ResourceQuota ServiceAccount",
    "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
    " MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
    " ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io": "SelfSubjectReview TokenRequest TokenReview",
    "authorization.k8s.io": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview"
    " SubjectAccessReview",
    "autoscaling": "HorizontalPodAutoscaler Scale",
    "batch": "CronJob Job",
    "certificates.k8s.io": "CertificateSigningRequest ClusterTrustBundle PodCertificateRequest",
    "coordination.k8s.io": "Lease LeaseCandidate",
    "events.k8s.io": "Event",
    "extensions": "DaemonSet Deployment NetworkPolicy PodSecurityPolicy ReplicaSet",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io": "IPAddress NetworkPolicy ServiceCIDR",
    "node.k8s.io": "RuntimeClass",
    "policy": "Eviction PodDisruptionBudget PodSecurityPolicy",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "resource.k8s.io": "DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice",
    "scheduling.k8s.io": "PodGroup PriorityClass Workload",
    "storage.k8s.io": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
    "storagemigration.k8s.io": "StorageVersionMigration",
}
_KINDS: Final = frozenset((group, kind) for group, kinds in _BY_GROUP.items() for kind in kinds.split())


def is_built_in(api_version: str, kind: str) -> bool:
    """Say whether it is a kind of Kubernetes itself that Sevengate has no use for, in any version."""
    group, _, _ = api_version.rpartition("/")
    return (group, kind) in _KINDS
