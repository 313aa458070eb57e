"""Where requests are taken in: addresses, ports, and the errors that name who else listens there.

It takes what the user says (`--bind-address`, ports) and gives a Listen for nginx.conf, or addresses for our own pages.
`refuse_taken` asks the kernel before NGINX does; ports.py knows who has the port. Listening itself is done elsewhere.
"""

import errno
import socket

import msgspec

from sevengate.nginx import ports
from sevengate.nginx.installation import NginxError


class AddressTakenError(NginxError):
    """An address to listen at is taken, or not allowed."""


class Listen(msgspec.Struct, frozen=True):
    """Where requests are taken in: IPv4 addresses and IPv6 addresses in brackets, and the ports at all of them."""

    addresses: tuple[str, ...] = ("0.0.0.0", "[::]")  # noqa: S104 - an ingress is for the world
    http_port: int = 80
    https_port: int = 443
    default_port: int = 8181

    @property
    def sockets(self) -> tuple[tuple[str, int], ...]:
        """All addresses with all ports."""
        ports = (self.http_port, self.https_port, self.default_port)
        return tuple((address, port) for address in self.addresses for port in ports)

    def at(self, bind_address: str) -> "Listen":
        """Give the same ports at an address, "" for all addresses of the machine."""
        addresses = addresses_of(bind_address)
        return msgspec.structs.replace(self, addresses=tuple(f"[{a}]" if ":" in a else a for a in addresses))


def addresses_of(bind_address: str) -> tuple[str, ...]:
    """Give an address, or for "" those that stand for all of this machine's; the kernel may know no IPv6."""
    if bind_address:
        return (bind_address,)
    return ("0.0.0.0", "::") if _has_ipv6() else ("0.0.0.0",)  # noqa: S104 - an ingress is for the world


def refuse_taken(address: str, port: int) -> None:
    """Raise AddressTakenError if somebody listens there (an IPv6 address comes in brackets).

    With `reuseport` NGINX would share the port with another NGINX of the same user, and neither would say so.
    """
    host = address.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if probe.family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise taken(f"{address}:{port}") from error


def taken(address: str) -> AddressTakenError:
    """Give the error that says who listens at an address, `127.0.0.1:80` or `[::]:80`."""
    host, _, port = address.rpartition(":")
    owner = ports.listener(host.strip("[]"), int(port)) if port.isdecimal() else ""
    return AddressTakenError(f"{address} is taken by {owner or 'another process'}")


def unusable(address: str, port: int, error: OSError) -> AddressTakenError:
    """Give the error that says why one of our own servers cannot listen at an address."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        return taken(where)
    return AddressTakenError(f"cannot listen at {where}: {error.strerror}")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
