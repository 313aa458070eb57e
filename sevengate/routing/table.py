"""The routing table: the proxy's whole knowledge, in the proxy's words.

A request that comes in at a Listener belongs to one Host, by its Host header; the first of the Host's Routes whose
Match fits serves it; a Route spreads over weighted Backends; a Backend has Endpoints. Everything is immutable, and the
order of `Host.routes` is the order of precedence, decided once in the compiler (order.py) and never again.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, dataclass_transform

import msgspec

from sevengate.diagnostics import ObjectRef
from sevengate.routing.policies import NO_POLICIES, Policies, Profile


# At run time a Struct inherits `frozen`; a type checker has to be told.
@dataclass_transform(frozen_default=True)
class Row(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What all nouns of the table share."""


class PathKind(StrEnum):
    """EXACT: equal. PREFIX: equal element by element, a last "/" apart. REGEX: a case-insensitive pattern is found."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"


class PathMatch(Row):
    """Compared with the request's normalised path: decoded, without `//`, `.` and `..` (as NGINX's $uri)."""

    kind: PathKind
    value: str

    @property
    def place(self) -> "PathMatch":
        """The same for all matches of the same paths: "/foo" and "/foo/" are one prefix."""
        return PathMatch(self.kind, self.value.removesuffix("/")) if self.kind is PathKind.PREFIX else self


class ValueSource(StrEnum):
    """Where in the request a value is looked up. Header names are lower-case."""

    HEADER = "header"
    QUERY = "query"
    COOKIE = "cookie"


class ValueKind(StrEnum):
    """EXACT: equal. REGEX: a pattern is found in it. SUFFIX: ends with. PRESENT: is there at all."""

    EXACT = "exact"
    REGEX = "regex"
    SUFFIX = "suffix"
    PRESENT = "present"


class ValueMatch(Row):
    """A condition on one header, query parameter or cookie."""

    source: ValueSource
    name: str
    kind: ValueKind
    value: str = ""


class Match(Row):
    """What a request must look like; all conditions must hold. Method "" is any."""

    path: PathMatch
    method: str = ""
    values: tuple[ValueMatch, ...] = ()


class WeightedBackend(Row):
    """A Backend's name and its share of the route's requests."""

    backend: str
    weight: int = 1


class RouteSource(Row):
    """Whose wish a route is: the object and the field in it, and the Service it leads to (for logs and metrics)."""

    object: ObjectRef
    field: str = ""
    service: str = ""
    port: str = ""


class Route(Row):
    """One rule of a Host. `name` is unique in the table and stable; without backends it answers 503.

    `canary` names the Backend whose requests count as a canary's, and `counts_for` whose requests they are in metrics,
    where that is not the source: those that a canary takes from its primary are still the primary's.
    """

    name: str
    match: Match
    source: RouteSource
    backends: tuple[WeightedBackend, ...] = ()
    policies: Policies = NO_POLICIES
    canary: str = ""
    counts_for: RouteSource | None = None


#: The name of the Host that serves requests for hosts that no other Host names.
ANY_HOST: Final = "*"


class Host(Row):
    """Routes of one host name: `shop.example`, `*.shop.example` (exactly one label) or ANY_HOST.

    Routes stand in order of precedence. `certificate` is the name of the one its clients see, "" for the default one.
    """

    name: str
    routes: tuple[Route, ...]
    certificate: str = ""


class Endpoint(Row, order=True):
    """Where a backend is reached. `address` is an IPv4 or IPv6 address, or a DNS name that is resolved at run time."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Backend(Row):
    """Endpoints that are fungible. `name` is `namespace/service:port`; `label` is what logs and metrics call it."""

    name: str
    label: str
    endpoints: tuple[Endpoint, ...] = ()


class PrivateKey(Row):
    """A private key in PEM, whose text is never shown."""

    pem: bytes

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__


class Certificate(Row):
    """A certificate chain (PEM, leaf first) and its key, under the name `namespace/secret`."""

    name: str
    chain: bytes
    key: PrivateKey
    names: tuple[str, ...] = ()
    not_after: str = ""


#: The name of the certificate that is served where nothing else fits.
DEFAULT_CERTIFICATE: Final = ""


class RoutingTable(msgspec.Struct, frozen=True):
    """All of it. `server_names` says which certificate an SNI name gets: exact or `*.`-wildcard names, lower-case.

    `default_backend` names the Backend for what no route serves; "" answers 404. `profiles` are all that are or were
    used since the table was first made: one that is no longer used costs nothing, and dropping it would cost a reload.
    """

    hosts: Mapping[str, Host] = {}
    backends: Mapping[str, Backend] = {}
    certificates: Mapping[str, Certificate] = {}
    server_names: Mapping[str, str] = {}
    default_backend: str = ""
    profiles: frozenset[Profile] = frozenset()


class TableChanges(msgspec.Struct, frozen=True):
    """The names of what was added, changed or removed since the table before."""

    hosts: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    certificates: frozenset[str] = frozenset()
    server_names: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hosts or self.backends or self.certificates or self.server_names)
