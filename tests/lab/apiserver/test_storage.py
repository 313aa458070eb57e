"""Storage: revisions that only rise, the past as far as the log knows it, and what owns what."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver import storage as module
from sevengate.lab.apiserver.storage import Change, CompactedError, Storage

SHELF = ("", "things")
STEPS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([None, 1, 2])), max_size=20)


def thing(name: str, value: int, *owners: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": owner} for owner in owners]},
        "value": value,
    }


def put(storage: Storage, name: str, value: int, *owners: str) -> int:
    return storage.put(SHELF, ("", name), thing(name, value, *owners)).revision


@given(STEPS)
def test_every_past_state_can_be_seen_again(steps: list[tuple[str, int | None]]) -> None:
    storage = Storage()
    state: dict[str, int] = {}
    past = [(storage.revision, dict(state))]
    for name, value in steps:
        if value is not None:
            put(storage, name, value)
            state[name] = value
        elif name in state:
            storage.remove(SHELF, ("", name))
            del state[name]
        past.append((storage.revision, dict(state)))
    for revision, expected in past:
        seen = storage.items_at(SHELF, revision)
        assert {one.object["metadata"]["name"]: one.object["value"] for one in seen} == expected
        replayed = dict(expected)
        for event in storage.events_since(SHELF, revision):
            if event.change is Change.DELETED:
                del replayed[event.key[1]]
            else:
                replayed[event.key[1]] = event.stored.object["value"]
        assert replayed == state


def test_the_log_is_bounded_and_says_when_it_does_not_reach_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_LENGTH", 10)
    storage = Storage()
    first = put(storage, "a", 0)
    revisions = [put(storage, "a", value) for value in range(1, 30)]
    with pytest.raises(CompactedError):
        storage.events_since(SHELF, first)
    known = [event.revision for event in storage.events_since(SHELF, revisions[-6])]
    assert known == revisions[-5:]


def test_each_change_wakes_the_listeners_of_its_type_only() -> None:
    storage = Storage()
    woken: list[str] = []
    stop = storage.listen(SHELF, lambda: woken.append("things"))
    storage.listen(("", "others"), lambda: woken.append("others"))
    put(storage, "a", 1)
    stop()
    put(storage, "a", 2)
    assert woken == ["things"]


def test_an_object_is_encoded_once() -> None:
    storage = Storage()
    stored = storage.put(SHELF, ("", "a"), thing("a", 1))
    assert stored.encoded is stored.encoded
    assert storage.events_since(SHELF, 0)[0].stored.encoded is stored.encoded


def test_owners_are_followed_as_they_change() -> None:
    storage = Storage()
    put(storage, "owner", 1)
    put(storage, "child", 1, "owner")
    assert storage.owned_by("owner") == [(SHELF, ("", "child"))]
    put(storage, "child", 2)
    assert storage.owned_by("owner") == []
    put(storage, "child", 3, "owner")
    storage.remove(SHELF, ("", "child"))
    assert storage.owned_by("owner") == []
    assert storage.with_uid("child") is None


def test_a_namespace_is_told_from_its_namesakes() -> None:
    storage = Storage()
    for namespace in ("a", "ab", "b"):
        plain = {"metadata": {"name": "x", "namespace": namespace, "uid": namespace}}
        storage.put(SHELF, (namespace, "x"), plain)
    assert [one.object["metadata"]["namespace"] for one in storage.items(SHELF, "a")] == ["a"]
