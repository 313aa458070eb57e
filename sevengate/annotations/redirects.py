"""Redirects: to https, to where an application begins, and as the whole answer of a route."""

import re
from collections.abc import Callable
from typing import Final

from sevengate import values
from sevengate.annotations.rows import Annotation, Asked, Risk, Scope
from sevengate.routing.policies import Redirect
from sevengate.routing.template import Template

_ABSOLUTE = re.compile(r"(?:https?|\$scheme|\$\{scheme\})://[^/?#]|/")


def _target(text: str) -> Template:
    """Read a Location: an absolute URL or a path, with variables. An empty text asks for no redirect."""
    if text and not _ABSOLUTE.match(text):
        raise ValueError(f"{values.shown(text)} begins neither with http:// or https:// nor with /")
    return Template.parse(values.url_template(text))


def _path_or_none(text: str) -> str:
    return values.path(text) if text else ""


def _code(*codes: int) -> Callable[[str], int]:
    # Of 300 to 308 NGINX sends a Location only with these:
    # https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#return
    return values.one_of(*codes)


SSL_REDIRECT: Final = Annotation(
    name="ssl-redirect",
    parse=values.boolean,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="Redirect plain HTTP to https where the host has TLS.",
    example="false",
)
FORCE_SSL_REDIRECT: Final = Annotation(
    name="force-ssl-redirect",
    parse=values.boolean,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Redirect plain HTTP to https even where the host has no TLS here, as behind a balancer that ends it.",
    example="true",
)
APP_ROOT: Final = Annotation(
    name="app-root",
    parse=_path_or_none,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Redirect requests for / to this path, with code 302.",
    example="/app",
)
PERMANENT_REDIRECT: Final = Annotation(
    name="permanent-redirect",
    parse=_target,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Answer every request with a redirect to this URL. Variables such as `$request_uri` may stand in it.",
    example="https://new.example.com$request_uri",
    guards=True,
)
PERMANENT_REDIRECT_CODE: Final = Annotation(
    name="permanent-redirect-code",
    parse=_code(301, 302, 303, 307, 308),
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="The code of permanent-redirect; 301 if it is not given.",
    example="308",
)
TEMPORAL_REDIRECT: Final = Annotation(
    name="temporal-redirect",
    parse=_target,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="As permanent-redirect, with code 302. It wins over permanent-redirect.",
    example="https://maintenance.example.com/",
    guards=True,
)
TEMPORAL_REDIRECT_CODE: Final = Annotation(
    name="temporal-redirect-code",
    parse=_code(301, 302, 303, 307),
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="The code of temporal-redirect; 302 if it is not given.",
    example="307",
)

ROWS: Final = (
    SSL_REDIRECT,
    FORCE_SSL_REDIRECT,
    APP_ROOT,
    PERMANENT_REDIRECT,
    PERMANENT_REDIRECT_CODE,
    TEMPORAL_REDIRECT,
    TEMPORAL_REDIRECT_CODE,
)


def redirect(asked: Asked) -> Redirect | None:
    """Give the redirect that is the whole answer, if one is asked for."""
    temporal, permanent = asked.get(TEMPORAL_REDIRECT), asked.get(PERMANENT_REDIRECT)
    if temporal:
        asked.without_effect("temporal-redirect wins over it", PERMANENT_REDIRECT, PERMANENT_REDIRECT_CODE)
        return Redirect(asked.of(TEMPORAL_REDIRECT_CODE, 302), temporal)
    asked.without_effect("there is no temporal-redirect", TEMPORAL_REDIRECT_CODE)
    if permanent:
        return Redirect(asked.of(PERMANENT_REDIRECT_CODE, 301), permanent)
    asked.without_effect("there is no permanent-redirect", PERMANENT_REDIRECT_CODE)
    return None
