"""A verdict tells each expectation that was not met, in words, and JUnit XML carries it on."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.cli.expectations import Case, Expected
from sevengate.cli.junit import junit_xml
from sevengate.cli.verdicts import Verdict, judge, split_backend
from sevengate.routing.request import Request
from tests.matching import table_of

TABLE = table_of(
    {
        "h": [
            {"name": "shop", "prefix": "/shop", "rewrite": ["/shop(.*)", "/$1"], "upstream-host": "inner"},
            {"name": "split", "prefix": "/split", "weights": {"main": 2, "canary": 1}},
            {"name": "moved", "prefix": "/moved", "redirect": [301, "https://new$request_uri"]},
            {"name": "gone", "prefix": "/gone", "empty": True},
        ]
    }
)

MET: dict[str, list[dict[str, Expected]]] = {
    "/shop": [
        {"status": 200},
        {"host": "h", "ingress": "test/shop", "route": "shop", "port": "80"},
        {"service": "shop"},
        {"service": "test/shop"},
        {"upstream-host": "inner"},
        {"backends": {"test/shop:80": 100.0}},
        {"location": ""},
    ],
    "/shop/a?b=c": [{"path": "//a", "query": "b=c"}],
    "/split": [{"backends": {"test/main:80": 66.7, "test/canary:80": 33.3}}, {"status": 200}],
    "/moved": [{"status": 301, "location": "https://new/moved", "path": "", "service": "moved"}],
    "/gone": [{"status": 503, "ingress": "test/gone"}],
    "/nowhere": [{"status": 404, "ingress": "", "service": "", "route": ""}],
}


@pytest.mark.parametrize(("path", "expect"), [(path, expect) for path, all_ in MET.items() for expect in all_])
def test_what_is_as_expected_passes(path: str, expect: dict[str, Expected]) -> None:
    assert judge(TABLE, Case("", 1, Request("h", path), expect)).failures == ()


MISSED: dict[str, tuple[str, dict[str, Expected]]] = {
    "status is 200, expected was 404": ("/shop", {"status": 404}),
    "ingress is test/shop, expected was nothing": ("/shop", {"ingress": ""}),
    "service is test/shop, expected was cart": ("/shop", {"service": "cart"}),
    "service is test/shop, expected was other/shop": ("/shop", {"service": "other/shop"}),
    "service is test/main or test/canary, expected was main": ("/split", {"service": "main"}),
    "backends is test/main:80 66.67%, test/canary:80 33.33%, expected was test/main:80 100%": (
        "/split",
        {"backends": {"test/main:80": 100.0}},
    ),
    "location is nothing, expected was http://x/": ("/shop", {"location": "http://x/"}),
}


@pytest.mark.parametrize(("sentence", "asked"), MISSED.items(), ids=MISSED)
def test_what_is_not_as_expected_is_told(sentence: str, asked: tuple[str, dict[str, Expected]]) -> None:
    path, expect = asked
    assert judge(TABLE, Case("", 1, Request("h", path), expect)).failures == (sentence,)


@pytest.mark.parametrize("name", ["ns/shop:80", "ns/shop:80@service"])
def test_a_backend_is_named_by_its_service_and_port(name: str) -> None:
    assert split_backend(name) == ("ns/shop", "80")


def test_verdicts_become_junit_xml() -> None:
    good = Verdict(Case("good", 1, Request("h"), {}), ())
    bad = Verdict(Case("<bad>", 5, Request("h"), {}), ("status is 1, expected was 2", "host is x, expected was y"))
    suite = ET.fromstring(junit_xml([good, bad], "expect.yaml").encode())
    assert suite.attrib == {"name": "expect.yaml", "tests": "2", "failures": "1", "errors": "0"}
    assert [(case.get("name"), case.get("line")) for case in suite] == [("good", "1"), ("<bad>", "5")]
    failure = suite[1][0]
    assert failure.get("message") == "status is 1, expected was 2"
    assert failure.text == "status is 1, expected was 2\nhost is x, expected was y"


@given(st.text(), st.text())
def test_any_text_fits_into_junit_xml(name: str, failure: str) -> None:
    text = junit_xml([Verdict(Case(name, 1, Request("h"), {}), (failure,))], name)
    assert ET.fromstring(text.encode()).get("failures") == "1"
