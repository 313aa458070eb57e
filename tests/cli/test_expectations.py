"""A file of expectations is read whole or refused with every mistake at its line."""

import contextlib
import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.cli.expectations import KEYS, BrokenExpectations, Case, read_cases
from sevengate.routing.request import Request

FILE = """\
- name: the cart
  request:
    url: http://shop.example/cart?x=1
    method: POST
    headers: {X-Canary: always, X-Many: [one, "2"]}
    client: 10.0.0.1
  expect:
    status: 200
    ingress: default/shop
    port: 80
    backends: {"default/cart:80": 90, "default/canary:80": 10%}

- request: {url: "https://shop.example/gone"}
  expect: {status: 404, ingress: null}
"""


def test_a_file_becomes_cases_in_order() -> None:
    assert read_cases(FILE, "expect.yaml") == (
        Case(
            "the cart",
            1,
            Request(
                "shop.example",
                "/cart?x=1",
                "POST",
                "http",
                (("x-canary", "always"), ("x-many", "one"), ("x-many", "2")),
                "10.0.0.1",
            ),
            {
                "status": 200,
                "ingress": "default/shop",
                "port": "80",
                "backends": {"default/cart:80": 90.0, "default/canary:80": 10.0},
            },
        ),
        Case(
            "GET shop.example/gone",
            13,
            Request("shop.example", "/gone", scheme="https"),
            {"status": 404, "ingress": ""},
        ),
    )


def test_an_empty_list_holds_no_case() -> None:
    assert read_cases("[]", "f") == ()


MISTAKES = {
    "": "f:1: error: a list of cases is expected",
    "a: 1": "f:1: error: a list of cases is expected",
    "[" * 100_000: "f:1: error: nested too deeply",
    "- request: {url: http://x/}\n  expect: {status: 2000}": "f:2: error: '2000' is not a number that can stand here",
    "- [": "f:1: error: not YAML",
    "\n- 1": "f:2: error: a mapping is expected",
    "- expect: {status: 200}": "f:1: error: the case has no 'request'",
    "- request: {url: http://x/}": "f:1: error: the case has no 'expect'",
    "- request: {}\n  expect: {status: 200}": "f:1: error: the request has no 'url'",
    "- request: {url: http://x/}\n  expect: {}": "f:2: error: nothing is expected",
    "- request: {url: http://x/}\n  expect:\n    statis: 1": "f:3: error: the key 'statis' is not known here",
    "- request: {url: http://x/}\n  expect:\n    port: 1\n    port: 2": "f:4: error: the key 'port' is there twice",
    "- request: {url: http://x/, verb: x}\n  expect: {status: 200}": "f:1: error: the key 'verb' is not known here",
    "- nam: x\n  request: {url: http://x/}\n  expect: {status: 200}": "f:1: error: the key 'nam' is not known here",
    "- request: {url: x}\n  expect: {status: 200}": "f:1: error: 'x' is not a URL",
    "- request: {url: http://x/, client: me}\n  expect: {status: 200}": "f:1: error: 'me' is not an IPv4",
    "- request: {url: http://x/, headers: [a]}\n  expect: {status: 200}": "f:1: error: a mapping is expected",
    "- request: {url: [http://x/]}\n  expect: {status: 200}": "f:1: error: text is expected",
    "- request: {url: http://x/}\n  expect: {status: ok}": "f:2: error: 'ok' is not a number that can stand here",
    "- request: {url: http://x/}\n  expect: {backends: {a: 101}}": "f:2: error: '101' is not a number",
    "- request: {url: http://x/}\n  expect: {backends: {a: -1}}": "f:2: error: '-1' is not a number",
}


@pytest.mark.parametrize(("text", "mistake"), MISTAKES.items(), ids=MISTAKES.values())
def test_each_mistake_is_told_with_its_line(text: str, mistake: str) -> None:
    with pytest.raises(BrokenExpectations) as broken:
        read_cases(text, "f")
    assert str(broken.value).startswith(mistake)


def test_all_cases_with_mistakes_are_told_at_once() -> None:
    text = textwrap.dedent(
        """\
        - request: {url: http://x/}
          expect: {status: 200}
        - request: {url: x}
          expect: {status: 200}
        - 7
        """
    )
    with pytest.raises(BrokenExpectations) as broken:
        read_cases(text, "f")
    assert [line.split(" ")[0] for line in str(broken.value).splitlines()] == ["f:3:", "f:5:"]


words = st.sampled_from(
    ["request", "expect", "url", "http://x/", "status", "200", "- ", ": ", "\n", "  ", "{", "}", "["]
)


@given(st.one_of(st.text(), st.lists(words).map("".join)))
def test_no_text_breaks_the_reading_of_a_file(text: str) -> None:
    with contextlib.suppress(BrokenExpectations):
        read_cases(text, "f")


def test_the_example_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "test-routes-in-ci.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    assert len(read_cases(example, "example.yaml")) == 7
    documented = re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)))
    assert sorted(documented) == sorted(KEYS)
