"""The Claims of one host -> a Host.

Takes what all Ingresses wish for on one host name, the oldest first, and lets them compete: one path has one owner,
the older one, and the loser is told who won. Here stands what an Ingress can do to its neighbours on the same host,
which is why it cannot be decided while reading one alone: regular expressions, canaries, default backends, TLS. The
order of routes is routing/order.py's; how a canary divides a route is canary.py's.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sevengate.compiler.canary import divide, source_of
from sevengate.compiler.claims import Claim, Claimant, HostClaims, Reading, ServerName, Standing
from sevengate.compiler.policies import PolicyMaker, wants_regex
from sevengate.compiler.validation import shown
from sevengate.diagnostics import Diagnostic, ObjectRef, Report, Where
from sevengate.routing import regex
from sevengate.routing.order import in_order
from sevengate.routing.policies import Policies
from sevengate.routing.table import (
    ANY_HOST,
    DEFAULT_CERTIFICATE,
    Host,
    Match,
    PathKind,
    PathMatch,
    Route,
    RouteSource,
    WeightedBackend,
)
from sevengate.settings import Settings

_EXACT_ROOT: Final = PathMatch(PathKind.EXACT, "/")
_METACHARACTERS: Final = re.compile(r"[\\.^$*+?{}\[\]|()]")


class Merged(msgspec.Struct, frozen=True):
    """The Host, None if only canaries name it, and complaints by the key of the Ingress that they are about."""

    host: Host | None
    diagnostics: Mapping[str, tuple[Diagnostic, ...]]


def merge(name: str, readings: Sequence[Reading], server_name: ServerName | None, settings: Settings) -> Merged:
    """Merge what `readings`, the oldest first, claim of the host `name`.

    `server_name` is the wish for the host's certificate that prevailed, None if there is none.
    """
    contest = _Contest(name, settings, has_tls=server_name is not None and server_name.standing is not Standing.ALONE)
    for reading in readings:
        if reading.claimant:
            contest.enter(reading.claimant, reading.hosts[name])
    certificate = server_name.certificate if server_name else DEFAULT_CERTIFICATE
    return contest.decide(certificate)


class _Contest:
    """One host name, and those who claim its paths."""

    def __init__(self, name: str, settings: Settings, *, has_tls: bool) -> None:
        self._name = name
        self._called = "any host" if name == ANY_HOST else f"host {name}"
        self._policies = PolicyMaker(settings, has_tls=has_tls)
        self._primaries: list[tuple[Claimant, HostClaims]] = []
        self._canaries: list[tuple[Claimant, HostClaims]] = []
        self._regex_from: ObjectRef | None = None
        self._app_root: Route | None = None
        self._winners: dict[PathMatch, Claim] = {}
        self._closed: dict[PathMatch, str] = {}
        self._created: dict[ObjectRef, str] = {}
        self._reports: defaultdict[str, Report] = defaultdict(Report)

    def enter(self, claimant: Claimant, claims: HostClaims) -> None:
        """Take in the wishes of one more Ingress, which is younger than those before."""
        (self._canaries if claimant.wishes.canary else self._primaries).append((claimant, claims))
        self._created[claimant.ref], _ = claimant.seniority

    def decide(self, certificate: str) -> Merged:
        """Let the claims compete."""
        self._find_regex()
        for claimant, claims in self._primaries:
            self._enter_app_root(claimant, claims)
        for _, claims in self._primaries:
            for claim in claims.claims:
                self._enter_claim(claim)
        self._enter_fallbacks()
        canaries = self._enter_canaries()
        host = Host(self._name, self._routes(canaries), certificate) if self._primaries else None
        return Merged(host, {key: report.done() for key, report in self._reports.items()})

    def _find_regex(self) -> None:
        asking = {
            claimant.key: claimant.ref
            for claimant, claims in self._primaries
            if any(map(wants_regex, claims.claims)) or (claims.fallback and wants_regex(claims.fallback))
        }
        if not asking:
            return
        self._regex_from = next(iter(asking.values()))
        for claimant, claims in self._primaries:
            if claimant.key not in asking and claims.claims:
                self._reports[claimant.key].notice(
                    "ingress/regex-host",
                    claims.claims[0].where,
                    f"{self._regex_from} makes the paths of {self._called} regular expressions, this Ingress's too",
                    hint="they are found at the beginning of a request's path, in whatever case",
                )

    def _enter_app_root(self, claimant: Claimant, claims: HostClaims) -> None:
        if not claimant.wishes.app_root:
            return
        policies = self._policies.app_root(claimant)
        if self._app_root is None:
            source = RouteSource(claimant.ref, "metadata.annotations")
            self._app_root = Route(f"{claims.name}/app-root", Match(_EXACT_ROOT), source, (), policies)
        elif self._app_root.policies.redirect != policies.redirect:
            where = Where(claimant.ref, "metadata.annotations")
            self._complain_of_conflict(claimant, where, "The app-root", self._app_root.source.object)

    def _enter_claim(self, claim: Claim) -> None:
        place, what = self._place(claim), _path_text(claim)
        if place == _EXACT_ROOT and self._app_root:
            winner = self._app_root.source.object
        elif place in self._winners:
            winner = self._winners[place].claimant.ref
            what += _difference(claim.path, self._winners[place].path)
        else:
            self._winners[place] = claim
            return
        self._complain_of_conflict(claim.claimant, claim.where, what, winner)

    def _enter_fallbacks(self) -> None:
        fallbacks = [claims.fallback for _, claims in self._primaries if claims.fallback]
        if fallbacks and self._place(fallbacks[0]) not in self._winners:
            first, *others = fallbacks
            self._winners[self._place(first)] = first
            for claim in others:
                self._complain_of_conflict(claim.claimant, claim.where, "The default backend", first.claimant.ref)

    def _enter_canaries(self) -> dict[PathMatch, Claim]:
        canaries: dict[PathMatch, Claim] = {}
        for _, claims in self._canaries:
            for claim in claims.claims:
                place = self._place(claim)
                primary = self._winners.get(place)
                if primary is None or primary.path.place != claim.path.place:
                    self._complain_of_loneliness(claim)
                elif place in canaries:
                    self._complain_of_second(claim, canaries[place].claimant.ref)
                else:
                    canaries[place] = claim
        return canaries

    def _place(self, claim: Claim) -> PathMatch:
        """Give what can have one owner only: how the claim's path is compared on this host."""
        if self._regex_from is None:
            return claim.path.place
        match = PathMatch(PathKind.REGEX, "^" + claim.path.value)
        if fault := _regex_fault(match.value):
            match = _literally(claim.path.value)
            self._closed[match] = fault
        return match

    def _routes(self, canaries: Mapping[PathMatch, Claim]) -> tuple[Route, ...]:
        routes: list[Route] = [self._app_root] if self._app_root else []
        for route in in_order(self._route(place, claim) for place, claim in self._winners.items()):
            place = route.match.path.place
            canary = canaries.get(place)
            routes += divide(route, self._winners[place], canary) if canary else [route]
        return tuple(routes)

    def _route(self, place: PathMatch, claim: Claim) -> Route:
        # Compared as it was written, so that people find it again, unless the host makes a pattern of it.
        match = claim.path if self._regex_from is None else place
        backends = (WeightedBackend(claim.backend.name),) if claim.backend else ()
        return Route(claim.name, Match(match), source_of(claim), backends, self._policies_of(match, claim))

    def _policies_of(self, match: PathMatch, claim: Claim) -> Policies:
        if match not in self._closed:
            return self._policies.make(claim)
        reason = f"is no regular expression: {self._closed[match]}"
        self._reports[claim.claimant.key].error(
            "ingress/invalid-path", claim.where, f"{shown(claim.path.value)} {reason}; requests for it get 503"
        )
        return self._policies.closed(claim, "the path " + reason)

    def _complain_of_conflict(self, claimant: Claimant, where: Where, what: str, winner: ObjectRef) -> None:
        self._reports[claimant.key].error(
            "ingress/conflict",
            where,
            f"{what} of {self._called} already belongs to {winner}",
            hint=self._why_won(claimant, winner),
            winner=winner,
        )

    def _why_won(self, claimant: Claimant, winner: ObjectRef) -> str:
        if winner == claimant.ref:
            return "the first one counts"
        created, _ = claimant.seniority
        if self._created[winner] == created:
            return "both are of one age, and of such the one whose namespace/name sorts last wins"
        return "the older object wins"

    def _complain_of_loneliness(self, claim: Claim) -> None:
        self._reports[claim.claimant.key].error(
            "canary/no-primary",
            claim.where,
            f"{_path_text(claim)} of {self._called} belongs to no main Ingress",
            hint="a canary needs a main Ingress with the same host, path and pathType",
        )

    def _complain_of_second(self, claim: Claim, winner: ObjectRef) -> None:
        self._reports[claim.claimant.key].error(
            "canary/second",
            claim.where,
            f"{_path_text(claim)} of {self._called} already has a canary: {winner}",
            hint="only one canary can be in effect",
            winner=winner,
        )


def _path_text(claim: Claim) -> str:
    return f"{claim.path.kind.capitalize()} path {shown(claim.path.value)}"


def _difference(path: PathMatch, other: PathMatch) -> str:
    return f", the same as {shown(other.value)}," if path.value != other.value else ""


def _regex_fault(pattern: str) -> str | None:
    try:
        regex.check(pattern)
    except ValueError as fault:
        return str(fault)
    return None


def _literally(path: str) -> PathMatch:
    """Give the match for just this text, where it cannot be a pattern.

    Whoever asks for it must not end up at a wider route, so it is matched and closed instead of being forgotten.
    """
    pattern = "^" + _METACHARACTERS.sub(r"\\\g<0>", path)
    return PathMatch(PathKind.EXACT, path) if _regex_fault(pattern) else PathMatch(PathKind.REGEX, pattern)
