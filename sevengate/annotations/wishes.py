"""What an Ingress asks for by its annotations, typed and complete: where it says nothing, the settings have spoken.

The compiler makes Policies of Wishes; it adds what they cannot know, such as the path of a route and whether its host
has TLS.
"""

import msgspec

from sevengate.routing.policies import AddressRules, Balance, Closed, Profile, Redirect, Timeouts


class Canary(msgspec.Struct, frozen=True, gc=False):
    """Who is sent to the backend of a canary; the first condition that holds decides, then the weight.

    `header` is in lower case; without a value and a pattern, `always` and `never` in it decide, as in `cookie`.
    """

    header: str = ""
    header_value: str = ""
    header_pattern: str = ""
    cookie: str = ""
    weight: int = 0
    weight_total: int = 100


class Wishes(msgspec.Struct, frozen=True, gc=False):
    """All of it. `rewrite_target` holds `$1` to `$9` for the path's groups; `canary` is None for a main Ingress."""

    closed: Closed | None = None
    redirect: Redirect | None = None
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    app_root: str = ""
    rewrite_target: str = ""
    use_regex: bool = False
    x_forwarded_prefix: str = ""
    upstream_host: str = ""
    timeouts: Timeouts = Timeouts()
    balance: Balance = Balance()
    addresses: AddressRules | None = None
    profile: Profile = Profile()
    service_upstream: bool = False
    canary: Canary | None = None
    affinity_canary_sticky: bool = True
