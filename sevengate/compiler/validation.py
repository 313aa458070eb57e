"""What the Kubernetes API's validation says of the texts that decide routing: hosts, paths, names of ports.

An API server has checked all of this, but manifests on disk and old objects have not met one. Each function gives
None where the text is fine, and otherwise the rest of a sentence that begins with the text: what it ought to be. The
rules are those of kubernetes/pkg/apis/networking/validation and apimachinery/util/validation, with limits of our own
on size.
"""

import re
from ipaddress import ip_address
from itertools import chain
from typing import Final

from sevengate.kube.objects import PathType

#: The longest path in bytes; NGINX itself takes request lines of 8 kB by default.
MAX_PATH_BYTES: Final = 4096

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_SERVICE_NAME = re.compile(_LABEL)
_PORT_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NEVER_IN_A_PATH = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# "An IP address with a zero in it" (127.1, 0x7f.1) is one to a resolver: https://url.spec.whatwg.org/#ends-in-a-number-checker
_ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$")

# Kubernetes refuses these in Exact and Prefix paths, since no client that follows RFC 3986 would send them.
_ODD_SEQUENCES: Final = ("//", "/./", "/../", "%2f", "%2F")
_ODD_ENDINGS: Final = ("/..", "/.")


def host_fault(host: str) -> str | None:
    """Say what is wrong with the host of a rule, already in lower case: a DNS name, or one with `*.` before it."""
    if len(host) > 253:
        return "is longer than 253 characters"
    if not _HOST.fullmatch(host):
        return "is neither a DNS name nor '*.' and a DNS name"
    if host[-1].isdigit() and is_address(host):
        return "is an IP address; a host must be a DNS name"
    return None


def path_fault(path: str, path_type: PathType) -> str | None:
    """Say what is wrong with the path of a rule."""
    if not path.startswith("/"):
        return "is not absolute; it must begin with '/'"
    if _NEVER_IN_A_PATH.search(path):
        return "holds a character that no request can hold"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    odd = "" if path_type is PathType.IMPLEMENTATION_SPECIFIC else _oddity(path)
    return f"holds '{odd}', which no request's normalised path can hold" if odd else None


def is_service_name(name: str) -> bool:
    """Say whether an object of kind Service can have this name."""
    return len(name) <= 63 and _SERVICE_NAME.fullmatch(name) is not None


def is_port_name(name: str) -> bool:
    """Say whether a port can have this name, or this number."""
    return len(name) <= 15 and _PORT_NAME.fullmatch(name) is not None


def is_dns_name(name: str) -> bool:
    """Say whether a resolver would take this for a name, and not for one of the ways to write an address."""
    return len(name) <= 253 and _DNS_NAME.fullmatch(name) is not None and not _ENDS_IN_A_NUMBER.search(name)


def _oddity(path: str) -> str:
    inside = (odd for odd in _ODD_SEQUENCES if odd in path)
    at_the_end = (odd for odd in _ODD_ENDINGS if path.endswith(odd))
    return next(chain(inside, at_the_end), "")


def is_address(text: str) -> bool:
    """Say whether this is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def shown(text: str) -> str:
    """Give a text as a message shows it: quoted, on one line, and not longer than a line."""
    return repr(text) if len(text) <= 100 else f"{text[:90]!r}... ({len(text)} characters)"
