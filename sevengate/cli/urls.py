"""A URL, headers and an address as a person gives them become the Request that a client would send.

Takes text from a command line or a file of expectations; gives a Request, or raises ValueError with a sentence that
says what cannot be sent and why. Like a browser it leaves out the fragment and the scheme's own port, and
percent-encodes what is not ASCII; unlike one it sends the path as written, `..` and `//` too, because what becomes of
those is worth asking.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from sevengate.routing.request import Request

_URL = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]@]+)(?::(?P<port>[0-9]{1,5}))?")
#: RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: What NGINX takes as a method: https://nginx.org/en/docs/http/ngx_http_core_module.html
_METHOD = re.compile(r"[A-Z_-]+")
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")
_PORTS: Final = {"http": 80, "https": 443}


def request_of(url: str, method: str = "GET", headers: Iterable[tuple[str, str]] = (), client: str = "") -> Request:
    """Give the request for a URL; a Host header goes before the URL's host. Raise ValueError."""
    scheme, host, target = _parts(url)
    sent = tuple((_header_name(name), _header_value(name, value)) for name, value in headers)
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is not a method: NGINX takes capital letters, - and _")
    return Request(
        host=next((value for name, value in sent if name == "host"), host),
        target=target,
        method=method,
        scheme=scheme,
        headers=tuple(header for header in sent if header[0] != "host"),
        client=_address(client or "127.0.0.1"),
    )


def header_of(line: str) -> tuple[str, str]:
    """Take a header line `Name: value` apart; raise ValueError."""
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"{line!r} is not a header: write 'Name: value'")
    return name, value


def _parts(url: str) -> tuple[str, str, str]:
    if _UNSENDABLE.search(url):
        raise ValueError(f"{url!r} holds a space or a control character: write %20 for a space")
    found = _URL.fullmatch(url)
    scheme = (found["scheme"] or "").lower() if found else ""
    if found is None or scheme not in _PORTS:
        raise ValueError(f"{url!r} is not a URL that can be asked about: it must begin with http:// or https://")
    target = _encoded(found["target"])
    return scheme, _host(found["authority"], scheme, url), target if target.startswith("/") else f"/{target}"


def _host(authority: str, scheme: str, url: str) -> str:
    if "@" in authority:
        raise ValueError(f"{url!r} holds a user name; give an Authorization header instead")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise ValueError(f"{url!r} has no host, or one that is not a name or an address")
    port = int(found["port"] or _PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError(f"{url!r} has a port that is not between 1 and 65535")
    host = _ascii_host(found["host"], url)
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _ascii_host(host: str, url: str) -> str:
    """Give a host name as it is sent: labels that are not ASCII in Punycode (RFC 5891)."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{url!r} has a host that is not an international domain name") from None


def _encoded(target: str) -> str:
    return re.sub(r"[^\x00-\x7f]", lambda found: "".join(f"%{byte:02X}" for byte in _utf8(found[0])), target)


def _utf8(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name")
    return name.lower()


def _header_value(name: str, value: str) -> str:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError(f"the value of the header {name} holds a control character")
    return value.strip(" \t")


def _address(client: str) -> str:
    try:
        return str(ipaddress.ip_address(client))
    except ValueError:
        raise ValueError(f"{client!r} is not an IPv4 or IPv6 address") from None
