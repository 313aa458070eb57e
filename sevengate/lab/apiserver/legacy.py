"""API versions that Kubernetes no longer serves, for manifests that were written when it did.

Gives the Resources of `lab up --legacy-apis`: Ingress of extensions/v1beta1 and networking.k8s.io/v1beta1, IngressClass
and RBAC of v1beta1. All are stored as v1, so that clients of either version see the same objects; how an Ingress
is converted is decided in kube/conversion.py. Whoever uses one is warned, as servers of that time did.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from sevengate.kube import conversion
from sevengate.kube.fault import Fault
from sevengate.lab.apiserver.answers import FieldError, Object, invalid
from sevengate.lab.apiserver.resources import Conversion, Resource, Resources
from sevengate.lab.apiserver.schemas import built_in

#: What was served: group, version and plural, the group that stores it, and the version of Kubernetes that ended it.
_SERVED: Final = (
    ("extensions", "v1beta1", "ingresses", "networking.k8s.io", "v1.22"),
    ("networking.k8s.io", "v1beta1", "ingresses", "networking.k8s.io", "v1.22"),
    ("networking.k8s.io", "v1beta1", "ingressclasses", "networking.k8s.io", "v1.22"),
    *(
        ("rbac.authorization.k8s.io", "v1beta1", plural, "rbac.authorization.k8s.io", "v1.22")
        for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
    ),
)


def legacy_resources(resources: Resources) -> Iterator[Resource]:
    """Give the old versions of types that are served."""
    for group, version, plural, today, end in _SERVED:
        stored = resources.get(today, "v1", plural)
        if stored is None:
            raise LookupError(f"{plural}.{today}")
        old = msgspec.structs.replace(stored, group=group, version=version)
        warning = f"{old.api_version} {old.kind} is unavailable in {end}+; use {stored.api_version} {stored.kind}"
        yield msgspec.structs.replace(
            old,
            schema=built_in(group, version, old.kind),
            conversion=_ingress(old) if plural == "ingresses" else _renaming(old, stored),
            deprecation=warning,
        )


def _ingress(resource: Resource) -> Conversion:
    def to_stored(ingress: Object) -> Object:
        try:
            return conversion.modern(ingress)
        except Fault as fault:
            error = FieldError(fault.field, "FieldValueInvalid", f"Invalid value: {fault.message}")
            raise invalid(resource.kind, resource.group, ingress["metadata"]["name"], [error]) from None

    return Conversion(to_stored, lambda stored: conversion.old(stored, resource.api_version))


def _renaming(old: Resource, stored: Resource) -> Conversion:
    def called(version: str) -> Callable[[Object], Object]:
        return lambda thing: {**thing, "apiVersion": version}

    return Conversion(called(stored.api_version), called(old.api_version))
