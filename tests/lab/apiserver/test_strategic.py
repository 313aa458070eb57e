"""Strategic merge: lists by their merge keys, and the directives that kubectl sends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.patches.error import PatchError
from sevengate.lab.apiserver.patches.strategic import strategic_merge
from sevengate.lab.apiserver.schemas import built_in

POD = built_in("", "v1", "Pod")
SERVICE = built_in("", "v1", "Service")
DEPLOYMENT = built_in("apps", "v1", "Deployment")
ACCOUNT = built_in("", "v1", "ServiceAccount")


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


WEB, SIDE = {"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        (pod(WEB), pod({"name": "web", "image": "web:2"}), pod({"name": "web", "image": "web:2"})),
        (pod(WEB), pod(SIDE), pod(WEB, SIDE)),
        (pod(WEB, SIDE), pod({"name": "web", "$patch": "delete"}), pod(SIDE)),
        (pod(WEB, SIDE), pod({"$patch": "replace"}, {"name": "new"}), pod({"name": "new"})),
        (pod({**WEB, "args": ["a"]}), pod({"name": "web", "args": ["b"]}), pod({**WEB, "args": ["b"]})),
        (
            pod({**WEB, "ports": [{"containerPort": 80, "name": "http"}]}),
            pod({"name": "web", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 443}]}),
            pod({**WEB, "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 443}]}),
        ),
        (
            pod(WEB, SIDE),
            {"spec": {"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}], "containers": []}},
            pod(SIDE, WEB),
        ),
        (pod(WEB, hostNetwork=True), {"spec": {"hostNetwork": None}}, pod(WEB)),
        (
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None}}},
            {"metadata": {"labels": {"b": "2"}}},
        ),
        (
            {"metadata": {"labels": {"a": "1"}}},
            {"metadata": {"labels": {"$patch": "replace", "b": "2"}}},
            {"metadata": {"labels": {"b": "2"}}},
        ),
        (
            {"metadata": {"labels": {"a": "1"}}},
            {"metadata": {"labels": {"$patch": "delete"}}},
            {"metadata": {"labels": {}}},
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
            {"metadata": {"finalizers": ["a", "b", "c"]}},
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b"]}},
        ),
    ],
)
def test_a_pod_is_patched_as_kubernetes_does(target: Any, patch: Any, expected: Any) -> None:
    assert strategic_merge(target, patch, POD) == expected


def test_a_strategy_keeps_only_the_keys_that_are_named() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(target, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_ports_of_a_service_are_merged_by_number() -> None:
    target = {"spec": {"ports": [{"port": 80, "nodePort": 30080}, {"port": 443}]}}
    patch = {"spec": {"ports": [{"port": 80, "name": "http"}]}}
    merged = strategic_merge(target, patch, SERVICE)
    assert merged == {"spec": {"ports": [{"port": 80, "nodePort": 30080, "name": "http"}, {"port": 443}]}}


@pytest.mark.parametrize("patch", [[], "x", pod({"image": "no-name"}), {"metadata": {"$patch": "explode"}}])
def test_a_patch_that_does_not_fit_is_refused(patch: Any) -> None:
    with pytest.raises(PatchError):
        strategic_merge(pod(WEB), patch, POD)


NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(NAMES, NAMES)
def test_every_container_of_both_is_there_once_and_the_patch_wins(before: list[str], patched: list[str]) -> None:
    target = pod(*({"name": name, "image": "old"} for name in before))
    merged = strategic_merge(target, pod(*({"name": name, "image": "new"} for name in patched)), POD)
    images = {one["name"]: one["image"] for one in merged["spec"]["containers"]}
    assert len(merged["spec"]["containers"]) == len(images)
    assert images == dict.fromkeys(before, "old") | dict.fromkeys(patched, "new")


@given(NAMES, st.randoms())
def test_the_order_that_is_asked_for_is_given(names: list[str], dice: Any) -> None:
    wanted = list(names)
    dice.shuffle(wanted)
    patch = {"spec": {"$setElementOrder/containers": [{"name": name} for name in wanted]}}
    merged = strategic_merge(pod(*({"name": name} for name in names)), patch, POD)
    assert [one["name"] for one in merged["spec"]["containers"]] == wanted
