"""A Snapshot follows events, shares what stayed, and says exactly what changed."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.kube.objects import (
    AnyObject,
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    Metadata,
    Namespace,
    Node,
    Pod,
    Secret,
    Service,
)
from sevengate.kube.snapshot import Changes, Deleted, Event, Snapshot

FIELDS: dict[type[AnyObject], str] = {
    Ingress: "ingresses",
    IngressClass: "ingress_classes",
    Service: "services",
    Endpoints: "endpoints",
    Secret: "secrets",
    ConfigMap: "config_maps",
    Namespace: "namespaces",
    Node: "nodes",
    Pod: "pods",
}


def named(name: str, version: str = "1") -> Metadata:
    return Metadata(name, "ns", resource_version=version)


def piece(name: str, service: str, version: str = "1") -> EndpointSlice:
    return EndpointSlice(metadata=named(name, version), service=service)


def after(*events: Event, base: Snapshot | None = None) -> tuple[Snapshot, Changes]:
    return (base or Snapshot()).after(events)


@pytest.mark.parametrize("kind", FIELDS)
def test_objects_of_every_kind_come_change_and_go(kind: type[AnyObject]) -> None:
    field = FIELDS[kind]
    old, new = kind(metadata=named("a")), kind(metadata=named("a", "2"))
    one, came = after(old)
    two, changed = after(new, base=one)
    none, went = after(Deleted(kind.KIND, "ns/a"), base=two)
    assert (getattr(one, field), getattr(two, field), getattr(none, field)) == ({"ns/a": old}, {"ns/a": new}, {})
    assert came == changed == went == msgspec.structs.replace(Changes(), **{field: frozenset({"ns/a"})})


def test_what_did_not_change_is_shared_and_the_old_snapshot_stays_as_it_was() -> None:
    one, _ = after(Ingress(metadata=named("a")), Service(metadata=named("a")))
    two, _ = after(Ingress(metadata=named("b")), base=one)
    assert two.services is one.services
    assert two.ingresses["ns/a"] is one.ingresses["ns/a"]
    assert list(one.ingresses) == ["ns/a"]


def test_an_equal_object_changes_nothing_and_the_one_held_stays() -> None:
    one, _ = after(Ingress(metadata=named("a")), piece("a-1", "a"))
    two, changes = after(Ingress(metadata=named("a")), piece("a-1", "a"), base=one)
    assert two is one
    assert not changes


@pytest.mark.parametrize("kind", [kind.KIND for kind in (*FIELDS, EndpointSlice)])
def test_deleting_what_is_not_there_changes_nothing(kind: str) -> None:
    one, _ = after(Ingress(metadata=named("a")))
    assert after(Deleted(kind, "ns/x"), base=one) == (one, Changes())


def test_slices_stand_by_their_service_in_the_order_of_their_names() -> None:
    snapshot, changes = after(piece("b", "web"), piece("a", "web"), piece("c", "api"))
    assert snapshot.endpoint_slices == {
        "ns/web": (piece("a", "web"), piece("b", "web")),
        "ns/api": (piece("c", "api"),),
    }
    assert changes == Changes(endpoints=frozenset({"ns/web", "ns/api"}))


def test_a_changed_slice_leaves_its_neighbours_as_they_are() -> None:
    one, _ = after(piece("a", "web"), piece("b", "web"))
    two, changes = after(piece("a", "web", "2"), base=one)
    assert two.endpoint_slices["ns/web"] == (piece("a", "web", "2"), piece("b", "web"))
    assert two.endpoint_slices["ns/web"][1] is one.endpoint_slices["ns/web"][1]
    assert changes == Changes(endpoints=frozenset({"ns/web"}))


def test_a_slice_that_moves_changes_both_services() -> None:
    one, _ = after(piece("a", "web"), piece("b", "web"))
    two, changes = after(piece("a", "api"), base=one)
    assert two.endpoint_slices == {"ns/web": (piece("b", "web"),), "ns/api": (piece("a", "api"),)}
    assert changes == Changes(endpoints=frozenset({"ns/web", "ns/api"}))


def test_a_deleted_slice_is_found_by_its_own_key_and_the_last_one_takes_the_group_along() -> None:
    one, _ = after(piece("a", "web"), piece("b", "web"))
    two, changes = after(Deleted("EndpointSlice", "ns/a"), base=one)
    none, _ = after(Deleted("EndpointSlice", "ns/b"), base=two)
    assert two.endpoint_slices == {"ns/web": (piece("b", "web"),)}
    assert changes == Changes(endpoints=frozenset({"ns/web"}))
    assert none == Snapshot()


def test_a_slice_without_a_service_belongs_to_nobody() -> None:
    assert after(piece("a", "")) == (Snapshot(), Changes())
    one, _ = after(piece("a", "web"))
    gone, changes = after(piece("a", ""), base=one)
    assert (gone, changes) == (Snapshot(), Changes(endpoints=frozenset({"ns/web"})))


def test_both_forms_of_endpoints_are_named_by_the_service() -> None:
    _, changes = after(Endpoints(metadata=named("web")), piece("web-1", "web"))
    assert changes == Changes(endpoints=frozenset({"ns/web"}))


def test_changes_of_several_events_are_joined() -> None:
    _, first = after(Ingress(metadata=named("a")))
    _, second = after(Ingress(metadata=named("b")), Pod(metadata=named("p")))
    assert first | second == Changes(ingresses=frozenset({"ns/a", "ns/b"}), pods=frozenset({"ns/p"}))
    assert not Changes()


NAMES = st.sampled_from("abc")
EVENTS: st.SearchStrategy[list[Event]] = st.lists(
    st.builds(piece, NAMES, st.sampled_from(["", "web", "api"]), NAMES)
    | st.builds(lambda name, version: Ingress(metadata=named(name, version)), NAMES, NAMES)
    | st.builds(Deleted, st.sampled_from(["Ingress", "EndpointSlice"]), NAMES.map("ns/{}".format))
)


def model(events: Iterable[Event]) -> dict[tuple[str, str], AnyObject]:
    held: dict[tuple[str, str], AnyObject] = {}
    for event in events:
        if isinstance(event, Deleted):
            held.pop((event.kind, event.key), None)
        else:
            held[event.KIND, event.key] = event
    return held


@given(EVENTS, EVENTS)
def test_any_events_lead_to_what_they_say_and_all_differences_are_named(
    first: list[Event], second: list[Event]
) -> None:
    one, _ = Snapshot().after(first)
    two, changes = one.after(second)
    held = model([*first, *second])
    assert two.ingresses == {key: thing for (kind, key), thing in held.items() if kind == "Ingress"}
    slices = sorted((piece for piece in held.values() if isinstance(piece, EndpointSlice)), key=lambda it: it.key)
    keys = {one.service_key for one in slices if one.service}
    assert two.endpoint_slices == {
        key: tuple(one for one in slices if one.service and one.service_key == key) for key in keys
    }
    assert two.slice_services == {one.key: one.service_key for one in slices if one.service}
    for field, changed in (("ingresses", changes.ingresses), ("endpoint_slices", changes.endpoints)):
        before, now = getattr(one, field), getattr(two, field)
        assert {key for key in {*before, *now} if before.get(key) != now.get(key)} <= changed
