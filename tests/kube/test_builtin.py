"""The kinds that are silently passed over are those of Kubernetes itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest

from sevengate.kube.builtin import is_built_in
from sevengate.kube.decode import KINDS

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.31.0-local"
#: What appears in requests and answers but is never written into a manifest.
ONLY_ON_THE_WIRE = {"APIGroup", "APIVersions", "ComponentStatus", "DeleteOptions", "Status"}


def kinds_of_the_api() -> Iterator[tuple[str, str]]:
    for file in SCHEMAS.glob("*.json"):
        schema = json.loads(file.read_text(encoding="utf-8"))
        has_kind = isinstance(schema, dict) and "kind" in schema.get("properties", {})
        for row in schema.get("x-kubernetes-group-version-kind", ()) if has_kind else ():
            if row["version"] == "v1" and row["kind"] not in ONLY_ON_THE_WIRE and not row["kind"].endswith("List"):
                yield f"{row['group']}/v1" if row["group"] else "v1", row["kind"]


def test_every_stable_kind_of_a_cluster_is_read_or_known_as_built_in() -> None:
    kinds = set(kinds_of_the_api())
    assert len(kinds) > 40
    assert {row for row in kinds if row not in KINDS and not is_built_in(*row)} == set()


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deploymnt"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("v1", "Deployment"),
        ("", ""),
        ("/", "x"),
    ],
)
def test_a_misspelling_or_a_custom_resource_is_not_built_in(api_version: str, kind: str) -> None:
    assert not is_built_in(api_version, kind)


def test_old_versions_of_built_in_kinds_are_built_in() -> None:
    assert is_built_in("extensions/v1beta1", "Deployment")
    assert is_built_in("autoscaling/v2beta2", "HorizontalPodAutoscaler")
