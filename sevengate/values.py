"""Text to value: the one place that knows how a person writes a size, a duration or a list of networks.

Each function takes the text of an annotation or a ConfigMap key and gives a typed value, or raises a ValueError whose
sentence says what was found and what may stand there instead. Where the texts have a history the rules are those of
Go's strconv (booleans, integers) and of NGINX (sizes, durations, networks). Names of objects and fields are left to the
callers, who make the sentence a Diagnostic; regular expressions are left to routing/regex.py, which knows two dialects.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeVar

import msgspec

E = TypeVar("E", bound=Enum)
T = TypeVar("T")
Network = IPv4Network | IPv6Network

#: What people leave around a value: the blanks and line breaks of a YAML block.
BLANKS: Final = " \t\r\n"

#: Longer values are cut in messages, so that a 100 kB annotation does not become a 100 kB Event.
_SHOWN: Final = 60

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_UNITS: Final = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
#: A year: more would be a slip of the pen, and stays far from where NGINX's milliseconds overflow.
_LONGEST: Final = 365 * 86_400

#: A pebibyte: far from where NGINX's integers and Lua's numbers end.
_LARGEST: Final = 1 << 50
#: NGINX reads no argument of a directive that is longer than its buffer of 4096 bytes.
_LONGEST_LINE: Final = 3900

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_SIZE = re.compile(r"([0-9]{1,15})([kKmMgG]?)")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|[smhdw])\s*")
_NETWORK = re.compile(r"[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_COOKIE_NAME = re.compile(r"[A-Za-z0-9_.~-]{1,256}")
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,1024}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_PATH = re.compile(r"/[A-Za-z0-9\-._~/:@!&()*+,=%]{0,4095}")
#: RFC 3986 section 2: unreserved and reserved characters and "%", without quotes and `;`, which end things elsewhere.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!&()*+,=%]*")
_FILE = re.compile(r"/[A-Za-z0-9._/-]{1,255}")
_CIPHERS = re.compile(r"[A-Za-z0-9!+@=._:-]{1,4000}")
_VARIABLE = re.compile(r"\$(?:\{(\w*)\}|(\w*))", re.ASCII)

#: Variables of a request that a value may name, as NGINX names them
#: (https://nginx.org/en/docs/http/ngx_http_core_module.html#variables).
REQUEST_VARIABLES: Final = frozenset(
    {
        "args",
        "host",
        "http_host",
        "is_args",
        "query_string",
        "remote_addr",
        "request_id",
        "request_method",
        "request_uri",
        "scheme",
        "server_name",
        "server_port",
        "uri",
    }
)
#: Families of variables: one header, one query parameter, one cookie.
REQUEST_FAMILIES: Final = ("http_", "arg_", "cookie_")
#: Names of ingress-nginx's own for variables, and the ones that do as well where values are only compared.
_SYNONYMS: Final = {"binary_remote_addr": "remote_addr", "the_real_ip": "remote_addr", "best_http_host": "http_host"}

#: What a line of the access log may hold besides: NGINX's own variables that are there in every build, and ours.
LOG_VARIABLES: Final = REQUEST_VARIABLES | frozenset(
    """
    body_bytes_sent bytes_sent connection connection_requests content_length content_type hostname msec nginx_version
    pid pipe proxy_protocol_addr proxy_protocol_port realip_remote_addr realip_remote_port remote_port remote_user
    request request_completion request_length request_time server_addr server_protocol ssl_cipher
    ssl_client_fingerprint ssl_client_i_dn ssl_client_s_dn ssl_client_verify ssl_protocol ssl_server_name
    ssl_session_id ssl_session_reused status time_iso8601 time_local upstream_addr upstream_bytes_received
    upstream_bytes_sent upstream_connect_time upstream_header_time upstream_response_length upstream_response_time
    upstream_status ingress_name namespace proxy_alternative_upstream_name proxy_upstream_name req_id service_name
    service_port
    """.split()  # noqa: SIM905 - a name a line would fill pages
)
LOG_FAMILIES: Final = (*REQUEST_FAMILIES, "sent_http_", "upstream_http_")


class Variable(msgspec.Struct, frozen=True, gc=False):
    """The place of one variable in a text, filled in by the data plane."""

    name: str


def shown(text: str) -> str:
    """Quote a value for a message: no line breaks, and never long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def boolean(text: str) -> bool:
    """Read a boolean by the words of Go's strconv.ParseBool."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'{shown(text)} is neither "true" nor "false"')


def switch(text: str) -> bool:
    """Read what NGINX calls a flag: `on` or `off`; the words of a boolean do too."""
    if text in {"on", "off"}:
        return text == "on"
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f'{shown(text)} is neither "on" nor "off"')


def integer(least: int, most: int) -> Callable[[str], int]:
    """Give the parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"{shown(text)} is not a whole number")
        if not least <= int(text) <= most:
            raise ValueError(f"{text} is not between {least} and {most}")
        return int(text)

    return parse


