"""A URL becomes the request that a client would send, or a sentence that says why none can be sent."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.cli.urls import header_of, request_of
from sevengate.routing.request import Request

SENT = {
    "http://shop.example": Request("shop.example", "/"),
    "http://shop.example/a?b=c": Request("shop.example", "/a?b=c"),
    "http://shop.example?b=c": Request("shop.example", "/?b=c"),
    "http://shop.example/a#part": Request("shop.example", "/a"),
    "http://shop.example/a?": Request("shop.example", "/a?"),
    "HTTPS://Shop.Example:443/": Request("Shop.Example", "/", scheme="https"),
    "http://shop.example:443/": Request("shop.example:443", "/"),
    "http://shop.example:80/": Request("shop.example", "/"),
    "http://[::1]:8080//a/../b": Request("[::1]:8080", "//a/../b"),
    "http://bücher.example/é": Request("xn--bcher-kva.example", "/%C3%A9"),
    "http://x/%zz": Request("x", "/%zz"),
}


@pytest.mark.parametrize(("url", "request_"), SENT.items(), ids=SENT)
def test_a_url_becomes_what_a_client_sends(url: str, request_: Request) -> None:
    assert request_of(url) == request_


REFUSED = {
    "": "must begin with http",
    "shop.example/": "must begin with http",
    "ftp://shop.example/": "must begin with http",
    "http:///path": "has no host",
    "http://shop.example:port/": "has no host, or one that is not a name or an address",
    "http://shop.example:0/": "not between 1 and 65535",
    "http://shop.example:65536/": "not between 1 and 65535",
    "http://user:word@shop.example/": "holds a user name",
    "http://[::1/": "has no host",
    "http://shop.example/a b": "holds a space",
    "http://shop.example/a\nb": "holds a space or a control character",
    "http://\udcffx/": "not an international domain name",
}


@pytest.mark.parametrize(("url", "reason"), REFUSED.items(), ids=ascii)
def test_what_no_client_could_send_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        request_of(url)


def test_a_host_header_goes_before_the_host_of_the_url() -> None:
    request = request_of("http://127.0.0.1/", headers=[("HOST", "shop.example"), ("X-A", " 1 "), ("x-a", "2")])
    assert request.host == "shop.example"
    assert request.headers == (("x-a", "1"), ("x-a", "2"))


@pytest.mark.parametrize("line", ["no colon", ": no name", "sp ace: x", "x: a\nb", "x: \0"])
def test_what_is_no_header_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="header"):
        request_of("http://x/", headers=[header_of(line)])


@pytest.mark.parametrize("method", ["", "get", "G T", "GET\r\n"])
def test_what_is_no_method_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="not a method"):
        request_of("http://x/", method)


@pytest.mark.parametrize(
    ("given_", "address"), [("10.0.0.1", "10.0.0.1"), ("FD00::0001", "fd00::1"), ("", "127.0.0.1")]
)
def test_a_client_is_an_address(given_: str, address: str) -> None:
    assert request_of("http://x/", client=given_).client == address


@pytest.mark.parametrize("client", ["localhost", "10.0.0", "10.0.0.0/8", "::g"])
def test_what_is_no_address_is_refused(client: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address"):
        request_of("http://x/", client=client)


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_breaks_the_reading_of_a_url(url: str, method: str, header: str, client: str) -> None:
    for scheme in ("", "http://", "https://h/"):
        with contextlib.suppress(ValueError):
            request = request_of(scheme + url, method, [(header, header)], client)
            assert request.target.startswith("/")
            assert request.target.isascii()
