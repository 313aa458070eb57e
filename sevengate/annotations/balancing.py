"""How an endpoint is chosen, and how a client stays with his."""

from enum import StrEnum
from typing import Final

from sevengate import values
from sevengate.annotations.rows import Annotation, Asked, Risk, Scope
from sevengate.routing.policies import Affinity, AffinityMode, Algorithm, Balance
from sevengate.routing.template import Template
from sevengate.settings import Settings


class AffinityKind(StrEnum):
    """What binds a client to an endpoint."""

    COOKIE = "cookie"


class CanaryBehavior(StrEnum):
    """STICKY: a client stays on its side of a canary. LEGACY: each request is decided anew."""

    STICKY = "sticky"
    LEGACY = "legacy"


class SameSite(StrEnum):
    """The cookie's attribute (RFC 6265bis)."""

    NONE = "None"
    LAX = "Lax"
    STRICT = "Strict"


def _algorithm(text: str) -> Algorithm:
    if text in {"chash", "chashsubset"}:
        raise ValueError(f"{text} is chosen by upstream-hash-by")
    if text in {"sticky_balanced", "sticky_persistent"}:
        raise ValueError(f"{text} is chosen by affinity and affinity-mode")
    if text not in {Algorithm.ROUND_ROBIN, Algorithm.EWMA}:
        raise ValueError(f"{values.shown(text)} is not one of {Algorithm.ROUND_ROBIN}, {Algorithm.EWMA}")
    return Algorithm(text)


def _hash_by(text: str) -> Template:
    return Template.parse(values.hash_key(text))


def _cookie_domain(text: str) -> str:
    # RFC 6265 section 5.2.3: a leading dot means nothing, and is allowed.
    return values.dns_name(text.removeprefix("."))


_seconds = values.integer(-(2**31), 2**31 - 1)

LOAD_BALANCE: Final = Annotation(
    name="load-balance",
    parse=_algorithm,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="How an endpoint is chosen: round_robin, or ewma, which prefers the faster of two.",
    example="ewma",
)
UPSTREAM_HASH_BY: Final = Annotation(
    name="upstream-hash-by",
    parse=_hash_by,
    scope=Scope.LOCATION,
    risk=Risk.HIGH,
    summary="Choose the endpoint by a consistent hash of this text with variables. It goes before load-balance.",
    example="$request_uri",
)
AFFINITY: Final = Annotation(
    name="affinity",
    parse=values.choice(AffinityKind),
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="cookie: keep a client at one endpoint by a cookie. It goes before upstream-hash-by and load-balance.",
    example="cookie",
)
AFFINITY_MODE: Final = Annotation(
    name="affinity-mode",
    parse=values.choice(AffinityMode),
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="balanced: new pods take over some of the clients. persistent: a client stays as long as its pod is there.",
    example="persistent",
)
AFFINITY_CANARY_BEHAVIOR: Final = Annotation(
    name="affinity-canary-behavior",
    parse=values.choice(CanaryBehavior),
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="sticky: a client stays on its side of a canary. legacy: each request is decided anew.",
    example="legacy",
)
SESSION_COOKIE_NAME: Final = Annotation(
    name="session-cookie-name",
    parse=values.cookie_name,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="Name of the cookie; INGRESSCOOKIE if it is not given.",
    example="route",
)
SESSION_COOKIE_PATH: Final = Annotation(
    name="session-cookie-path",
    parse=values.path,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="Path of the cookie; the path of the rule if it is not given. Needed where paths are regular expressions.",
    example="/shop",
)
SESSION_COOKIE_DOMAIN: Final = Annotation(
    name="session-cookie-domain",
    parse=_cookie_domain,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="Domain of the cookie; only the host itself if it is not given.",
    example="example.com",
)
SESSION_COOKIE_EXPIRES: Final = Annotation(
    name="session-cookie-expires",
    parse=_seconds,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="Seconds until the cookie ends, sent as a date, for very old browsers.",
    example="172800",
)
SESSION_COOKIE_MAX_AGE: Final = Annotation(
    name="session-cookie-max-age",
    parse=_seconds,
    scope=Scope.INGRESS,
    risk=Risk.MEDIUM,
    summary="Seconds until the cookie ends; the end of the browser's session if it is not given.",
    example="172800",
)
SESSION_COOKIE_SAMESITE: Final = Annotation(
    name="session-cookie-samesite",
    parse=values.choice(SameSite),
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="The cookie's SameSite: None, Lax or Strict.",
    example="Lax",
)
SESSION_COOKIE_SECURE: Final = Annotation(
    name="session-cookie-secure",
    parse=values.boolean,
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="The cookie's Secure; as the request came in if it is not given.",
    example="true",
)
SESSION_COOKIE_CONDITIONAL_SAMESITE_NONE: Final = Annotation(
    name="session-cookie-conditional-samesite-none",
    parse=values.boolean,
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="Leave SameSite=None out for browsers that misread it.",
    example="true",
)
SESSION_COOKIE_CHANGE_ON_FAILURE: Final = Annotation(
    name="session-cookie-change-on-failure",
    parse=values.boolean,
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="Send the client elsewhere for good when its endpoint fails.",
    example="true",
)

