"""An Ingress's Wishes -> the Policies of one route.

Takes what the annotations ask for (annotations/wishes.py) and adds what they cannot know: whether the host has TLS,
and the path, which is the pattern of a rewrite and may be exempt from the redirect to https. The result is shared by
all routes of an Ingress that have the same.
"""

import msgspec

from sevengate.annotations.wishes import Wishes
from sevengate.compiler.claims import Claim, Claimant
from sevengate.routing.policies import Closed, HttpsRedirect, Policies, Redirect, Rewrite
from sevengate.routing.template import Template, Variable
from sevengate.settings import Settings

_SAME_HOST = (Variable("scheme"), "://", Variable("http_host"))


def rewrites(claim: Claim) -> bool:
    """Say whether requests for the claim's path are rewritten: a target that is the path itself does nothing."""
    target = claim.claimant.wishes.rewrite_target
    return bool(target) and target != claim.path.value


def wants_regex(claim: Claim) -> bool:
    """Say whether the claim makes all paths of its host regular expressions, as in ingress-nginx."""
    return claim.claimant.wishes.use_regex or rewrites(claim)


class PolicyMaker:
    """Makes the Policies of one host's routes."""

    def __init__(self, settings: Settings, *, has_tls: bool) -> None:
        self._settings = settings
        self._has_tls = has_tls
        self._shared: dict[tuple[str, bool], Policies] = {}

    def make(self, claim: Claim) -> Policies:
        """Give the Policies of the route that the claim becomes."""
        exempt = claim.path.value.startswith(self._settings.no_tls_redirect_locations)
        key = claim.claimant.key, exempt
        policies = self._shared.get(key)
        if policies is None:
            policies = self._shared[key] = self._make(claim.claimant.wishes, exempt=exempt)
        return self._with_rewrite(policies, claim) if rewrites(claim) else policies

    def closed(self, claim: Claim, reason: str) -> Policies:
        """Give the Policies of a route that only answers 503."""
        return Policies(closed=Closed(503, reason), profile=claim.claimant.wishes.profile)

    def app_root(self, claimant: Claimant) -> Policies:
        """Give the Policies of the route that sends "/" to where the application begins."""
        wishes = claimant.wishes
        location = Template((*_SAME_HOST, wishes.app_root))
        return Policies(closed=wishes.closed, redirect=Redirect(302, location), profile=wishes.profile)

    def _make(self, wishes: Wishes, *, exempt: bool) -> Policies:
        to_https = wishes.force_ssl_redirect or (wishes.ssl_redirect and self._has_tls)
        return Policies(
            closed=wishes.closed,
            redirect=wishes.redirect,
            https=self._https if to_https and not exempt else None,
            addresses=wishes.addresses,
            upstream_host=wishes.upstream_host,
            timeouts=wishes.timeouts,
            balance=wishes.balance,
            profile=wishes.profile,
        )

    @property
    def _https(self) -> HttpsRedirect:
        return HttpsRedirect(self._settings.http_redirect_code, self._settings.preserve_trailing_slash)

    def _with_rewrite(self, policies: Policies, claim: Claim) -> Policies:
        wishes = claim.claimant.wishes
        rewrite = Rewrite(claim.path.value, wishes.rewrite_target)
        # The header tells a backend what was cut off its paths, so it goes only with a rewrite.
        return msgspec.structs.replace(policies, rewrite=rewrite, forwarded_prefix=wishes.x_forwarded_prefix)
