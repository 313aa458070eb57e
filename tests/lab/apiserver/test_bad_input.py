"""Whatever is sent, the answer is a refusal or an object, and never a failure of the server."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.answers import ApiError
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.bodies import read_object, read_patch
from sevengate.lab.apiserver.calls import Call, read_call
from sevengate.lab.apiserver.protobuf import MAGIC
from sevengate.lab.apiserver.rbac import MASTERS, User
from sevengate.lab.apiserver.removal import read_deletion
from tests.lab.apiserver.serving import CONFIG_MAPS, DEPLOYMENTS, INGRESSES, PODS, Object, deployment, ingress, pod

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0.5, "", "x\n", "\0", [], [None], [[]], {}, {"": None}, {"a": {"b": []}}, 2**70]
)
BODIES = {DEPLOYMENTS: deployment("a"), INGRESSES: ingress("a"), PODS: pod("a")}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, part in parts for deeper in paths(part, (*path, key)))]


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = deepcopy(body)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return changed


@st.composite
def mutilated(draw: st.DrawFn) -> tuple[str, Any]:
    place = draw(st.sampled_from(sorted(BODIES)))
    body: Any = BODIES[place]
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(body)))
        body = replaced(body, path, draw(ODD))
    return place, body


def call_of(api: Api, method: str, path: str) -> Call:
    call = read_call(method, path, {"fieldManager": "test"}, api.resources)
    call.user = User("owner", (MASTERS,))
    return call


def answered(work: Coroutine[Any, Any, Any]) -> Any:
    """Give what comes of it, or None for a refusal; any other exception is a failure."""
    with suppress(ApiError):
        return asyncio.run(work)
    return None


API = Api()


@given(mutilated())
def test_a_mutilated_object_is_refused_or_created_and_goes_again(case: tuple[str, Any]) -> None:
    path, body = case
    if answered(API.verbs.create(call_of(API, "POST", path), body)):
        name = body["metadata"]["name"]
        asyncio.run(API.verbs.delete(call_of(API, "DELETE", f"{path}/{name}"), read_deletion({}, {})))


@given(mutilated(), st.sampled_from(["merge-patch+json", "strategic-merge-patch+json"]))
def test_a_mutilated_patch_is_refused_or_carried_out(case: tuple[str, Any], kind: str) -> None:
    path, body = case
    api = Api()
    asyncio.run(api.verbs.create(call_of(api, "POST", path), BODIES[path]))
    call = call_of(api, "PATCH", f"{path}/a")

    async def patch() -> None:
        change = read_patch(msgspec.json.encode(body), f"application/{kind}", call.resource, "")
        await api.verbs.patch(call, change)

    with suppress(OverflowError):  # msgspec writes no number of this size, so no client can send it
        msgspec.json.encode(body)
        answered(patch())


@given(mutilated())
def test_a_mutilated_configuration_is_refused_or_applied(case: tuple[str, Any]) -> None:
    path, body = case
    api = Api()
    answered(api.verbs.apply(call_of(api, "PATCH", f"{path}/a"), body))


@pytest.mark.parametrize("spec", [{}, {"spec": {}}, {"spec": None}, {"data": {}, "rules": [], "subsets": [{}]}])
def test_an_object_of_any_type_that_says_almost_nothing_is_refused_or_created(spec: Object) -> None:
    api = Api()
    for resource in [one for one in api.resources if one.is_stored]:
        root = f"/apis/{resource.api_version}" if resource.group else "/api/v1"
        place = f"{root}/namespaces/default/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "a"}, **spec}
        answered(api.verbs.create(call_of(api, "POST", place), body))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_object_are_refused(body: bytes) -> None:
    for content_type, content in (
        ("application/json", body),
        ("application/yaml", body),
        ("application/vnd.kubernetes.protobuf", MAGIC + body),
    ):
        with suppress(ApiError):
            assert isinstance(read_object(content, content_type), dict)


@given(
    st.text(max_size=40), st.sampled_from(["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion"])
)
def test_any_query_is_refused_or_answered(text: str, name: str) -> None:
    call = call_of(API, "GET", CONFIG_MAPS)
    call.query = {name: text}
    with suppress(ApiError):
        assert API.verbs.page(call).revision
