"""What happens to a request on its way, beside being routed: each policy a frozen value with its default.

A Policies value belongs to a Route and is usually shared by all Routes of one Ingress. It has two parts. What Lua can
carry out is data and costs nothing to change. What only a static NGINX directive can say stands in the Profile: each
distinct Profile is one named location of nginx.conf.
"""

from enum import StrEnum
from typing import Final, dataclass_transform

import msgspec

from sevengate.routing.template import Template


# At run time a Struct inherits `frozen`; a type checker has to be told.
@dataclass_transform(frozen_default=True)
class Policy(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What all policies share."""


class BackendProtocol(StrEnum):
    """What is spoken to the endpoints."""

    HTTP = "http"
    HTTPS = "https"
    GRPC = "grpc"
    GRPCS = "grpcs"


class Profile(Policy):
    """What only static directives can say; one named location each.

    `body_size` is the largest request body in bytes, 0 for any (client_max_body_size). `buffering` and
    `request_buffering` are proxy_buffering and proxy_request_buffering.
    """

    protocol: BackendProtocol = BackendProtocol.HTTP
    body_size: int = 1024 * 1024
    buffering: bool = False
    request_buffering: bool = True

    @property
    def name(self) -> str:
        """A name that says what is in it: `http-1048576-off-on` (protocol, body, buffering, request buffering)."""
        on = ("off", "on")
        return f"{self.protocol}-{self.body_size}-{on[self.buffering]}-{on[self.request_buffering]}"


class Redirect(Policy):
    """The whole answer: a status code and a Location."""

    code: int
    location: Template


class HttpsRedirect(Policy):
    """Answer a plain-HTTP request with the same URL under https. `code` is 301, 302, 307 or 308."""

    code: int = 308
    keep_trailing_slash: bool = False


class Rewrite(Policy):
    """Replace the whole path by `replacement` where `pattern` is found in it (case-insensitive, unanchored).

    `$1` to `$9` in the replacement are the pattern's groups, as in NGINX's `rewrite`; the query string stays.
    """

    pattern: str
    replacement: str


class AddressRange(Policy, order=True):
    """Addresses from `first` to `last`, each as lower-case hex of its 4 or 16 bytes, so that text order is order."""

    first: str
    last: str


class AddressRules(Policy):
    """Who may come in: a denied address never, and only the allowed ones if `allow` is not None.

    Ranges are sorted and do not overlap, per address family. As NGINX's deny/allow in ingress-nginx: deny is first.
    """

    allow: tuple[AddressRange, ...] | None = None
    deny: tuple[AddressRange, ...] = ()


class Timeouts(Policy):
    """Seconds to connect to an endpoint, and between two writes to or two reads from it."""

    connect: float = 5.0
    send: float = 60.0
    read: float = 60.0


class Algorithm(StrEnum):
    """How an endpoint is chosen."""

    ROUND_ROBIN = "round_robin"
    EWMA = "ewma"
    HASH = "hash"


class AffinityMode(StrEnum):
    """`balanced`: the cookie is a hash key, new pods take over some sessions. `persistent`: it names the endpoint."""

    BALANCED = "balanced"
    PERSISTENT = "persistent"


class Affinity(Policy):
    """A cookie keeps a client at one endpoint. `path` "" means the path of the route."""

    cookie: str = "INGRESSCOOKIE"
    mode: AffinityMode = AffinityMode.BALANCED
    path: str = ""
    domain: str = ""
    expires: int | None = None
    max_age: int | None = None
    same_site: str = ""
    conditional_same_site_none: bool = False
    secure: bool | None = None
    change_on_failure: bool = False


class Balance(Policy):
    """How requests of a route are spread over a Backend's endpoints. `hash_by` is for HASH, affinity goes first."""

    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    hash_by: Template = Template()
    affinity: Affinity | None = None


class Closed(Policy):
    """The route answers with `status` and nothing else, because a value that guards it could not be honoured."""

    status: int
    reason: str


class Policies(Policy):
    """All policies of a route. They act in this order: closed, redirect, https, addresses, rewrite, balance."""

    closed: Closed | None = None
    redirect: Redirect | None = None
    https: HttpsRedirect | None = None
    addresses: AddressRules | None = None
    rewrite: Rewrite | None = None
    forwarded_prefix: str = ""
    upstream_host: str = ""
    timeouts: Timeouts = Timeouts()
    balance: Balance = Balance()
    profile: Profile = Profile()


NO_POLICIES: Final = Policies()
