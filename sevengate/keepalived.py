"""keepalived.conf for nodes that take requests in at their own addresses and share a virtual one.

Takes a VirtualRouter: the addresses that are to move, between whom, and the URL that says whether this node can serve.
`problems` says what is wrong with it; `write` gives the configuration, for a VirtualRouter without problems. Every
value in it is a number, an address, or text of which `problems` allows the letters. Pure; what keepalived thinks of the
configuration is asked in the tests. https://www.keepalived.org/manpage.html
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Final, Literal

import msgspec

#: The health of the data plane, for whoever decides where new clients go.
HEALTH_URL: Final = "http://127.0.0.1:10246/balancerz"

_INTERFACE = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.@:-]{1,15}")
#: What an URL may hold that can mean nothing to keepalived's parser: no quotes, blanks, `$`, `\`, `#` or `!`.
_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/%?&=+:@,;-]*)?")
_PASSWORD = re.compile(r"[A-Za-z0-9._~/%+=:@,-]{1,8}")
_CURL: Final = "/usr/bin/curl --silent --fail --globoff --noproxy * --output /dev/null"
#: Seconds that health may take to answer.
_ANSWER_LIMIT: Final = 2
#: The addresses that one advertisement can carry; see the documentation of virtual_ipaddress.
_MOST_ADDRESSES: Final = 20


class VirtualRouter(msgspec.Struct, frozen=True):
    """Virtual addresses, and this node's part in keeping them.

    `source` and `peers` are this node's address and those of the others, where multicast does not reach them. With a
    password VRRP's version 2 is spoken, without one version 3, which knows none.
    """

    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    interface: str
    router_id: int = 51
    priority: int = 100
    state: Literal["BACKUP", "MASTER"] = "BACKUP"
    password: str = ""
    source: IPv4Address | IPv6Address | None = None
    peers: tuple[IPv4Address | IPv6Address, ...] = ()
    health_url: str = HEALTH_URL
    check_interval: int = 1
    advert_interval: float = 1.0

    @property
    def announced(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """The addresses that advertisements carry: of the first one's version only, as VRRP wants it."""
        return tuple(one for one in self.addresses if one.version == self.addresses[0].version)

    @property
    def following(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """The addresses of the other version, which move along."""
        return tuple(one for one in self.addresses if one.version != self.addresses[0].version)


def problems(router: VirtualRouter) -> Iterator[str]:
    """Say what is wrong, each with the option that it is about."""
    yield from _problems_of_addresses(router)
    yield from _problems_of_peers(router)
    if not _INTERFACE.fullmatch(router.interface):
        yield f"--interface: {router.interface!r} is not the name of a network interface"
    if not 1 <= router.router_id <= 255:
        yield f"--router-id: {router.router_id} is not between 1 and 255"
    if not 1 <= router.priority <= 254:
        yield f"--priority: {router.priority} is not between 1 and 254"
    if not _URL.fullmatch(router.health_url):
        yield f"--health-url: {router.health_url!r} is not an http or https URL of plain letters"
    if not 1 <= router.check_interval <= 60:
        yield f"--check-interval: {router.check_interval} is not between 1 and 60 seconds"
    yield from _problems_of_the_protocol(router)


def _problems_of_addresses(router: VirtualRouter) -> Iterator[str]:
    if not router.addresses:
        yield "--vip: name at least one virtual address"
    for ip in (one.ip for one in router.addresses):
        if ip.is_multicast or ip.is_loopback or ip.is_unspecified:
            yield f"--vip: {ip} is no address that clients can connect to"
    if len({one.ip for one in router.addresses}) < len(router.addresses):
        yield "--vip: one address stands there twice"
    if len(router.addresses) > _MOST_ADDRESSES:
        yield f"--vip: more than {_MOST_ADDRESSES} addresses; make a second router of them"


def _problems_of_peers(router: VirtualRouter) -> Iterator[str]:
    versions = {one.version for one in (*router.peers, *([router.source] if router.source else []))}
    if router.addresses and versions - {router.addresses[0].version}:
        yield f"--peer, --source: they must be IPv{router.addresses[0].version} addresses, as the first --vip is"
    if router.source in router.peers:
        yield f"--peer: {router.source} is this node's own address, --source"
    if len(set(router.peers)) < len(router.peers):
        yield "--peer: one address stands there twice"
    if router.source and not router.peers:
        yield "--source: name the other nodes with --peer"


def _problems_of_the_protocol(router: VirtualRouter) -> Iterator[str]:
    if not router.password:
        if not 0.01 <= router.advert_interval <= 40:
            yield f"--advert-interval: {router.advert_interval:g} is not between 0.01 and 40 seconds"
        return
    if not _PASSWORD.fullmatch(router.password):
        yield "--auth: it must be 1 to 8 plain letters; keepalived would cut a longer one"
    if router.addresses and router.addresses[0].version == 6:
        yield "--auth: VRRP for IPv6 knows no passwords"
    if router.advert_interval not in range(1, 256):
        yield f"--advert-interval: {router.advert_interval:g} is no whole number of 1 to 255 seconds, as --auth needs"


def write(router: VirtualRouter) -> str:
    """Write the configuration of this node."""
    return "\n".join((_GLOBAL, *_health(router), "", *_instance(router), ""))


_GLOBAL: Final = """\
global_defs {
    # Health is asked for by nobody in particular, and nothing is run that others than root may write to.
    enable_script_security
    script_user nobody
}
"""


def _health(router: VirtualRouter) -> Iterator[str]:
    yield "# Whether the data plane of this node can take new clients; it says no first when it is about to end."
    yield "vrrp_script sevengate {"
    yield f'    script "{_CURL} --max-time {_ANSWER_LIMIT} {router.health_url}"'
    yield f"    interval {router.check_interval}"
    yield f"    timeout {_ANSWER_LIMIT + 1}"
    yield "    fall 2"
    yield "    rise 2"
    yield "    # No address before the first good answer."
    yield "    init_fail"
    yield "}"


def _instance(router: VirtualRouter) -> Iterator[str]:
    yield "vrrp_instance sevengate {"
    yield f"    interface {router.interface}"
    yield f"    state {router.state}"
    if router.state == "BACKUP":
        yield "    # Who has the address keeps it while it is well: moving it back would disturb clients once more."
        yield "    nopreempt"
    yield f"    virtual_router_id {router.router_id}"
    yield f"    priority {router.priority}"
    yield f"    version {2 if router.password else 3}"
    yield f"    advert_int {router.advert_interval:g}"
    if router.password:
        yield from ("    authentication {", "        auth_type PASS", f"        auth_pass {router.password}", "    }")
    if router.source:
        yield f"    unicast_src_ip {router.source}"
    yield from _block("unicast_peer", map(str, router.peers))
    yield from _block("virtual_ipaddress", (f"{one} dev {router.interface}" for one in router.announced))
    yield from _block("virtual_ipaddress_excluded", (f"{one} dev {router.interface}" for one in router.following))
    yield from _block("track_script", ["sevengate"])
    yield "}"


def _block(name: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    inside = [f"        {line}" for line in lines]
    if inside:
        yield from (f"    {name} {{", *inside, "    }")
