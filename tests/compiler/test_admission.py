"""What speaks against an Ingress before it is stored: what the write brings about, and nothing else."""

from hypothesis import given, settings

from sevengate.compiler.admission import MAY_STILL_COME, Verdict, Written, judge
from sevengate.compiler.compile import Compilation, compile_all
from sevengate.diagnostics import CODES, Diagnostic, ObjectRef, Severity, Where
from sevengate.kube.objects import AnyObject, Ingress, IngressTLS
from sevengate.settings import Options
from tests.compiler.making import NOW, endpoint_slice, ingress, key_pair, path, rule, secret, service, snapshot
from tests.compiler.test_bad_input import AROUND, odd_ingresses

OLD, NEW = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
SHOP = ingress("shop", rule("shop.example", path("/"), path("/cart")), created=OLD)


def world(*objects: AnyObject, options: Options | None = None) -> Compilation:
    return compile_all(snapshot(service(), endpoint_slice(), *objects), options or Options(), NOW)


def written(one: Ingress, *faults: Diagnostic) -> Written:
    return Written(one.ref, one, faults)


def created(one: Ingress, present: Compilation) -> Verdict:
    return judge(present, written(one), None, NOW)


def updated(one: Ingress, old: Ingress, present: Compilation) -> Verdict:
    return judge(present, written(one), written(old), NOW)


