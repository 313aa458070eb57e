"""A file of expectations: requests, and what ought to become of each. The input of `sevengate test`.

Takes YAML text; gives Cases, or raises BrokenExpectations with every mistake at its line: a key that is not known is
one, because a misspelt expectation that passes is worse than none. YAML is composed and not loaded, so that each node
knows its line and `no` stays text. What a case comes to is verdicts.py's question; docs/test-routes-in-ci.md shows the
format.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import yaml

from sevengate.cli.urls import request_of
from sevengate.routing.request import Request

#: What an expectation may say, and what it holds.
KEYS: Final[Mapping[str, str]] = {
    "status": "a number",
    "host": "text",
    "ingress": "text",
    "route": "text",
    "service": "text",
    "port": "text",
    "path": "text",
    "query": "text",
    "location": "text",
    "upstream-host": "text",
    "backends": "a mapping of backends to per cent",
}

#: What an expectation holds: text, a status, or the share of each backend.
Expected = str | int | Mapping[str, float]


class Case(msgspec.Struct, frozen=True):
    """One request and what is expected of it; `line` is where it stands in the file, from 1."""

    name: str
    line: int
    request: Request
    expect: Mapping[str, Expected]


class BrokenExpectations(ValueError):  # noqa: N818 - what is raised is the state of the file
    """The file is not one of expectations; the text is a line `file:line: error: ...` for each mistake."""


class _Mistake(ValueError):  # noqa: N818 - the same
    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line = node.start_mark.line + 1


def read_cases(text: str, file: str) -> tuple[Case, ...]:
    """Read a file of expectations; raise BrokenExpectations."""
    root = _composed(text, file)
    if not isinstance(root, yaml.SequenceNode):
        raise BrokenExpectations(f"{file}:1: error: a list of cases is expected")
    cases, mistakes = [], []
    for node in root.value:
        try:
            cases.append(_case(node))
        except _Mistake as mistake:
            mistakes.append(f"{file}:{mistake.line}: error: {mistake}")
    if mistakes:
        raise BrokenExpectations("\n".join(mistakes))
    return tuple(cases)


def _composed(text: str, file: str) -> yaml.Node | None:
    # The loader in Python and not the one in C, which dies of deep nesting where this one raises.
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BrokenExpectations(f"{file}:{_line_of(error)}: error: not YAML: {_problem(error)}") from error
    except RecursionError as error:
        raise BrokenExpectations(f"{file}:1: error: nested too deeply") from error


def _case(node: yaml.Node) -> Case:
    fields = _mapping(node, {"name", "request", "expect"})
    for key in ("request", "expect"):
        if key not in fields:
            raise _Mistake(node, f"the case has no {key!r}")
    request = _request(fields["request"])
    expect = _mapping(fields["expect"], KEYS)
    if not expect:
        raise _Mistake(fields["expect"], "nothing is expected")
    name = _text(fields["name"]) if "name" in fields else f"{request.method} {request.host}{request.target}"
    return Case(name, node.start_mark.line + 1, request, {key: _expected(key, value) for key, value in expect.items()})


def _request(node: yaml.Node) -> Request:
    fields = _mapping(node, {"url", "method", "headers", "client"})
    if "url" not in fields:
        raise _Mistake(node, "the request has no 'url'")
    told = {key: _text(fields[key]) for key in ("url", "method", "client") if key in fields}
    headers = _headers(fields["headers"]) if "headers" in fields else []
    try:
        return request_of(told["url"], told.get("method", "GET"), headers, told.get("client", ""))
    except ValueError as error:
        raise _Mistake(node, str(error)) from error


def _headers(node: yaml.Node) -> list[tuple[str, str]]:
    """Read a mapping of headers; a list is the header several times."""
    headers = []
    for name, value in _mapping(node).items():
        values = value.value if isinstance(value, yaml.SequenceNode) else [value]
        headers += [(name, _text(single)) for single in values]
    return headers


def _expected(key: str, node: yaml.Node) -> Expected:
    if key == "status":
        return int(_number(node, _is_status))
    if key == "backends":
        return {name: float(_number(share, _is_share)) for name, share in _mapping(node).items()}
    return _text(node)


def _mapping(node: yaml.Node, known: Mapping[str, str] | set[str] | None = None) -> dict[str, yaml.Node]:
    """Give a mapping's values by key, each key once and, if `known` is given, one of those."""
    if not isinstance(node, yaml.MappingNode):
        raise _Mistake(node, "a mapping is expected")
    fields: dict[str, yaml.Node] = {}
    for key_node, value in node.value:
        key = _text(key_node)
        if key in fields:
            raise _Mistake(key_node, f"the key {key!r} is there twice")
        if known is not None and key not in known:
            raise _Mistake(key_node, f"the key {key!r} is not known here; known are {', '.join(sorted(known))}")
        fields[key] = value
    return fields


def _text(node: yaml.Node) -> str:
    """Give a scalar as it is written; null is ""."""
    if not isinstance(node, yaml.ScalarNode):
        raise _Mistake(node, "text is expected")
    return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _number(node: yaml.Node, fits: Callable[[str], bool]) -> str:
    text = _text(node).removesuffix("%")
    if not text.isascii() or not fits(text):
        raise _Mistake(node, f"{text!r} is not a number that can stand here")
    return text


def _is_status(text: str) -> bool:
    return len(text) == 3 and text.isdecimal()


def _is_share(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and float(text) <= 100


def _line_of(error: yaml.YAMLError) -> int:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return mark.line + 1 if mark else 1


def _problem(error: yaml.YAMLError) -> str:
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
    return problem or " ".join(str(error).split())
