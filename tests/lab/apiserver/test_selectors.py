"""Label and field selectors: what they select, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.answers import ApiError
from sevengate.lab.apiserver.selectors import Selector, of_label_selector, read_fields, read_labels

THING = {"metadata": {"name": "web", "labels": {"app": "web", "tier": "front", "empty": ""}}}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier=front", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app=db", False),
        ("app in (db, web)", True),
        ("app notin (db,web)", False),
        ("missing notin (db)", True),
        ("missing in (db)", False),
        ("app", True),
        ("!app", False),
        ("! missing", True),
        ("empty=", True),
        ("app=web,!missing,tier in (front,back)", True),
        ("app=web,tier=back", False),
    ],
)
def test_labels_are_selected_as_kubernetes_says(text: str, selected: bool) -> None:
    assert Selector(read_labels(text)).matches(THING) is selected


@pytest.mark.parametrize(
    "text", ["=", "app=web=x", "app in web", "a b", ",", "app=we b", "app=-web", "app in (a", "(a)"]
)
def test_what_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError):
        read_labels(text)


NAME = st.from_regex(r"[a-z]([a-z0-9]{0,4}[a-z0-9])?", fullmatch=True)


@given(st.dictionaries(NAME, NAME, max_size=4), st.dictionaries(NAME, NAME, max_size=4))
def test_equalities_select_what_has_all_of_them(wanted: dict[str, str], labels: dict[str, str]) -> None:
    text = ",".join(f"{key}={value}" for key, value in wanted.items())
    thing = {"metadata": {"name": "x", "labels": labels}}
    has_all = wanted.items() <= labels.items()
    assert Selector(read_labels(text)).matches(thing) is has_all
    assert of_label_selector({"matchLabels": wanted}).matches(thing) is has_all


@given(NAME, st.lists(NAME, min_size=1, max_size=3), st.dictionaries(NAME, NAME, max_size=4))
def test_in_and_notin_are_opposites(key: str, values: list[str], labels: dict[str, str]) -> None:
    thing = {"metadata": {"name": "x", "labels": labels}}
    listed = ",".join(values)
    chosen, others = (Selector(read_labels(f"{key} {word} ({listed})")).matches(thing) for word in ("in", "notin"))
    assert chosen is not others


def test_fields_are_selected_by_their_values() -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"nodeName": "node01"}, "status": {"phase": "Running"}}
    for text, selected in (
        ("spec.nodeName=node01", True),
        ("spec.nodeName!=node01", False),
        ("status.phase==Running,metadata.name=a", True),
        ("spec.hostNetwork=false", True),
        ("status.podIP=", True),
    ):
        assert Selector(fields=read_fields(text, "Pod")).matches(pod) is selected


@pytest.mark.parametrize(("text", "kind"), [("spec.nodeName=a", "Ingress"), ("spec.replicas=1", "Pod"), ("a", "Pod")])
def test_a_field_that_cannot_be_selected_is_refused_and_selects_not_everything(text: str, kind: str) -> None:
    with pytest.raises(ApiError):
        read_fields(text, kind)