def size(text: str) -> int:
    """Read a number of bytes as NGINX does: `1024`, `8k`, `1m`, `2g`."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"{shown(text)} is not a size: write bytes, or a number with k, m or g, such as 8k or 1m")
    number = int(found[1]) * _SIZES[found[2].lower()]
    if number > _LARGEST:
        raise ValueError(f"{shown(text)} is larger than a pebibyte")
    return number


def size_between(least: int, most: int) -> Callable[[str], int]:
    """Give the parser of sizes from `least` to `most` bytes."""

    def parse(text: str) -> int:
        number = size(text)
        if not least <= number <= most:
            raise ValueError(f"{text} is not between {least} and {most} bytes")
        return number

    return parse


def seconds(text: str) -> float:
    """Read a duration: whole seconds, or numbers with units from large to small: `5s`, `1m30s`, `1h 30m`, `500ms`."""
    number = float(int(text)) if text.isascii() and text.isdigit() and len(text) < 16 else _with_units(text)
    if number > _LONGEST:
        raise ValueError(f"{shown(text)} is longer than a year")
    return number


def timeout(text: str) -> float:
    """Read a duration that is not zero: NGINX takes a zero timeout for no time at all."""
    number = seconds(text)
    if number < _UNITS["ms"]:
        raise ValueError(f"{shown(text)} is shorter than a millisecond")
    return number


def whole_seconds(text: str) -> float:
    """Read a duration of whole seconds, at least one, as the directives of TLS take it."""
    number = seconds(text)
    if number < 1 or not number.is_integer():
        raise ValueError(f"{shown(text)} is not a whole number of seconds")
    return number


def _with_units(text: str) -> float:
    parts = [(found[1], found[2]) for found in _DURATION.finditer(text)]
    places = [list(_UNITS).index(unit) for _, unit in parts]
    if not parts or not _only(_DURATION, text) or places != sorted(set(places)):
        raise ValueError(f"{shown(text)} is not a duration: write seconds, or units from large to small, such as 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _only(piece: re.Pattern[str], text: str) -> bool:
    """Say whether the text is pieces and nothing else."""
    return not piece.sub("", text)


def choice(kind: type[E]) -> Callable[[str], E]:
    """Give the parser of an Enum's values, in any case of letters."""
    members = {str(member.value).lower(): member for member in kind}
    allowed = _listed(str(member.value) for member in kind)

    def parse(text: str) -> E:
        if (member := members.get(text.lower())) is None:
            raise ValueError(f"{shown(text)} is not one of {allowed}")
        return member

    return parse


def one_of(*numbers: int) -> Callable[[str], int]:
    """Give the parser of a few whole numbers."""

    def parse(text: str) -> int:
        if text not in map(str, numbers):
            raise ValueError(f"{shown(text)} is not one of {_listed(map(str, numbers))}")
        return int(text)

    return parse


