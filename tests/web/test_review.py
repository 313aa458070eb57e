"""AdmissionReviews as API servers send them, and as nobody should; answers that they show whole."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.compiler.admission import Verdict, judge
from sevengate.compiler.compile import compile_all
from sevengate.diagnostics import Diagnostic, ObjectRef, Severity, Where
from sevengate.settings import Options
from sevengate.web.review import ALL_WARNINGS, LONGEST_WARNING, NoReviewError, Question, answer, read
from tests.cluster.making import ingress
from tests.compiler.making import NOW, service, snapshot
from tests.hostile import ingresses

SHOP = ObjectRef("Ingress", "default", "shop")
PRESENT = compile_all(snapshot(service()), Options(), NOW)


def review(new: object, old: object = None, **request: Any) -> bytes:
    asked = {
        "uid": "705ab4f5",
        "kind": {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"},
        "operation": "UPDATE" if old else "CREATE",
        "namespace": "default",
        "object": new,
        "oldObject": old,
        **request,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}).encode()


def finding(message: str, hint: str = "", ref: ObjectRef = SHOP) -> Diagnostic:
    return Diagnostic(Severity.ERROR, "ingress/conflict", Where(ref, "spec.rules[0]"), message, hint)


def response(verdict: Verdict, question: Question | None = None) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.json.decode(answer(question or read(review(ingress("shop"))), verdict))
    assert (said["apiVersion"], said["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert said["response"]["uid"] == "705ab4f5"
    found: dict[str, Any] = said["response"]
    return found


def test_a_review_holds_the_new_and_the_old_object() -> None:
    question = read(review(ingress("shop"), ingress("shop", ingressClassName="other")))
    assert question.new
    assert question.new.ingress
    assert question.old
    assert question.old.ingress
    assert question.new.ref == SHOP
    assert (question.new.ingress.ingress_class_name, question.old.ingress.ingress_class_name) == ("nginx", "other")


def test_what_is_created_replaces_nothing_and_may_have_no_name_yet() -> None:
    nameless = ingress("x") | {"metadata": {"generateName": "shop-", "namespace": "default"}}
    question = read(review(nameless))
    assert question.old is None
    assert question.new
    assert question.new.ref.name == "shop-new"


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_only_what_is_written_is_judged(operation: str) -> None:
    assert read(review(None, ingress("shop"), operation=operation)).new is None


def test_a_status_and_an_object_that_is_being_deleted_are_not_judged() -> None:
    assert read(review(ingress("shop"), ingress("shop"), subResource="status")).new is None
    going = ingress("shop")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert read(review(going, ingress("shop"))).new is None


def test_an_object_of_another_kind_is_allowed_and_that_is_said() -> None:
    question = read(review({}, kind={"group": "", "version": "v1", "kind": "Pod"}))
    assert response(Verdict(), question) == {
        "uid": "705ab4f5",
        "allowed": True,
        "warnings": ["Sevengate judges Ingresses, and not Pod of v1"],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"apiVersion": "v1", "kind": "AdmissionReview", "request": {}}',
        b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}',
        b'{"apiVersion": "v1", "kind": "Pod", "request": {"uid": "1", "kind": {}, "operation": "CREATE"}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_review_is_refused(body: bytes) -> None:
    with pytest.raises(NoReviewError, match="this is"):
        read(body)


def test_a_denial_names_object_field_reason_and_hint() -> None:
    said = response(Verdict((finding("Path '/' already belongs to Ingress a/b", "the older object wins"),)))
    assert said["allowed"] is False
    assert said["status"]["message"] == (
        "Ingress default/shop spec.rules[0]: Path '/' already belongs to Ingress a/b (the older object wins)"
    )


def test_a_denial_for_the_sake_of_another_object_says_so() -> None:
    other = finding("Path '/' already belongs to Ingress default/shop", ref=ObjectRef("Ingress", "a", "b"))
    assert response(Verdict((other,)))["status"]["message"] == (
        "this would break another object: Ingress a/b spec.rules[0]: Path '/' already belongs to Ingress default/shop"
    )


def test_a_denial_for_many_reasons_stays_readable() -> None:
    said = response(Verdict(tuple(finding(f"reason {number} " + "x" * 5000) for number in range(200))))
    lines = said["status"]["message"].splitlines()
    assert len(lines) == 11
    assert max(map(len, lines)) <= 1024
    assert lines[-1] == "and 190 more"


def test_a_warning_loses_its_hint_before_it_gets_too_long() -> None:
    short = Verdict(remarks=(finding("short", "a hint"),))
    assert response(short)["warnings"] == ["spec.rules[0]: short (a hint)"]
    long = Verdict(remarks=(finding("m" * 80, "h" * 80),))
    assert response(long)["warnings"] == ["spec.rules[0]: " + "m" * 80]
    other = Verdict(remarks=(finding("short", ref=ObjectRef("Ingress", "a", "b")),))
    assert response(other)["warnings"] == ["Ingress a/b spec.rules[0]: short"]


@given(st.lists(st.tuples(st.text(max_size=400), st.text(max_size=200)), max_size=60))
@settings(max_examples=50, deadline=None)
def test_warnings_fit_what_an_api_server_shows(texts: list[tuple[str, str]]) -> None:
    said = response(Verdict(remarks=tuple(finding(message, hint) for message, hint in texts)))
    warnings = said.get("warnings", [])
    assert all(len(warning) <= LONGEST_WARNING and warning.isprintable() for warning in warnings)
    assert sum(len(warning.encode()) for warning in warnings) <= ALL_WARNINGS
    assert bool(warnings) == bool(texts)


@given(ingresses, st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_an_ingress_holds_it_gets_an_answer(found: list[dict[str, Any]], is_update: bool) -> None:
    for one in found:
        try:
            question = read(review(one, found[0] if is_update else None))
        except NoReviewError:
            continue
        assert question.new is not None
        verdict = judge(PRESENT, question.new, question.old, NOW)
        assert response(verdict, question)["allowed"] == verdict.allowed


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
@settings(max_examples=50, deadline=None)
def test_whatever_stands_in_the_place_of_the_object_it_is_a_question(thing: object) -> None:
    for new in (thing, {"metadata": thing}, {"metadata": {"name": thing}}, ingress("a") | {"spec": thing}):
        question = read(review(new))
        assert question.new is not None
        assert question.new.ingress is not None or question.new.faults
