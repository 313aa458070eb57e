"""Annotations of ingress-nginx that are known by name and not carried out yet.

Some of them guard access, and an Ingress with one of those is never served open: its routes are closed. Snippets count
among them, because they may hold `deny` or `auth_request`, and nobody here reads them.
"""

from collections.abc import Mapping
from typing import Final

#: Those that guard: external, basic and client-certificate authentication, the web application firewall, snippets.
GUARDS: Final = frozenset(
    """
    auth-always-set-cookie auth-cache-duration auth-cache-key auth-keepalive auth-keepalive-requests
    auth-keepalive-share-vars auth-keepalive-timeout auth-method auth-proxy-set-headers auth-realm auth-request-redirect
    auth-response-headers auth-secret auth-secret-type auth-signin auth-signin-redirect-param auth-snippet
    auth-tls-error-page auth-tls-match-cn auth-tls-pass-certificate-to-upstream auth-tls-secret auth-tls-verify-client
    auth-tls-verify-depth auth-type auth-url configuration-snippet enable-modsecurity enable-owasp-core-rules
    modsecurity-snippet satisfy server-snippet
    """.split()  # noqa: SIM905 - a name a line would fill pages
)

#: Values with which a guard asks for nothing, so that nothing is missing without it.
IDLE: Final[Mapping[str, frozenset[str]]] = {
    "auth-tls-verify-client": frozenset({"off"}),
    "enable-modsecurity": frozenset({"false"}),
    "enable-owasp-core-rules": frozenset({"false"}),
    "satisfy": frozenset({"all"}),
}

#: All of them.
NAMES: Final = GUARDS | frozenset(
    """
    client-body-buffer-size connection-proxy-header cors-allow-credentials cors-allow-headers cors-allow-methods
    cors-allow-origin cors-expose-headers cors-max-age custom-headers custom-http-errors default-backend
    disable-proxy-intercept-errors enable-access-log enable-cors enable-global-auth enable-opentelemetry
    enable-rewrite-log fastcgi-index fastcgi-params-configmap from-to-www-redirect http2-push-preload limit-allowlist
    limit-burst-multiplier limit-connections limit-rate limit-rate-after limit-rpm limit-rps limit-whitelist mirror-host
    mirror-request-body mirror-target modsecurity-transaction-id opentelemetry-operation-name
    opentelemetry-trust-incoming-span preserve-trailing-slash proxy-buffer-size proxy-buffers-number
    proxy-busy-buffers-size proxy-cookie-domain proxy-cookie-path proxy-http-version proxy-max-temp-file-size
    proxy-next-upstream proxy-next-upstream-timeout proxy-next-upstream-tries proxy-redirect-from proxy-redirect-to
    proxy-ssl-ciphers proxy-ssl-name proxy-ssl-protocols proxy-ssl-secret proxy-ssl-server-name proxy-ssl-verify
    proxy-ssl-verify-depth relative-redirects server-alias ssl-ciphers ssl-passthrough ssl-prefer-server-ciphers
    stream-snippet upstream-hash-by-subset upstream-hash-by-subset-size use-port-in-redirects
    """.split()  # noqa: SIM905 - a name a line would fill pages
)


def guards(name: str, text: str) -> bool:
    """Say whether an annotation with this value would guard access, if it were carried out."""
    return name in GUARDS and text not in IDLE.get(name, frozenset())
