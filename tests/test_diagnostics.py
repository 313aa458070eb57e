"""Diagnostics as values: what they are about, how they read, and that only known codes are reported."""

import pytest

from sevengate.diagnostics import Diagnostic, ObjectRef, Origin, Report, Severity, Where

SHOP = ObjectRef("Ingress", "default", "shop")


def test_a_reference_reads_as_kind_namespace_and_name() -> None:
    assert str(SHOP) == "Ingress default/shop"
    assert str(ObjectRef("IngressClass", "", "nginx")) == "IngressClass nginx"


def test_a_field_path_grows_as_kubernetes_writes_it() -> None:
    rules = Where(SHOP).at("spec").at("rules").at("[0]").at("host")
    assert str(rules) == "Ingress default/shop spec.rules[0].host"


def test_a_deeper_place_keeps_the_object_and_the_origin() -> None:
    where = Where(SHOP, "spec", Origin("shop.yaml", 3))
    assert where.at("tls") == Where(SHOP, "spec.tls", Origin("shop.yaml", 3))


def test_a_diagnostic_says_how_bad_it_is_where_and_what() -> None:
    complaint = Diagnostic(Severity.ERROR, "ingress/empty", Where(SHOP), "nothing to serve")
    assert str(complaint) == "error: Ingress default/shop: nothing to serve [ingress/empty]"


def test_a_report_keeps_what_it_was_told_in_order() -> None:
    report = Report()
    report.error("ingress/empty", Where(SHOP), "one")
    report.warning("ingress/conflict", Where(SHOP), "two", winner=ObjectRef("Ingress", "default", "older"))
    report.notice("manifest/old-version", Where(SHOP), "three", hint="write v1")
    assert [(found.severity, found.message) for found in report] == [
        (Severity.ERROR, "one"),
        (Severity.WARNING, "two"),
        (Severity.NOTICE, "three"),
    ]
    assert len(report) == len(report.done()) == 3


def test_a_report_takes_over_what_another_found() -> None:
    first, second = Report(), Report()
    first.error("ingress/empty", Where(SHOP), "one")
    second.extend(first)
    assert second.done() == first.done()


def test_a_code_that_is_not_in_the_table_cannot_be_reported() -> None:
    with pytest.raises(ValueError, match="made/up"):
        Report().error("made/up", Where(SHOP), "what")
