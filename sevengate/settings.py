"""The knobs for the whole gate: keys of the ConfigMap, under ingress-nginx's names and with its defaults, and Options.

Each field of Settings is a key, `proxy_body_size` for `proxy-body-size`, and its annotation is the row of the table
SETTINGS: how the text is read, and what stands in the documentation. What comes out is typed, so that static.py can
write it into nginx.conf; no text that has not been checked gets past here. A bad value falls back to its default with a
diagnostic, but one that guards access closes every route (`closed_reason`). Options are what the command line decides,
and what the controller must know before it may read a ConfigMap at all.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, get_type_hints

import msgspec

from sevengate import values
from sevengate.diagnostics import Report, Where
from sevengate.values import boolean, choice, integer, seconds, size, size_between, switch, timeout, words


class LoadBalance(StrEnum):
    """How endpoints are chosen where no annotation says."""

    ROUND_ROBIN = "round_robin"
    EWMA = "ewma"


class NextUpstream(StrEnum):
    """When a request is tried at another endpoint (proxy_next_upstream)."""

    ERROR = "error"
    TIMEOUT = "timeout"
    INVALID_HEADER = "invalid_header"
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_504 = "http_504"
    HTTP_403 = "http_403"
    HTTP_404 = "http_404"
    HTTP_429 = "http_429"
    NON_IDEMPOTENT = "non_idempotent"
    OFF = "off"


class TlsProtocol(StrEnum):
    """Versions of TLS that OpenSSL still speaks (ssl_protocols)."""

    TLS_1_0 = "TLSv1"
    TLS_1_1 = "TLSv1.1"
    TLS_1_2 = "TLSv1.2"
    TLS_1_3 = "TLSv1.3"


class LogLevel(StrEnum):
    """How much goes into the error log (error_log)."""

    DEBUG = "debug"
    INFO = "info"
    NOTICE = "notice"
    WARN = "warn"
    ERROR = "error"
    CRIT = "crit"
    ALERT = "alert"
    EMERG = "emerg"


class AccessLogFormat(StrEnum):
    """INGRESS_NGINX: the line of log-format-upstream. JSON: an object a line, with names of our own."""

    INGRESS_NGINX = "ingress-nginx"
    JSON = "json"


class Metering(msgspec.Struct, frozen=True):
    """What is counted of requests, by flags of ingress-nginx. Bounds of buckets are seconds or bytes.

    `excluded` are names of families that are not counted, `series` is how many series there can be of each family, and
    `keep_seconds` how long one stays when the route is gone that it is about.
    """

    enabled: bool = False
    per_host: bool = True
    per_undefined_host: bool = False
    status_classes: bool = False
    time_buckets: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
    length_buckets: tuple[float, ...] = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
    size_buckets: tuple[float, ...] = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    excluded: tuple[str, ...] = ()
    series: int = 65_536
    keep_seconds: float = 300.0


class Setting(msgspec.Struct, frozen=True):
    """One key: its default as one would write it, how it is read, and what it does.

    `otherwise` stands in for a value that cannot be read where the default would open more than was asked for.
    """

    default: str
    parse: Callable[[str], Any]
    help: str
    otherwise: str | None = None
    guards: bool = False


def _worker_processes(text: str) -> int | None:
    return None if text == "auto" else integer(1, 512)(text)


def _buffers(text: str) -> tuple[int, int]:
    match text.split():
        case [number, length]:
            return integer(1, 1024)(number), _buffer(length)
        case _:
            raise ValueError(f"{values.shown(text)} is not a number and a size, such as 4 8k")


def _networks(text: str) -> tuple[str, ...]:
    return tuple(map(str, values.networks(text))) if text else ()


def _no_snippets(text: str) -> bool:
    if boolean(text):
        raise ValueError("snippets are not carried out: no text of a user becomes configuration")
    return False


#: Defaults that are too long for a line. The cipher list is the one of Mozilla's intermediate configuration.
_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
)
_LOG_FORMAT: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)
_MIB: Final = 1 << 20
#: NGINX wants at least its connection_pool_size.
_buffer = size_between(512, 16 * _MIB)
_count = integer(0, 1_000_000_000)
_redirect_code = values.one_of(301, 302, 307, 308)


class Settings(msgspec.Struct, frozen=True, cache_hash=True):
    """What the ConfigMap says. Durations are in seconds, sizes in bytes."""

    # --- to the backends
    proxy_body_size: Annotated[int, Setting("1m", size, "Largest request body; 0 for any size.")] = _MIB
    proxy_connect_timeout: Annotated[float, Setting("5", timeout, "Time to connect to an endpoint.")] = 5.0
    proxy_send_timeout: Annotated[float, Setting("60", timeout, "Longest pause between two writes to an endpoint.")] = (
        60.0
    )
    proxy_read_timeout: Annotated[
        float, Setting("60", timeout, "Longest pause between two reads from an endpoint.")
    ] = 60.0
    proxy_buffering: Annotated[bool, Setting("off", switch, "Read answers ahead of the client.")] = False
    proxy_request_buffering: Annotated[bool, Setting("on", switch, "Read the whole body before a backend sees it.")] = (
        True
    )
    proxy_buffer_size: Annotated[int, Setting("4k", _buffer, "Buffer for the head of an answer.")] = 4096
    proxy_buffers_number: Annotated[int, Setting("4", integer(3, 1024), "Buffers for the rest of an answer.")] = 4
    proxy_next_upstream: Annotated[
        tuple[NextUpstream, ...],
        Setting("error timeout", words(choice(NextUpstream)), "When another endpoint is tried."),
    ] = (NextUpstream.ERROR, NextUpstream.TIMEOUT)
    proxy_next_upstream_timeout: Annotated[float, Setting("0", seconds, "Time for all tries together; 0 for any.")] = (
        0.0
    )
    proxy_next_upstream_tries: Annotated[int, Setting("3", integer(0, 100), "Endpoints that are tried; 0 for all.")] = 3
    retry_non_idempotent: Annotated[bool, Setting("false", boolean, "Try POST, LOCK and PATCH again as well.")] = False
    upstream_keepalive_connections: Annotated[
        int, Setting("320", integer(0, 100_000), "Idle connections to endpoints that a worker keeps; 0 for none.")
    ] = 320
    upstream_keepalive_requests: Annotated[
        int, Setting("10000", integer(1, 1_000_000_000), "Requests on one connection to an endpoint.")
    ] = 10_000
    upstream_keepalive_time: Annotated[float, Setting("1h", timeout, "Age of a connection to an endpoint.")] = 3600.0
    upstream_keepalive_timeout: Annotated[
        float, Setting("60", timeout, "Idle time of a connection to an endpoint.")
    ] = 60.0
    load_balance: Annotated[LoadBalance, Setting("round_robin", choice(LoadBalance), "How an endpoint is chosen.")] = (
        LoadBalance.ROUND_ROBIN
    )
    upstream_hash_by: Annotated[
        str, Setting("", values.hash_key, "Choose the endpoint by a hash of this text, such as `$request_uri`.")
    ] = ""
    service_upstream: Annotated[bool, Setting("false", boolean, "Send to a Service's address, not to its pods.")] = (
        False
    )

    # --- from the clients
    client_body_buffer_size: Annotated[
        int, Setting("8k", _buffer, "Part of a request body that is kept in memory.")
    ] = 8192
    client_body_timeout: Annotated[float, Setting("60", timeout, "Longest pause between two reads of a body.")] = 60.0
    client_header_buffer_size: Annotated[int, Setting("1k", _buffer, "Buffer for a request's head.")] = 1024
    client_header_timeout: Annotated[float, Setting("60", timeout, "Time for a request's head.")] = 60.0
    large_client_header_buffers: Annotated[
        tuple[int, int], Setting("4 8k", _buffers, "Number and size of buffers for a request's head that is larger.")
    ] = (4, 8192)
    keep_alive: Annotated[float, Setting("75", seconds, "Idle time of a client's connection; 0 closes it at once.")] = (
        75.0
    )
    keep_alive_requests: Annotated[int, Setting("1000", integer(1, 1_000_000_000), "Requests on one connection.")] = (
        1000
    )
    use_http2: Annotated[bool, Setting("true", boolean, "Speak HTTP/2 over TLS.")] = True
    server_tokens: Annotated[bool, Setting("false", boolean, "Tell NGINX's version in answers.")] = False
    generate_request_id: Annotated[
        bool, Setting("true", boolean, "Make an X-Request-ID where the client sent none.")
    ] = True
    preserve_trailing_slash: Annotated[
        bool, Setting("false", boolean, "Keep the last slash of a path in the redirect to https.")
    ] = False

    # --- redirects to https, and TLS
    ssl_redirect: Annotated[bool, Setting("true", boolean, "Redirect to https for hosts that have TLS.")] = True
    force_ssl_redirect: Annotated[bool, Setting("false", boolean, "Redirect to https for all hosts.")] = False
    http_redirect_code: Annotated[int, Setting("308", _redirect_code, "Code of the redirect to https.")] = 308
    no_tls_redirect_locations: Annotated[
        tuple[str, ...],
        Setting("/.well-known/acme-challenge", values.paths, "Paths that are never redirected to https."),
    ] = ("/.well-known/acme-challenge",)
    hsts: Annotated[bool, Setting("true", boolean, "Send Strict-Transport-Security over https.")] = True
    hsts_max_age: Annotated[int, Setting("31536000", _count, "Its max-age in seconds.")] = 31_536_000
    hsts_include_subdomains: Annotated[bool, Setting("true", boolean, "Its includeSubDomains.")] = True
    hsts_preload: Annotated[bool, Setting("false", boolean, "Its preload.")] = False
    ssl_protocols: Annotated[
        tuple[TlsProtocol, ...], Setting("TLSv1.2 TLSv1.3", words(choice(TlsProtocol)), "Versions of TLS.")
    ] = (TlsProtocol.TLS_1_2, TlsProtocol.TLS_1_3)
    ssl_ciphers: Annotated[
        str, Setting(_CIPHERS, values.ciphers, "Cipher suites of TLS 1.2, as OpenSSL lists them.")
    ] = _CIPHERS
    ssl_session_cache: Annotated[bool, Setting("true", boolean, "Keep TLS sessions, shared by the workers.")] = True
    ssl_session_cache_size: Annotated[
        int, Setting("10m", size_between(64 << 10, 1 << 30), "Memory for TLS sessions; 1m holds about 4,000.")
    ] = 10 * _MIB
    ssl_session_timeout: Annotated[float, Setting("10m", values.whole_seconds, "Age of a TLS session.")] = 600.0
    ssl_session_tickets: Annotated[bool, Setting("false", boolean, "Keep TLS sessions at the clients.")] = False

    # --- who the client is
    use_forwarded_headers: Annotated[bool, Setting("false", boolean, "Believe X-Forwarded-* of clients.")] = False
    compute_full_forwarded_for: Annotated[bool, Setting("false", boolean, "Append to X-Forwarded-For.")] = False
    forwarded_for_header: Annotated[
        str, Setting("X-Forwarded-For", values.header_name, "Header that holds the client's address.")
    ] = "x-forwarded-for"
    enable_real_ip: Annotated[bool, Setting("false", boolean, "Believe forwarded-for-header alone.")] = False
    use_proxy_protocol: Annotated[bool, Setting("false", boolean, "Expect the PROXY protocol from clients.")] = False
    proxy_real_ip_cidr: Annotated[
        tuple[str, ...],
        Setting("0.0.0.0/0", _networks, "Networks whose word about the client is believed.", otherwise=""),
    ] = ("0.0.0.0/0",)
    whitelist_source_range: Annotated[
        tuple[str, ...], Setting("", _networks, "Networks that may come in; none given: all may.", guards=True)
    ] = ()
    denylist_source_range: Annotated[
        tuple[str, ...], Setting("", _networks, "Networks that may not come in.", guards=True)
    ] = ()

    # --- logs
    disable_access_log: Annotated[bool, Setting("false", boolean, "Write no access log.")] = False
    access_log_path: Annotated[
        str, Setting("", values.file_path, "File of the access log; none given: standard output.")
    ] = ""
    access_log_format: Annotated[
        AccessLogFormat,
        Setting("ingress-nginx", choice(AccessLogFormat), "ingress-nginx or json (Sevengate's own key)."),
    ] = AccessLogFormat.INGRESS_NGINX
    log_format_upstream: Annotated[str, Setting(_LOG_FORMAT, values.log_format, "A line of the access log.")] = (
        _LOG_FORMAT
    )
    log_format_escape_json: Annotated[bool, Setting("false", boolean, "Escape values in the log as JSON.")] = False
    error_log_level: Annotated[LogLevel, Setting("notice", choice(LogLevel), "Detail of the error log.")] = (
        LogLevel.NOTICE
    )

    # --- processes and sockets
    worker_processes: Annotated[
        int | None, Setting("auto", _worker_processes, "Workers; auto: one for each processor that we may use.")
    ] = None
    worker_shutdown_timeout: Annotated[float, Setting("240s", timeout, "Time for old workers to end.")] = 240.0
    max_worker_connections: Annotated[
        int, Setting("16384", integer(64, 1_000_000), "Connections of a worker, clients and endpoints together.")
    ] = 16_384
    reuse_port: Annotated[bool, Setting("true", boolean, "A listening socket for each worker (SO_REUSEPORT).")] = True
    disable_ipv6: Annotated[bool, Setting("false", boolean, "Do not listen on IPv6 addresses.")] = False
    allow_snippet_annotations: Annotated[bool, Setting("false", _no_snippets, "Only false is possible.")] = False

    # --- what reading found out
    closed_reason: str = ""

    # --- what flags say: it reloads NGINX as the keys do
    metering: Metering = Metering()


class Options(msgspec.Struct, frozen=True):
    """Flags that decide what is compiled; names of objects are `namespace/name`, "" for none."""

    ingress_class: str = "nginx"
    controller_class: str = "k8s.io/ingress-nginx"
    ingress_class_by_name: bool = False
    watch_ingress_without_class: bool = False
    annotations_prefix: str = "nginx.ingress.kubernetes.io"
    configmap: str = ""
    default_backend_service: str = ""
    default_ssl_certificate: str = ""
    disable_catch_all: bool = False
    disable_svc_external_name: bool = False
    metering: Metering = Metering()


#: The table: every key that is carried out, by its name in a ConfigMap.
SETTINGS: Final[dict[str, Setting]] = {
    field.replace("_", "-"): row
    for field, hint in get_type_hints(Settings, include_extras=True).items()
    for row in getattr(hint, "__metadata__", ())
}

#: Keys of ingress-nginx that guard access and are not carried out: any value but "" or "false" closes every route.
UNSUPPORTED_GUARDS: Final = frozenset(
    {
        "block-cidrs",
        "block-referers",
        "block-user-agents",
        "enable-modsecurity",
        "enable-owasp-modsecurity-crs",
        "global-auth-url",
        "location-snippet",
        "modsecurity-snippet",
        "server-snippet",
    }
)

#: All keys of ingress-nginx that are not carried out yet.
UNSUPPORTED: Final = UNSUPPORTED_GUARDS | frozenset(
    """
    access-log-params add-headers allow-backend-server-header allow-cross-namespace-resources
    annotation-value-word-blocklist annotations-risk-level app-root bind-address brotli-level brotli-min-length
    brotli-types custom-http-errors debug-connections default-type disable-http-access-log disable-ipv6-dns
    disable-proxy-intercept-errors disable-stream-access-log enable-access-log-for-default-backend enable-aio-write
    enable-auth-access-log enable-brotli enable-multi-accept enable-ocsp enable-opentelemetry enable-serial-reloads
    enable-syslog enable-underscores-in-headers error-log-path forwarded-for-proxy-protocol-header
    forwarded-host-header geoip2-autoreload-in-minutes global-allowed-response-headers global-auth-always-set-cookie
    global-auth-cache-duration global-auth-cache-key global-auth-method global-auth-request-redirect
    global-auth-response-headers global-auth-signin global-auth-signin-redirect-param global-auth-snippet
    grpc-buffer-size-kb gzip-disable gzip-level gzip-min-length gzip-types hide-headers http-access-log-path
    http-snippet http2-max-concurrent-streams http2-max-field-size http2-max-header-size http2-max-requests
    ignore-invalid-headers limit-conn-status-code limit-conn-zone-variable limit-rate limit-rate-after
    limit-req-status-code log-format-escape-none log-format-stream lua-shared-dicts main-snippet map-hash-bucket-size
    max-worker-open-files nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist no-auth-locations
    opentelemetry-config opentelemetry-operation-name opentelemetry-trust-incoming-span otel-max-export-batch-size
    otel-max-queuesize otel-sampler otel-sampler-parent-based otel-sampler-ratio otel-schedule-delay-millis
    otel-service-name otlp-collector-host otlp-collector-port proxy-add-original-uri-header proxy-busy-buffers-size
    proxy-cookie-domain proxy-cookie-path proxy-headers-hash-bucket-size proxy-headers-hash-max-size
    proxy-http-version proxy-max-temp-file-size proxy-protocol-header-timeout proxy-redirect-from proxy-redirect-to
    proxy-set-headers proxy-ssl-location-only proxy-stream-next-upstream proxy-stream-next-upstream-timeout
    proxy-stream-next-upstream-tries proxy-stream-responses proxy-stream-timeout relative-redirects
    server-name-hash-bucket-size server-name-hash-max-size skip-access-log-urls ssl-buffer-size ssl-dh-param
    ssl-early-data ssl-ecdh-curve ssl-reject-handshake ssl-session-ticket-key stream-access-log-path stream-snippet
    strict-validate-path-type syslog-host syslog-port upstream-hash-by-subset upstream-hash-by-subset-size use-geoip2
    use-gzip use-port-in-redirects variables-hash-bucket-size variables-hash-max-size worker-cpu-affinity
    """.split()  # noqa: SIM905 - a name a line would fill pages
)


def read_settings(data: Mapping[str, str], where: Where, report: Report) -> Settings:
    """Read the data of a ConfigMap; what is not set, or set to "", has its default."""
    reader = _Reader(where, report)
    for key, text in data.items():
        if stripped := text.strip(values.BLANKS):
            reader.read(key, stripped)
    return Settings(**reader.fields, closed_reason="; ".join(reader.closed))


class _Reader:
    """Collects fields, and reasons to close."""

    def __init__(self, where: Where, report: Report) -> None:
        self._where = where
        self._report = report
        self.fields: dict[str, Any] = {}
        self.closed: list[str] = []

    def read(self, key: str, text: str) -> None:
        """Take in one key with a value that is not empty."""
        if (row := SETTINGS.get(key)) is not None:
            self._known(key, row, text)
        elif key in UNSUPPORTED:
            self._unsupported(key, text)
        else:
            self._unknown(key)

    def _known(self, key: str, row: Setting, text: str) -> None:
        field = key.replace("-", "_")
        try:
            self.fields[field] = row.parse(text)
        except ValueError as why:
            if row.guards:
                self._close(key, f"{key}: {why}")
                return
            if row.otherwise is not None:
                self.fields[field] = row.parse(row.otherwise)
            instead = row.default if row.otherwise is None else row.otherwise
            message = f"{key}: {why}; {values.shown(instead)} is used in its place"
            self._report.error("setting/invalid-value", self._at(key), message)

    def _unsupported(self, key: str, text: str) -> None:
        if key not in UNSUPPORTED_GUARDS:
            self._report.warning("setting/unsupported", self._at(key), f"{key} is not carried out yet")
        elif text != "false":
            self._close(key, f"{key} guards access and is not carried out yet")

    def _unknown(self, key: str) -> None:
        nearest = values.nearest(key, (*SETTINGS, *sorted(UNSUPPORTED)))
        hint = f"did you mean {nearest}?" if nearest else ""
        self._report.warning("setting/unknown", self._at(key), f"No setting {values.shown(key)} is known", hint=hint)

    def _close(self, key: str, reason: str) -> None:
        self.closed.append(reason)
        self._report.error("setting/closed", self._at(key), f"{reason}; so every route answers 503")

    def _at(self, key: str) -> Where:
        return self._where.at(f"data[{key}]")