_COOKIE_ROWS: Final = (
    SESSION_COOKIE_NAME,
    SESSION_COOKIE_PATH,
    SESSION_COOKIE_DOMAIN,
    SESSION_COOKIE_EXPIRES,
    SESSION_COOKIE_MAX_AGE,
    SESSION_COOKIE_SAMESITE,
    SESSION_COOKIE_SECURE,
    SESSION_COOKIE_CONDITIONAL_SAMESITE_NONE,
    SESSION_COOKIE_CHANGE_ON_FAILURE,
)
ROWS: Final = (LOAD_BALANCE, UPSTREAM_HASH_BY, AFFINITY, AFFINITY_MODE, AFFINITY_CANARY_BEHAVIOR, *_COOKIE_ROWS)


def balance(asked: Asked, settings: Settings) -> Balance:
    """Give how an endpoint is chosen: affinity goes before a hash, and a hash before an algorithm."""
    affinity = _affinity(asked)
    hash_by = asked.of(UPSTREAM_HASH_BY, Template.parse(settings.upstream_hash_by))
    if hash_by and not affinity:
        asked.without_effect("upstream-hash-by goes before it", LOAD_BALANCE)
        return Balance(Algorithm.HASH, hash_by)
    if affinity:
        asked.without_effect("affinity goes before it", UPSTREAM_HASH_BY, LOAD_BALANCE)
    return Balance(asked.of(LOAD_BALANCE, Algorithm(settings.load_balance)), affinity=affinity)


def keeps_side_of_canary(asked: Asked) -> bool:
    """Say whether a client with a session cookie stays on its side of a canary."""
    return asked.of(AFFINITY_CANARY_BEHAVIOR, CanaryBehavior.STICKY) is CanaryBehavior.STICKY


def _affinity(asked: Asked) -> Affinity | None:
    if asked.get(AFFINITY) is None:
        why = "there is no affinity: cookie"
        asked.without_effect(why, AFFINITY_MODE, AFFINITY_CANARY_BEHAVIOR, *_COOKIE_ROWS)
        return None
    return Affinity(
        cookie=asked.of(SESSION_COOKIE_NAME, "INGRESSCOOKIE"),
        mode=asked.of(AFFINITY_MODE, AffinityMode.BALANCED),
        path=asked.of(SESSION_COOKIE_PATH, ""),
        domain=asked.of(SESSION_COOKIE_DOMAIN, ""),
        expires=asked.get(SESSION_COOKIE_EXPIRES),
        max_age=asked.get(SESSION_COOKIE_MAX_AGE),
        same_site=str(asked.get(SESSION_COOKIE_SAMESITE) or ""),
        conditional_same_site_none=asked.of(SESSION_COOKIE_CONDITIONAL_SAMESITE_NONE, default=False),
        secure=asked.get(SESSION_COOKIE_SECURE),
        change_on_failure=asked.of(SESSION_COOKIE_CHANGE_ON_FAILURE, default=False),
    )
