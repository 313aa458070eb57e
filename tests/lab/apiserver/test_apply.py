"""Server-side apply: who owns which field, what a conflict is, and what goes when nobody owns it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.apply import APPLY, UPDATE, ApplyConflict, Owner, Writing, apply, owners_of, track_update
from sevengate.lab.apiserver.fieldsets import Fields, compare, fields_of, read, spelled, write
from sevengate.lab.apiserver.schemas import built_in

DEPLOYMENT = built_in("apps", "v1", "Deployment")
CONFIG_MAP = built_in("", "v1", "ConfigMap")
NOW = "2026-01-01T00:00:00Z"

Data = dict[str, str]
DATA = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xyz"), max_size=5)


def writing(name: str, operation: str = APPLY, *, force: bool = False, time: str = NOW) -> Writing:
    return Writing(Owner(name, operation, "apps/v1"), time, force)


def settings(data: Data) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": dict(data)}


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    return {"template": {"spec": {"containers": list(items)}}}


def owned(thing: dict[str, Any], name: str) -> Fields:
    return frozenset().union(*(one.fields for owner, one in owners_of(thing).items() if owner.name == name))


BARE = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}


def test_who_applies_owns_exactly_what_is_named() -> None:
    live = apply(
        BARE, deployment(replicas=2, **containers({"name": "web", "image": "web:1"})), DEPLOYMENT, writing("me")
    )
    web = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}')
    assert owned(live, "me") == {("f:spec", "f:replicas"), web, (*web, "f:name"), (*web, "f:image")}


def test_another_value_for_what_another_owns_is_a_conflict() -> None:
    live = apply(BARE, deployment(replicas=2), DEPLOYMENT, writing("me"))
    with pytest.raises(ApplyConflict) as caught:
        apply(live, deployment(replicas=3), DEPLOYMENT, writing("you"))
    answer = caught.value.answer()
    assert (answer.code, answer.reason) == (409, "Conflict")
    assert answer.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "me" using apps/v1', "field": ".spec.replicas"}
    ]


def test_the_same_value_is_owned_together() -> None:
    live = apply(BARE, deployment(replicas=2), DEPLOYMENT, writing("me"))
    live = apply(live, deployment(replicas=2), DEPLOYMENT, writing("you"))
    assert owned(live, "me") == owned(live, "you") == {("f:spec", "f:replicas")}


def test_force_takes_a_field_from_its_owner() -> None:
    live = apply(BARE, deployment(replicas=2, paused=True), DEPLOYMENT, writing("me"))
    live = apply(live, deployment(replicas=3), DEPLOYMENT, writing("you", force=True))
    assert live["spec"] == {"replicas": 3, "paused": True}
    assert owned(live, "me") == {("f:spec", "f:paused")}
    assert owned(live, "you") == {("f:spec", "f:replicas")}


def test_what_is_named_no_more_goes() -> None:
    live = apply(BARE, deployment(replicas=2, paused=True), DEPLOYMENT, writing("me"))
    live = apply(live, deployment(replicas=2), DEPLOYMENT, writing("me"))
    assert live["spec"] == {"replicas": 2}


def test_what_another_owns_too_stays() -> None:
    live = apply(BARE, deployment(replicas=2, paused=True), DEPLOYMENT, writing("me"))
    live = apply(live, deployment(paused=True), DEPLOYMENT, writing("you"))
    live = apply(live, deployment(replicas=2), DEPLOYMENT, writing("me"))
    assert live["spec"]["paused"] is True


def test_an_item_that_is_named_no_more_goes_with_what_was_filled_in() -> None:
    live = apply(BARE, deployment(**containers({"name": "web"}, {"name": "side"})), DEPLOYMENT, writing("me"))
    live["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] = "Always"
    live = apply(live, deployment(**containers({"name": "web"})), DEPLOYMENT, writing("me"))
    assert live["spec"]["template"]["spec"]["containers"] == [{"name": "web"}]


def test_an_item_in_which_another_owns_something_stays() -> None:
    live = apply(BARE, deployment(**containers({"name": "web"}, {"name": "side"})), DEPLOYMENT, writing("me"))
    live = apply(live, deployment(**containers({"name": "side", "image": "x"})), DEPLOYMENT, writing("you"))
    live = apply(live, deployment(**containers({"name": "web"})), DEPLOYMENT, writing("me"))
    assert [one["name"] for one in live["spec"]["template"]["spec"]["containers"]] == ["web", "side"]


def test_ports_of_one_number_and_different_protocols_are_two() -> None:
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]
    live = apply(BARE, deployment(**containers({"name": "dns", "ports": ports})), DEPLOYMENT, writing("me"))
    assert live["spec"]["template"]["spec"]["containers"][0]["ports"] == ports


def test_an_update_takes_what_it_changes_from_its_owners() -> None:
    live = apply(BARE, deployment(replicas=2, paused=True), DEPLOYMENT, writing("me"))
    new = {**live, "spec": {"replicas": 3, "paused": True}}
    new["metadata"] = {
        **live["metadata"],
        "managedFields": track_update(live, new, DEPLOYMENT, writing("edit", UPDATE)),
    }
    assert owned(new, "me") == {("f:spec", "f:paused")}
    assert owned(new, "edit") == {("f:spec", "f:replicas")}


def test_an_update_that_removes_a_field_leaves_it_to_nobody() -> None:
    live = apply(BARE, deployment(replicas=2, paused=True), DEPLOYMENT, writing("me"))
    new = {**live, "spec": {"replicas": 2}}
    managed = track_update(live, new, DEPLOYMENT, writing("edit", UPDATE))
    assert [entry["fieldsV1"] for entry in managed] == [{"f:spec": {"f:replicas": {}}}]


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    live = apply(BARE, deployment(replicas=2), DEPLOYMENT, writing("me"))
    assert apply(live, deployment(replicas=2), DEPLOYMENT, writing("me", time="2027-01-01T00:00:00Z")) == live


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "cat"]), DATA), max_size=6))
def test_after_any_applies_by_force_each_owner_finds_the_last_word(steps: list[tuple[str, Data]]) -> None:
    live: dict[str, Any] = settings({})
    wanted: dict[str, Data] = {}
    for name, data in steps:
        live = apply(live, settings(data), CONFIG_MAP, writing(name, force=True))
        wanted = {
            other: {key: value for key, value in theirs.items() if data.get(key, value) == value}
            for other, theirs in wanted.items()
        } | {name: data}
    expected: Data = {}
    for theirs in wanted.values():
        expected |= theirs
    assert live.get("data", {}) == expected
    for name, theirs in wanted.items():
        keys = {path[1].removeprefix("f:") for path in owned(live, name) if len(path) == 2}
        assert keys == theirs.keys()


@given(DATA, DATA, DATA)
def test_without_force_nothing_of_another_owner_is_ever_changed(mine: Data, yours: Data, more: Data) -> None:
    live = apply(settings({}), settings(mine), CONFIG_MAP, writing("me"))
    for data in (yours, more):
        try:
            live = apply(live, settings(data), CONFIG_MAP, writing("you"))
        except ApplyConflict:
            assert any(mine.get(key, value) != value for key, value in data.items())
    assert {key: live["data"][key] for key in mine} == mine


@given(DATA)
def test_fields_are_read_as_they_were_written(data: Data) -> None:
    fields = fields_of(settings(data), CONFIG_MAP)
    assert read(write(fields)) == fields


@given(DATA, DATA)
def test_a_difference_names_what_is_new_other_or_gone(old: Data, new: Data) -> None:
    found = compare(settings(old), settings(new), CONFIG_MAP)
    keys = {
        name: {path[1].removeprefix("f:") for path in getattr(found, name) if len(path) == 2}
        for name in ("added", "modified", "removed")
    }
    assert keys == {
        "added": new.keys() - old.keys(),
        "modified": {key for key in old.keys() & new.keys() if old[key] != new[key]},
        "removed": old.keys() - new.keys(),
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:c", 'k:{"name":"web"}', "f:image"), '.c[name="web"].image'),
        (("f:p", 'k:{"containerPort":80,"protocol":"TCP"}'), '.p[containerPort=80,protocol="TCP"]'),
        (("f:metadata", "f:finalizers", 'v:"x"'), '.metadata.finalizers[="x"]'),
    ],
)
def test_a_field_is_spelled_as_messages_do(path: tuple[str, ...], text: str) -> None:
    assert spelled(path) == text


LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
TEMPLATES = st.fixed_dictionaries({}, optional={"metadata": st.fixed_dictionaries({}, optional={"labels": LABELS})})
SPECS = st.fixed_dictionaries({}, optional={"replicas": st.integers(0, 1), "template": TEMPLATES})


@given(old=SPECS, new=SPECS)
def test_a_comparison_finds_what_two_whole_walks_find(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = fields_of(deployment(**old), DEPLOYMENT), fields_of(deployment(**new), DEPLOYMENT)
    difference = compare(deployment(**old), deployment(**new), DEPLOYMENT)
    assert (difference.added, difference.removed) == (after - before, before - after)
    changed = {("f:spec", "f:replicas")} if old.get("replicas") != new.get("replicas") else set()
    assert difference.modified & {("f:spec", "f:replicas")} == changed & before & after
