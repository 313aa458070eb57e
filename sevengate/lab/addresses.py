"""Which addresses a lab uses: nodes, pods, Services and the pool of load balancers, in one Plan.

There are two plans. LOOPBACK needs no privileges, as all of 127.0.0.0/8 leads to this machine; NAMESPACE is for a
network namespace of the lab's own and holds the addresses that a cluster really has. A plan is data only: whoever
gives an address to something keeps account of it, and whether a port below 1024 can be had is found out by who makes
the plan.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Final

import msgspec

#: How far ports below 1024 move where only root may listen on them.
UNPRIVILEGED_SHIFT: Final = 8000
_FIRST_FREE_PORT: Final = 1024


class Plan(msgspec.Struct, frozen=True):
    """The addresses of one lab: nodes by name, networks, and the first and last address of the balancers' pool."""

    name: str
    nodes: tuple[tuple[str, str], ...]
    pods: str
    services: str
    balancers: tuple[str, str]
    port_shift: int = 0

    def node_address(self, name: str) -> str:
        """Give the address of a node; raise KeyError if the plan has none of that name."""
        return dict(self.nodes)[name]

    def pod_network(self, node: str) -> IPv4Network:
        """Give the /24 with which the addresses of a node's pods begin; raise KeyError for an unknown node."""
        return next(self._pod_networks(node))

    def pod_addresses(self, node: str) -> Iterator[str]:
        """Give the addresses for the pods of a node in order; they go on in more networks when the first is full."""
        return (str(address) for network in self._pod_networks(node) for address in network.hosts())

    def _pod_networks(self, node: str) -> Iterator[IPv4Network]:
        names = [name for name, _ in self.nodes]
        if node not in names:
            raise KeyError(node)
        return islice(IPv4Network(self.pods).subnets(new_prefix=24), names.index(node), None, len(names))

    def service_addresses(self) -> Iterator[str]:
        """Give the addresses for Services in order, beginning with the API server's own."""
        return map(str, IPv4Network(self.services).hosts())

    def balancer_addresses(self) -> Iterator[str]:
        """Give the addresses of the pool in order."""
        first, last = map(IPv4Address, self.balancers)
        return (str(IPv4Address(number)) for number in range(int(first), int(last) + 1))

    def port(self, port: int) -> int:
        """Give the port that is really listened on where a manifest says `port`."""
        return port + self.port_shift if port < _FIRST_FREE_PORT else port

    def shifted(self, number: int) -> "Plan":
        """Give a loopback plan that shares no address with this one, or with that of another number from 1 to 60."""
        if not 1 <= number <= 60:
            raise ValueError(f"there are 60 other plans, and {number} is none of them")
        # Four octets a plan, and none of those that LOOPBACK uses: 96, 168 and 244.
        octet = [first for first in range(4, 256, 4) if first not in {96, 168, 244}][number - 1]
        return msgspec.structs.replace(
            self,
            name=f"{self.name}-{number}",
            nodes=tuple((name, f"127.{octet}.{address.split('.', 2)[2]}") for name, address in self.nodes),
            pods=f"127.{octet + 1}.0.0/16",
            services=f"127.{octet + 2}.0.0/16",
            balancers=(f"127.{octet}.218.1", f"127.{octet}.218.254"),
        )


LOOPBACK: Final = Plan(
    name="loopback",
    nodes=(("master01", "127.168.217.99"), ("node01", "127.168.217.66"), ("node02", "127.168.217.77")),
    pods="127.244.0.0/16",
    services="127.96.0.0/16",
    balancers=("127.168.218.1", "127.168.218.254"),
)
NAMESPACE: Final = Plan(
    name="namespace",
    nodes=(("master01", "192.168.217.99"), ("node01", "192.168.217.66"), ("node02", "192.168.217.77")),
    pods="10.244.0.0/16",
    services="10.96.0.0/12",
    balancers=("192.168.217.200", "192.168.217.250"),
)
