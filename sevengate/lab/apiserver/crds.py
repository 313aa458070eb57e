"""CustomResourceDefinitions: the types that users add while the lab runs.

Takes the definitions that are stored; keeps Resources in step, one Resource for each version that is served. Versions
are converted by their name only (strategy None), as Kubernetes does without a webhook. Checks of a definition's values
are in `validation`; rules in CEL (`x-kubernetes-validations`) are not evaluated. Source: Kubernetes, "Extend the
Kubernetes API with CustomResourceDefinitions".
"""

from collections.abc import Callable, Iterator
from typing import Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.resources import Column, Conversion, Resource, Resources
from sevengate.lab.apiserver.schemas import ANY, custom
from sevengate.lab.apiserver.storage import Shelf, Storage

SHELF: Final[Shelf] = ("apiextensions.k8s.io", "customresourcedefinitions")


def follow(storage: Storage, resources: Resources) -> None:
    """Serve what the stored definitions say, from now on."""
    served: dict[str, Object] = {}

    def refresh() -> None:
        stored = {one.object["metadata"]["name"]: one.object for one in storage.items(SHELF)}
        for name, definition in served.items():
            if stored.get(name) is not definition:
                resources.remove_group_plural(definition["spec"]["group"], definition["spec"]["names"]["plural"])
        for name, definition in stored.items():
            if served.get(name) is not definition:
                for resource in resources_of(definition):
                    resources.add(resource)
        served.clear()
        served.update(stored)

    storage.listen(SHELF, refresh)
    refresh()


def resources_of(definition: Object) -> Iterator[Resource]:
    """Give the types that a definition adds, one for each version that is served."""
    versions = definition["spec"]["versions"]
    storage_version = next(version["name"] for version in versions if version["storage"])
    for version in versions:
        if version["served"]:
            yield _resource(definition, version, storage_version)


def _resource(definition: Object, version: Object, storage_version: str) -> Resource:
    spec, names = definition["spec"], definition["spec"]["names"]
    group, plural, name = spec["group"], names["plural"], version["name"]
    subresources = version.get("subresources") or {}
    scale = subresources.get("scale") or {}
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    return Resource(
        group=group,
        version=name,
        plural=plural,
        kind=names["kind"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset(subresources),
        schema=custom(schema) if schema else ANY,
        columns=_columns(version),
        shelf=(group, plural),
        conversion=None if name == storage_version else _renaming(group, name, storage_version),
        is_custom=True,
        scale_paths=(
            scale.get("specReplicasPath", ".spec.replicas")[1:],
            scale.get("statusReplicasPath", ".status.replicas")[1:],
            scale.get("labelSelectorPath", "")[1:],
        ),
    )


def _columns(version: Object) -> tuple[Column, ...]:
    return tuple(
        Column(one["name"], one["type"], one["jsonPath"], one.get("priority", 0))
        for one in version.get("additionalPrinterColumns") or ()
    )


def _renaming(group: str, shown: str, stored: str) -> Conversion:
    def called(version: str) -> Callable[[Object], Object]:
        return lambda thing: {**thing, "apiVersion": f"{group}/{version}"}

    return Conversion(to_stored=called(stored), from_stored=called(shown))


def established(definition: Object) -> Object:
    """Give the status of a definition that is served."""
    spec, now = definition["spec"], definition["metadata"]["creationTimestamp"]
    reasons = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    return {
        "acceptedNames": spec["names"],
        "storedVersions": [version["name"] for version in spec["versions"] if version["storage"]],
        "conditions": [
            {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}
            for kind, reason, message in reasons
        ],
    }
