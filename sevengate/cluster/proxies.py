"""Which proxy the environment names for a server, as kubectl and everything else written in Go reads it.

HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or the same in small letters. Takes a URL and the environment; gives the proxy's
URL, or "" for none. https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
"""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sevengate.cluster.errors import ConfigError

_PORTS: Final = {"https": 443, "http": 80}


def proxy_for(server: str, environment: Mapping[str, str]) -> str:
    """Give the proxy for a server; raise ConfigError for one that is not understood."""
    parts = urlsplit(server)
    name = f"{parts.scheme.upper()}_PROXY"
    said = _said(name, environment)
    if not said or _goes_straight(parts, _said("NO_PROXY", environment)):
        return ""
    return checked_proxy(said if "://" in said else f"http://{said}", name)


def checked_proxy(url: str, source: str) -> str:
    """Give a proxy's URL; raise ConfigError that names the `source` for one that is not understood."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigError(f"{source} {url!r}: only http and https proxies are known")
    return url


def _said(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name) or environment.get(name.lower(), "")


def _goes_straight(server: SplitResult, exceptions: str) -> bool:
    """Say whether a server is one that no proxy is asked for: this machine, or an exception."""
    host, port = (server.hostname or "").rstrip("."), server.port or _PORTS[server.scheme]
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    return any(_is_meant(entry.strip().lower(), host, port) for entry in exceptions.split(",") if entry.strip())


def _is_meant(entry: str, host: str, port: int) -> bool:
    """Say whether an exception means a server: `*`, an address, a network, or a domain; perhaps with a port."""
    if entry == "*":
        return True
    network, address = _network(entry), _address(host)
    if network:
        return address in network if address else False
    try:
        parts = urlsplit(f"//{entry}")
        name, its_port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if its_port and its_port != port:
        return False
    # A domain means what is below it, too; with a dot or `*.` before it, only that.
    below = name.removeprefix("*") if name.startswith("*.") else name
    return host == name or host.endswith(below if below.startswith(".") else f".{below}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Give the network that an entry names: an address is one of a single machine."""
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
