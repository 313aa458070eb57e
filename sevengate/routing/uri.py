"""Reads what stands in a request line and a Host header the way NGINX does, before any route is looked at.

Takes the request target and the Host header as sent; gives the path that routes are compared with (NGINX's $uri), the
query string ($args) and the host name ($host), or raises BadRequest where NGINX answers 400. Paths are bytes, because
percent-encoding can spell any byte; text becomes bytes as UTF-8, with surrogates for what is no UTF-8. Which route the
path belongs to is match.py's question. NGINX's own answer is the specification: the tests ask it the same things.
"""

import re
from typing import Final

#: How text and the bytes on the wire become each other.
_ENCODING: Final = ("utf-8", "surrogateescape")

_UNPRINTABLE = re.compile(rb"[\x00-\x20\x7f]")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})?")
#: What NGINX percent-encodes when it writes a changed path to a backend (ngx_escape_uri, NGX_ESCAPE_URI).
_ESCAPED = re.compile(rb'[\x00-\x20"#%<>?\\^`{|}\x7f-\xff]')


class BadRequest(ValueError):  # noqa: N818 - the name of the answer, RFC 9110, section 15.5.1
    """The request is one that NGINX answers with 400."""


def to_bytes(text: str) -> bytes:
    """Give the bytes on the wire that `text` stands for."""
    return text.encode(*_ENCODING)


def to_text(raw: bytes) -> str:
    """Give the text that stands for the bytes on the wire."""
    return raw.decode(*_ENCODING)


def normalise(target: str) -> bytes:
    """Give the path of a request target: decoded, `//` merged, `.` and `..` resolved; raise BadRequest.

    Decoding comes first, so `%2F` separates elements and `%2e%2e` climbs, while `%3F` and `%23` are part of the path.
    """
    raw = to_bytes(target)
    if not raw.startswith(b"/"):
        raise BadRequest("the request target does not begin with a slash")
    if _UNPRINTABLE.search(raw):
        raise BadRequest("the request target holds a space or a control character")
    return _resolve(_PERCENT.sub(_decoded, re.split(rb"[?#]", raw, maxsplit=1)[0]))


def query(target: str) -> str:
    """Give the query string of a request target, "" if it has none; a `#` ends it."""
    before_fragment = target.split("#", 1)[0]
    return before_fragment.partition("?")[2]


def escape(path: bytes) -> str:
    """Give a path as NGINX writes it to a backend after it was changed."""
    return _ESCAPED.sub(lambda found: b"%%%02X" % found[0][0], path).decode("ascii")


def host_name(header: str) -> str:
    """Give the host of a Host header in lower case, without port and one trailing dot; raise BadRequest."""
    raw = to_bytes(header)
    if _UNPRINTABLE.search(raw) or b"/" in raw or b".." in raw:
        raise BadRequest("the Host header is not a host name")
    name = _without_port(raw)
    # NGINX looks at the last dot of the header only, so a dot in the port hides the name's.
    if raw.rfind(b".") == len(name) - 1:
        name = name.removesuffix(b".")
    if not name:
        raise BadRequest("the Host header is empty")
    # bytes.lower() changes ASCII letters only, as NGINX does.
    return to_text(name.lower())


def _without_port(raw: bytes) -> bytes:
    if raw.startswith(b"["):
        literal, bracket, _ = raw.partition(b"]")
        return literal + bracket
    return raw.partition(b":")[0]


def _decoded(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        raise BadRequest("a % in the path is not followed by two hexadecimal digits")
    if found[1] == b"00":
        raise BadRequest("the path holds %00")
    return bytes.fromhex(found[1].decode("ascii"))


def _resolve(path: bytes) -> bytes:
    elements: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if not elements:
                raise BadRequest("the path climbs above /")
            elements.pop()
        elif segment not in {b"", b"."}:
            elements.append(segment)
    closed = not elements or segments[-1] not in {b"", b".", b".."}
    return b"/" + b"/".join(elements) + (b"" if closed else b"/")