def words(parse: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """Give the parser of a list without repetitions, separated by spaces or commas."""

    def parse_all(text: str) -> tuple[T, ...]:
        found = tuple(dict.fromkeys(parse(word) for word in re.split(r"[\s,]+", text) if word))
        if not found:
            raise ValueError("the list is empty")
        return found

    return parse_all


def networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks separated by commas, as they come.

    Host bits may be set, as in NGINX's allow and deny. An empty text, or an empty place in the list, is an error: who
    meant to allow somebody must not end up allowing somebody else.
    """
    return tuple(_network(item.strip()) for item in text.split(","))


@lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    if not text:
        raise ValueError("a place in the list of addresses is empty")
    if not _NETWORK.fullmatch(text):
        raise ValueError(f"{shown(text)} is neither an IP address nor a network such as 10.0.0.0/8")
    try:
        return _unmapped(ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"{shown(text)} is neither an IP address nor a network such as 10.0.0.0/8") from None


def _unmapped(network: Network) -> Network:
    """Give the IPv4 network that an IPv4-mapped one means: NGINX compares such clients by their IPv4 address."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def header_name(text: str) -> str:
    """Read the name of a request header, given in lower case; only characters that NGINX can look up."""
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a header name: letters, digits, - and _ may stand in it")
    return text.lower()


def header_value(text: str) -> str:
    """Read a value to compare a header with: printable ASCII."""
    if not _PRINTABLE.fullmatch(text) or text != text.strip():
        raise ValueError(f"{shown(text)} is not a header value: up to 1024 printable ASCII characters are")
    return text


def cookie_name(text: str) -> str:
    """Read the name of a cookie (RFC 6265 section 4.1.1, without the characters that need quoting somewhere)."""
    if not _COOKIE_NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a cookie name: letters, digits and -._~ may stand in it")
    return text


def dns_name(text: str) -> str:
    """Read a DNS name, given in lower case (RFC 1123)."""
    name = text.lower()
    if len(name) > 253 or not _DNS_NAME.fullmatch(name):
        raise ValueError(f"{shown(text)} is not a DNS name")
    return name


def authority(text: str) -> str:
    """Read what may stand in a Host header: a name or an address, and maybe a port."""
    found = _AUTHORITY.fullmatch(text)
    if not found or (found[1] and not 0 < int(found[1]) < 65_536):
        raise ValueError(f"{shown(text)} is not a host name, nor host:port")
    return text


def path(text: str) -> str:
    """Read an absolute path (RFC 3986 section 3.3, without quotes, `;` and `$`)."""
    if not _PATH.fullmatch(text):
        raise ValueError(f'{shown(text)} is not a path: it begins with "/", and quotes, spaces or braces stand in none')
    return text


def paths(text: str) -> tuple[str, ...]:
    """Read absolute paths separated by commas; an empty text is none."""
    return tuple(path(item.strip()) for item in text.split(",") if item.strip())


def file_path(text: str) -> str:
    """Read the absolute path of a file, without `..`."""
    if not _FILE.fullmatch(text) or ".." in text.split("/"):
        raise ValueError(f"{shown(text)} is not the absolute path of a file")
    return text


def ciphers(text: str) -> str:
    """Read a list of cipher suites as OpenSSL writes it; whether OpenSSL knows them is for NGINX to say."""
    names = ":".join(re.split(r"[\s:,]+", text.strip(" :")))
    if not _CIPHERS.fullmatch(names):
        raise ValueError(f"{shown(text)} is not a list of cipher suites separated by colons")
    return names


def log_format(text: str) -> str:
    """Read a line of an access log: any printable text, with variables that NGINX has; line breaks become spaces."""
    line = re.sub(r"\s*\n\s*", " ", text)
    if not line.isprintable() or len(line.encode()) + line.count('"') + line.count("\\") > _LONGEST_LINE:
        raise ValueError(f"{shown(text)} is not one line of up to {_LONGEST_LINE} printable characters")
    interpolation(line, is_log_variable)
    return line


def url_template(text: str) -> str:
    """Read text of a URL in which variables of a request may stand: no spaces, quotes, braces or control characters."""
    literal = "".join(part for part in interpolation(text, is_request_variable) if isinstance(part, str))
    if len(text) > 4096 or not _URL.fullmatch(literal):
        raise ValueError(f"{shown(text)} holds a character that stands in no URL")
    return text


def hash_key(text: str) -> str:
    """Read the text that requests are hashed by, with variables; the predecessor's names for some become NGINX's."""
    for synonym, name in _SYNONYMS.items():
        text = text.replace(f"${synonym}", f"${name}").replace(f"${{{synonym}}}", f"${{{name}}}")
    return url_template(text)


def is_request_variable(name: str) -> bool:
    """Say whether a value may name this variable of a request."""
    return name in REQUEST_VARIABLES or any(name.startswith(family) and name != family for family in REQUEST_FAMILIES)


def is_log_variable(name: str) -> bool:
    """Say whether a line of the access log may hold this variable."""
    return name in LOG_VARIABLES or any(name.startswith(family) and name != family for family in LOG_FAMILIES)


def interpolation(text: str, known: Callable[[str], bool]) -> tuple[str | Variable, ...]:
    """Take text with `$name` or `${name}` in it apart; raise ValueError for a `$` that no known name follows."""
    parts: list[str | Variable] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        name = found[1] if found[1] is not None else found[2]
        if not known(name):
            raise ValueError(f"${name} is not a variable that can be used here")
        parts += [text[end : found.start()], Variable(name)]
        end = found.end()
    parts.append(text[end:])
    return tuple(part for part in parts if part)


@lru_cache(maxsize=1024)
def nearest(word: str, known: tuple[str, ...]) -> str:
    """Give the known word that is most like this one, "" if none is."""
    return next(iter(get_close_matches(word.lower().replace("_", "-")[:100], known, n=1, cutoff=0.7)), "")


def _listed(allowed: Iterable[str]) -> str:
    return ", ".join(allowed)