def said(found: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    return [(one.code, str(one.where)) for one in found]


def test_a_sound_ingress_is_allowed_without_a_word() -> None:
    assert created(SHOP, world()) == Verdict()


def test_the_winner_of_a_conflict_is_named() -> None:
    present = world(SHOP)
    verdict = created(ingress("late", rule("shop.example", path("/cart")), created=NEW), present)
    [denial] = verdict.denials
    assert denial.code == "ingress/conflict"
    assert str(denial.where) == "Ingress default/late spec.rules[0].http.paths[0]"
    assert "already belongs to Ingress default/shop" in denial.message
    assert denial.winner == SHOP.ref
    assert not verdict.allowed


def test_what_it_takes_from_a_younger_ingress_denies_it_too() -> None:
    younger = ingress("younger", rule("new.example"), created=NEW)
    old = ingress("old", rule("old.example"), created=OLD)
    verdict = updated(ingress("old", rule("new.example"), created=OLD), old, world(younger, old))
    assert said(verdict.denials) == [("ingress/conflict", "Ingress default/younger spec.rules[0].http.paths[0]")]


def test_what_cannot_be_served_denies_and_what_may_still_come_does_not() -> None:
    bad = ingress("bad", rule("a.example", path("no-slash"), path("/", "missing")), tls=(IngressTLS((), "later"),))
    verdict = created(bad, world())
    assert [found.code for found in verdict.denials] == ["ingress/invalid-path"]
    assert {found.code for found in verdict.remarks} == {"backend/service-not-found", "tls/secret-not-found"}


def test_cert_manager_may_make_the_secret_after_the_ingress() -> None:
    assert created(ingress("shop", rule("a.example"), tls=(IngressTLS(("a.example",), "made-later"),)), world()).allowed
    other = secret("made-later", *key_pair(("b.example",)))
    assert created(
        ingress("shop", rule("a.example"), tls=(IngressTLS(("a.example",), "made-later"),)), world(other)
    ).allowed


def test_a_canary_may_come_before_its_main_ingress_but_a_second_one_may_not() -> None:
    canary = ingress("one", rule("shop.example", path("/")), annotations={"canary": "true"}, created=OLD)
    assert created(canary, world()).allowed
    second = ingress("two", rule("shop.example", path("/")), annotations={"canary": "true"}, created=NEW)
    assert [found.code for found in created(second, world(SHOP, canary)).denials] == ["canary/second"]


def test_what_was_bad_before_does_not_forbid_an_update() -> None:
    bad = ingress("bad", rule("a.example", path("no-slash")), created=OLD)
    labelled = ingress("bad", rule("a.example", path("no-slash")), created=OLD, annotations={"ssl-redirect": "false"})
    verdict = updated(labelled, bad, world(bad))
    assert verdict.allowed
    assert "ingress/invalid-path" in {found.code for found in verdict.remarks}


def test_what_was_bad_before_and_has_only_moved_does_not_forbid_an_update() -> None:
    bad = ingress("bad", rule("a.example", path("no-slash")), created=OLD)
    moved = ingress("bad", rule("b.example"), rule("a.example", path("no-slash")), created=OLD)
    assert updated(moved, bad, world(bad)).allowed


def test_one_more_of_what_was_bad_before_forbids_an_update() -> None:
    bad = ingress("bad", rule("a.example", path("no-slash")), created=OLD)
    worse = ingress("bad", rule("a.example", path("no-slash"), path("no-slash")), created=OLD)
    assert said(updated(worse, bad, world(bad)).denials) == [
        ("ingress/invalid-path", "Ingress default/bad spec.rules[0].http.paths[1].path")
    ]


def test_the_old_object_counts_as_the_server_has_it_and_not_as_it_was_last_seen() -> None:
    bad = ingress("bad", rule("a.example", path("no-slash")), created=OLD)
    assert updated(bad, bad, world()).allowed
    assert not created(bad, world(bad)).allowed


def test_an_ingress_of_another_class_is_left_alone() -> None:
    rules = (rule("not a host", path("no-slash")),)
    foreign = Ingress(SHOP.metadata, ingress_class_name="other", rules=rules)
    fault = Diagnostic(Severity.ERROR, "object/invalid-value", Where(foreign.ref, "spec"), "odd")
    assert judge(world(), written(foreign, fault), None, NOW) == Verdict()


def test_an_ingress_that_comes_to_our_class_is_judged_as_a_new_one() -> None:
    ours = ingress("shop", rule("a.example", path("no-slash")))
    foreign = Ingress(ours.metadata, ingress_class_name="other", rules=ours.rules)
    assert not updated(ours, foreign, world(foreign)).allowed
    assert updated(foreign, ours, world(ours)).allowed


def test_a_catch_all_that_a_flag_forbids_is_denied() -> None:
    whole = Ingress(SHOP.metadata, ingress_class_name="nginx", default_backend=path().backend)
    verdict = created(whole, world(options=Options(disable_catch_all=True)))
    assert [found.code for found in verdict.denials] == ["ingress/catch-all-disabled"]


def test_faults_of_reading_count_as_those_of_compiling() -> None:
    fault = Diagnostic(Severity.ERROR, "object/invalid-value", Where(SHOP.ref, "spec"), "odd")
    assert judge(world(), written(SHOP, fault), None, NOW).denials == (fault,)
    assert judge(world(), written(SHOP, fault), written(SHOP, fault), NOW) == Verdict(remarks=(fault,))
    nameless = ObjectRef("Ingress", "default", "new")
    assert judge(world(), Written(nameless, None, (fault,)), None, NOW).denials == (fault,)


def test_what_is_judged_by_stays_as_it_was() -> None:
    present = world(SHOP)
    fresh = world(SHOP)
    created(ingress("late", rule("shop.example", path("/cart")), created=NEW), present)
    assert (present.table, present.diagnostics, present.memory) == (fresh.table, fresh.diagnostics, fresh.memory)


def test_the_codes_of_what_may_still_come_exist() -> None:
    assert CODES.keys() >= MAY_STILL_COME


@settings(max_examples=60, deadline=None)
@given(odd_ingresses, odd_ingresses)
def test_whatever_an_ingress_holds_there_is_a_verdict(one: Ingress, other: Ingress) -> None:
    present = world(*AROUND)
    verdict = created(one, present)
    assert verdict.allowed == (not verdict.denials)
    assert all(found.severity is Severity.ERROR for found in verdict.denials)
    # What is written again as it is gets no worse.
    assert updated(one, one, present).allowed
    assert updated(one, other, present) == updated(one, other, world(*AROUND, other))
