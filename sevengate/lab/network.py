"""A network of the lab's own, so that it can have the addresses that a cluster really has.

`leave_machine` takes this process into a new network namespace whose loopback interface owns the networks of a Plan:
whoever listens on one of their addresses is reached by every process in there, and by nobody else. `join_network` takes
a process into that of another one. Both take root. The namespace ends with its last process, so nothing is cleaned up.
Sources: network_namespaces(7), netdevice(7).
"""

import ctypes
import fcntl
import os
import socket
import struct
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from sevengate.lab.addresses import Plan

_CLONE_NEWNET: Final = 0x40000000
_SIOCSIFFLAGS: Final = 0x8914
_SIOCSIFADDR: Final = 0x8916
_SIOCSIFNETMASK: Final = 0x891C
_UP_AND_RUNNING: Final = 0x41
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def leave_machine(plan: Plan) -> None:
    """Take this process, before it has threads, into a network of its own; raise PermissionError without root."""
    _checked(_LIBC.unshare(_CLONE_NEWNET))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
        for number, network in enumerate(_networks(plan)):
            # The loopback interface owns the whole network of each of its addresses.
            name = f"lo:{number}".encode()
            fcntl.ioctl(control, _SIOCSIFADDR, _request(name, str(network[1])))
            fcntl.ioctl(control, _SIOCSIFNETMASK, _request(name, str(network.netmask)))


def join_network(pid: int) -> None:
    """Take this process into the network of another one; raise PermissionError without root."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
        _checked(_LIBC.setns(namespace.fileno(), _CLONE_NEWNET))


def is_closed() -> bool:
    """Say whether nothing but loopback is here, so that nobody outside of this machine reaches who listens."""
    return {name for _, name in socket.if_nameindex()} == {"lo"}


def _networks(plan: Plan) -> list[IPv4Network]:
    """Give the networks of a Plan; nodes and balancers share the /24 of the nodes."""
    nodes = {IPv4Network((address, 24), strict=False) for _, address in plan.nodes}
    return [IPv4Network(plan.pods), IPv4Network(plan.services), *sorted(nodes)]


def _request(name: bytes, address: str) -> bytes:
    return struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
