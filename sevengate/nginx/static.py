"""Settings and Profiles become the nginx.conf that almost never changes.

It takes typed settings, the Profiles in use and the place where NGINX runs, and gives the tree that conf.py writes.
There is one server for plain requests and one for TLS, whatever their host, one for the default backend, and one on a
unix socket for control: hosts, paths, endpoints and certificates are documents, not configuration. So the text grows
with the number of distinct Profiles and with nothing else, and no directive holds a user's text beside numbers, sizes
and words of fixed lists. The headers to the backends are those of ingress-nginx, so applications see no difference.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from sevengate.metrics import INHERITED, bound_text
from sevengate.nginx.conf import Directive, Expr
from sevengate.routing.policies import BackendProtocol, Profile
from sevengate.settings import AccessLogFormat, Metering, Settings

#: Modules of Lua are named as the package is laid out, so one root serves Python and Lua.
PHASES: Final = "sevengate.nginx.lua.phases"
CONTROL: Final = "sevengate.nginx.lua.control"

#: The control server reads a push of this size into memory without a file between.
CONTROL_BODY: Final = 4 * 1024 * 1024
#: Parsed certificates that a worker keeps; each takes about 15 kB.
CERTIFICATES_KEPT: Final = 10_000
#: MiB for the labels of series, of which 65,536 can be; what is not used takes no memory.
SERIES: Final = 64
#: Steps of PCRE after which a user's pattern is given up: milliseconds, where a bad one would take years.
REGEX_STEPS: Final = 100_000

#: What a backend may choose from: NGINX itself left out the newest until 1.23.4.
_BACKEND_TLS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

#: Every IPv6 address of the machine.
_ANY_IPV6: Final = "[::]"

#: Variables that lua/phases.lua sets for the access log, beside proxy_upstream_name, if its format names them.
LOG_VARIABLES: Final = ("namespace", "ingress_name", "service_name", "service_port")

#: ingress-nginx's `log-format-upstream`.
INGRESS_NGINX_FORMAT: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)
#: The same as JSON; numbers stay text where NGINX may write several of them or `-`.
JSON_FORMAT: Final = (
    '{"time":"$time_iso8601","remote_addr":"$remote_addr","remote_user":"$remote_user","host":"$host",'
    '"method":"$request_method","uri":"$request_uri","protocol":"$server_protocol","status":$status,'
    '"bytes_sent":$body_bytes_sent,"request_length":$request_length,"request_time":$request_time,'
    '"referer":"$http_referer","user_agent":"$http_user_agent","request_id":"$req_id",'
    '"upstream_name":"$proxy_upstream_name","upstream_addr":"$upstream_addr","upstream_status":"$upstream_status",'
    '"upstream_response_time":"$upstream_response_time","upstream_response_length":"$upstream_response_length",'
    '"namespace":"$namespace","ingress":"$ingress_name","service":"$service_name","service_port":"$service_port"}'
)


class Place(msgspec.Struct, frozen=True):
    """Where one NGINX runs: what the machine gives, and the addresses that the user wants.

    Paths are absolute. `lua_root` is the folder above the package. `dictionary` is the size of the documents'
    dictionary in MiB; where it has grown, `previous_dictionary` is the one to take the documents over from. `id` is
    what the control server calls this configuration.
    """

    version: tuple[int, int, int]
    modules: tuple[str, ...]
    lua_root: str
    lua_path: str
    lua_cpath: str
    pid: str
    control: str
    temporary: str
    certificate: str
    certificate_key: str
    addresses: tuple[str, ...] = ("0.0.0.0", _ANY_IPV6)  # noqa: S104 - an ingress is for the world
    http_port: int = 80
    https_port: int = 443
    default_port: int = 8181
    dictionary: int = 32
    previous_dictionary: int = 0
    processors: int = 1
    id: str = ""


def default_profile(settings: Settings) -> Profile:
    """Give the Profile of a route that asks for nothing: it is served in place."""
    return Profile(
        body_size=settings.proxy_body_size,
        buffering=settings.proxy_buffering,
        request_buffering=settings.proxy_request_buffering,
    )


def static_conf(settings: Settings, profiles: Iterable[Profile], place: Place) -> tuple[Directive, ...]:
    """Give the whole configuration. `profiles` are all that routes use; the default one need not be among them."""
    named = sorted({default_profile(settings), *profiles}, key=lambda profile: profile.name)
    return (
        *(_d("load_module", module) for module in place.modules),
        _d("daemon", "off"),
        _d("pid", place.pid),
        _d("error_log", "stderr", settings.error_log_level),
        _d("worker_processes", str(settings.worker_processes or place.processors)),
        _d("worker_shutdown_timeout", _seconds(settings.worker_shutdown_timeout)),
        _d("pcre_jit", "on"),
        _block(
            "events",
            _d("worker_connections", str(settings.max_worker_connections)),
            _d("multi_accept", "on"),
        ),
        _block(
            "http",
            *_lua(settings, named, place),
            *_http(settings, place),
            *_variables(settings, place),
            *_access_log(settings),
            *_tls(settings, place),
            *_to_backends(settings, place),
            *(_upstream(protocol, settings) for protocol in BackendProtocol),
            _plain_server(settings, named, place),
            _tls_server(settings, named, place),
            _default_server(settings, place),
            _control_server(place, counts=settings.metering.enabled),
        ),
    )


def front_body_size(profiles: Iterable[Profile]) -> int:
    """Give the largest body that any Profile takes, 0 for any size: what the front must let in, Lua then narrows."""
    sizes = {profile.body_size for profile in profiles}
    return 0 if 0 in sizes else max(sizes)


# --- Lua


def _lua(settings: Settings, profiles: Iterable[Profile], place: Place) -> tuple[Directive, ...]:
    default = default_profile(settings)
    arguments = {
        "id": place.id,
        "dictionary": _dictionary(place.dictionary),
        "previous_dictionary": _dictionary(place.previous_dictionary) if place.previous_dictionary else "",
        "profile": default.name,
        "body_size": default.body_size,
        "front_body_size": front_body_size(profiles),
        "tries": settings.proxy_next_upstream_tries,
        "generate_request_id": int(settings.generate_request_id),
        "host_variable": _host_variable(trusts=settings.use_forwarded_headers),
        "certificates_kept": CERTIFICATES_KEPT,
        "logs_backend": len(_logged(settings, ("proxy_upstream_name",))),
        "log_variables": "/".join(_logged(settings, LOG_VARIABLES)),
        **_metering(settings.metering),
    }
    told = ", ".join(f'"{name}:{value}"' for name, value in arguments.items())
    dictionaries = {place.dictionary, place.previous_dictionary} - {0}
    return (
        _d("lua_package_path", f"{place.lua_root}/?.lua;{place.lua_path};;"),
        _d("lua_package_cpath", f"{place.lua_cpath};;"),
        *(_d("lua_shared_dict", _dictionary(size), f"{size}m") for size in sorted(dictionaries)),
        _d("lua_shared_dict", "generations", "2m"),
        _d("lua_shared_dict", "turns", "4m"),
        _d("lua_shared_dict", "scores", "4m"),
        *((_d("lua_shared_dict", "series", f"{SERIES}m"),) if settings.metering.enabled else ()),
        _d("lua_regex_match_limit", str(REGEX_STEPS)),
        _d("lua_regex_cache_max_entries", "8192"),
        _call("init_by_lua_block", f'require("{PHASES}").init({told})'),
        _call("init_worker_by_lua_block", f'require("{PHASES}").init_worker()'),
    )


def _metering(metering: Metering) -> dict[str, str | int | float]:
    if not metering.enabled:
        return {"metrics": 0}
    return {
        "metrics": 1,
        "metrics_per_host": int(metering.per_host),
        "metrics_per_undefined_host": int(metering.per_undefined_host),
        "status_classes": int(metering.status_classes),
        "time_buckets": _bounds(metering.time_buckets),
        "length_buckets": _bounds(metering.length_buckets),
        "size_buckets": _bounds(metering.size_buckets),
        "excluded": "/".join(name.removeprefix(INHERITED) for name in metering.excluded),
        "series": metering.series,
        "keep_series": metering.keep_seconds,
    }


def _bounds(bounds: Iterable[float]) -> str:
    return "/".join(map(bound_text, bounds))


def _dictionary(size: int) -> str:
    return f"documents_{size}m"


# --- what holds for every request


def _http(settings: Settings, place: Place) -> tuple[Directive, ...]:
    count, size = settings.large_client_header_buffers
    return (
        *(
            _d(f"{kind}_temp_path", f"{place.temporary}/{kind}")
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
        _d("default_type", "text/html"),
        _d("sendfile", "on"),
        _d("tcp_nopush", "on"),
        _d("tcp_nodelay", "on"),
        _d("reset_timedout_connection", "on"),
        _d("log_subrequest", "on"),
        _d("uninitialized_variable_warn", "off"),
        _d("server_tokens", _on(settings.server_tokens)),
        _d("port_in_redirect", "off"),
        _d("keepalive_timeout", _seconds(settings.keep_alive)),
        _d("keepalive_requests", str(settings.keep_alive_requests)),
        _d("client_header_buffer_size", str(settings.client_header_buffer_size)),
        _d("large_client_header_buffers", str(count), str(size)),
        _d("client_header_timeout", _seconds(settings.client_header_timeout)),
        _d("client_body_timeout", _seconds(settings.client_body_timeout)),
        _d("client_body_buffer_size", str(settings.client_body_buffer_size)),
        *_real_ip(settings),
    )


def _real_ip(settings: Settings) -> tuple[Directive, ...]:
    # https://nginx.org/en/docs/http/ngx_http_realip_module.html
    if not (settings.use_forwarded_headers or settings.enable_real_ip or settings.use_proxy_protocol):
        return ()
    by_header = settings.use_forwarded_headers or settings.enable_real_ip
    return (
        _d("real_ip_header", settings.forwarded_for_header if by_header else "proxy_protocol"),
        _d("real_ip_recursive", "on"),
        *(_d("set_real_ip_from", network) for network in settings.proxy_real_ip_cidr),
    )


def _scheme(settings: Settings) -> str:
    """Name the variable that holds what the client speaks; NGINX's own where nobody else has a say: it costs least."""
    return "$pass_access_scheme" if settings.use_forwarded_headers or settings.use_proxy_protocol else "$scheme"


def _port(settings: Settings, place: Place) -> str:
    """Name the variable that holds the port that the client asked; for https it is 443, as in ingress-nginx."""
    told = settings.use_forwarded_headers or settings.use_proxy_protocol
    return "$pass_port" if told or place.https_port != 443 else "$server_port"


def _variables(settings: Settings, place: Place) -> tuple[Directive, ...]:
    trusts = settings.use_forwarded_headers
    # A balancer that ends TLS itself tells so by the port that its client asked.
    proxied = (
        _map("$proxy_protocol_server_port", "$proxied_scheme", ("default", "$scheme"), ("443", "https")),
        _or_else("$proxy_protocol_server_port", "$proxied_port", "$own_port"),
    )
    is_proxied = settings.use_proxy_protocol
    own_scheme, own_port = ("$proxied_scheme", "$proxied_port") if is_proxied else ("$scheme", "$own_port")
    return (
        *(proxied if is_proxied else ()),
        _or_else("$http_x_forwarded_proto" if trusts else "", "$pass_access_scheme", own_scheme),
        _map("$server_port", "$own_port", ("default", "$server_port"), (str(place.https_port), "443")),
        _or_else("$http_x_forwarded_port" if trusts else "", "$pass_port", own_port),
        *_host_variables(trusts=trusts),
        _constant("$host_and_header", "$host $http_host"),
        # The backend's Host header, where Lua does not set another one (upstream-vhost).
        _constant("$backend_host", "$best_http_host"),
        _or_else("$http_x_request_id", "$req_id", "$made_request_id"),
        *_upgrade_variables(),
        _map(
            "$http_x_forwarded_for",
            "$full_x_forwarded_for",
            ("default", "$http_x_forwarded_for, $realip_remote_addr"),
            ("", "$realip_remote_addr"),
        ),
        # Lua sets these; a map without a source is how a variable is declared that costs nothing until it is read.
        *(_constant(f"${name}", "") for name in (*LOG_VARIABLES, "proxy_upstream_name")),
        *(_constant(f"${name}", "") for name in ("proxy_alternative_upstream_name", "forwarded_prefix")),
        # What is refused before Lua sees it has NGINX's own name in the log.
        _constant("$made_request_id", "$request_id" if settings.generate_request_id else ""),
    )


def _upgrade_variables() -> tuple[Directive, ...]:
    # Over a connection that a backend turned to HTTP/2, a client could ask it for any path unseen; so it gets none.
    http2 = "~*h2c"
    return (
        _map("$http_upgrade", "$upgrade", ("default", "$http_upgrade"), ("", ""), (http2, "")),
        _map("$upgrade", "$connection_upgrade", ("default", "upgrade"), ("", "")),
    )


def _host_variable(*, trusts: bool) -> str:
    """Name the variable that holds the host that the client itself asked for."""
    return "own_host" if trusts else "best_http_host"


def _host_variables(*, trusts: bool) -> tuple[Directive, ...]:
    # Lua sets it to $host where the Host header is not what the request is routed by.
    own = _constant(f"${_host_variable(trusts=trusts)}", "$http_host")
    if not trusts:
        return (own,)
    # Of several hosts the first is the one that the client asked for.
    first = _map(
        "$http_x_forwarded_host",
        "$best_http_host",
        ("default", "$own_host"),
        (r"~^(?<first_host>[^,\s]+)", "$first_host"),
    )
    return own, first


def _hsts(settings: Settings) -> str:
    # RFC 6797, section 6.1
    return "; ".join(
        (
            f"max-age={settings.hsts_max_age}",
            *(("includeSubDomains",) if settings.hsts_include_subdomains else ()),
            *(("preload",) if settings.hsts_preload else ()),
        )
    )


def _access_log(settings: Settings) -> tuple[Directive, ...]:
    if settings.disable_access_log:
        return (_d("access_log", "off"),)
    escape, text = _log_format(settings)
    return (
        Directive("log_format", ("access", f"escape={escape}", Expr(text))),
        _d("access_log", settings.access_log_path or "/dev/stdout", "access"),
    )


def _log_format(settings: Settings) -> tuple[str, str]:
    if settings.access_log_format is AccessLogFormat.JSON:
        return "json", JSON_FORMAT
    return (
        "json" if settings.log_format_escape_json else "default",
        settings.log_format_upstream or INGRESS_NGINX_FORMAT,
    )


def _logged(settings: Settings, variables: Iterable[str]) -> list[str]:
    """Give those of the variables that the access log names: NGINX lets Lua set no others."""
    if settings.disable_access_log:
        return []
    _, text = _log_format(settings)
    return [name for name in variables if f"${name}" in text or f"${{{name}}}" in text]


def _tls(settings: Settings, place: Place) -> tuple[Directive, ...]:
    cache = f"shared:SSL:{settings.ssl_session_cache_size}"
    return (
        _d("ssl_certificate", place.certificate),
        _d("ssl_certificate_key", place.certificate_key),
        _d("ssl_protocols", *settings.ssl_protocols),
        _d("ssl_ciphers", settings.ssl_ciphers),
        _d("ssl_prefer_server_ciphers", "on"),
        _d("ssl_session_cache", cache if settings.ssl_session_cache else "off"),
        _d("ssl_session_timeout", f"{max(1, round(settings.ssl_session_timeout))}s"),
        _d("ssl_session_tickets", _on(settings.ssl_session_tickets)),
        _d("ssl_buffer_size", "4k"),
    )


# --- what is sent to the backends


def _headers(settings: Settings, place: Place) -> tuple[tuple[str, str], ...]:
    scheme = _scheme(settings)
    forwarded_for = "$full_x_forwarded_for" if settings.compute_full_forwarded_for else "$remote_addr"
    return (
        ("Host", "$backend_host"),
        ("X-Request-ID", "$req_id"),
        ("X-Real-IP", "$remote_addr"),
        ("X-Forwarded-For", forwarded_for),
        ("X-Forwarded-Host", "$best_http_host"),
        ("X-Forwarded-Port", _port(settings, place)),
        ("X-Forwarded-Proto", scheme),
        ("X-Forwarded-Scheme", scheme),
        ("X-Scheme", scheme),
        ("X-Forwarded-Prefix", "$forwarded_prefix"),
        ("X-Original-Forwarded-For", "$http_x_forwarded_for"),
        ("X-Original-Forwarded-Host", "$http_x_forwarded_host"),
        # https://httpoxy.org: a CGI program would take the header for an environment variable
        ("Proxy", ""),
    )


def _to_backends(settings: Settings, place: Place) -> tuple[Directive, ...]:
    conditions = (*settings.proxy_next_upstream, *(("non_idempotent",) if settings.retry_non_idempotent else ()))
    return (
        _d("proxy_http_version", "1.1"),
        _d("proxy_redirect", "off"),
        _d("proxy_buffer_size", str(settings.proxy_buffer_size)),
        _d("proxy_buffers", str(settings.proxy_buffers_number), str(settings.proxy_buffer_size)),
        _d("grpc_buffer_size", str(settings.proxy_buffer_size)),
        *(
            directive
            for module in ("proxy", "grpc")
            for directive in (
                _d(f"{module}_connect_timeout", _seconds(settings.proxy_connect_timeout)),
                _d(f"{module}_send_timeout", _seconds(settings.proxy_send_timeout)),
                _d(f"{module}_read_timeout", _seconds(settings.proxy_read_timeout)),
                _d(f"{module}_ssl_protocols", *_BACKEND_TLS),
                _d(f"{module}_next_upstream", *conditions),
                _d(f"{module}_next_upstream_timeout", _seconds(settings.proxy_next_upstream_timeout)),
                _d(f"{module}_next_upstream_tries", str(settings.proxy_next_upstream_tries)),
            )
        ),
        *(Directive("proxy_set_header", (name, Expr(value))) for name, value in _headers(settings, place)),
        Directive("proxy_set_header", ("Upgrade", Expr("$upgrade"))),
        Directive("proxy_set_header", ("HTTP2-Settings", "")),
        Directive("proxy_set_header", ("Connection", Expr("$connection_upgrade"))),
        *(Directive("grpc_set_header", (name, Expr(value))) for name, value in _headers(settings, place)),
    )


def _upstream(protocol: BackendProtocol, settings: Settings) -> Directive:
    # A pool for each protocol: NGINX finds kept connections by address alone, and one with TLS must not serve without.
    keepalive = settings.upstream_keepalive_connections
    return Directive(
        "upstream",
        (f"sevengate_{protocol}",),
        (
            # The address is never used: RFC 1122 keeps it for "this host on this network".
            _d("server", "0.0.0.1"),
            _call("balancer_by_lua_block", f'require("{PHASES}").balance()'),
            *(
                (
                    _d("keepalive", str(keepalive)),
                    _d("keepalive_timeout", _seconds(settings.upstream_keepalive_timeout)),
                    _d("keepalive_time", _seconds(settings.upstream_keepalive_time)),
                    _d("keepalive_requests", str(settings.upstream_keepalive_requests)),
                )
                if keepalive
                else ()
            ),
        ),
    )


# --- servers


def _plain_server(settings: Settings, profiles: Iterable[Profile], place: Place) -> Directive:
    """The server for all hosts without TLS."""
    listen = (*_shared_listen(settings), *(("proxy_protocol",) if settings.use_proxy_protocol else ()))
    return _block(
        "server",
        *(_d("listen", f"{address}:{place.http_port}", *listen) for address in _addresses(settings, place)),
        _d("server_name", "_"),
        *_counting(settings),
        *_locations(settings, profiles),
    )


def _tls_server(settings: Settings, profiles: Iterable[Profile], place: Place) -> Directive:
    """The server for all hosts with TLS."""
    # https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2: the directive is there since 1.25.1
    by_directive = place.version >= (1, 25, 1)
    listen = (
        "ssl",
        *(("http2",) if settings.use_http2 and not by_directive else ()),
        *_shared_listen(settings),
        *(("proxy_protocol",) if settings.use_proxy_protocol else ()),
    )
    return _block(
        "server",
        *(_d("listen", f"{address}:{place.https_port}", *listen) for address in _addresses(settings, place)),
        *((_d("http2", "on"),) if settings.use_http2 and by_directive else ()),
        _d("server_name", "_"),
        _call("ssl_certificate_by_lua_block", f'require("{PHASES}").certificate()'),
        *((_d("add_header", "Strict-Transport-Security", _hsts(settings), "always"),) if settings.hsts else ()),
        *_counting(settings),
        *_locations(settings, profiles),
    )


def _addresses(settings: Settings, place: Place) -> tuple[str, ...]:
    """Give the addresses to listen at; one that was asked for by name stays, whatever the settings say of IPv6."""
    return tuple(address for address in place.addresses if not (settings.disable_ipv6 and address == _ANY_IPV6))


def _shared_listen(settings: Settings) -> tuple[str, ...]:
    return ("default_server", *(("reuseport",) if settings.reuse_port else ()), "backlog=4096")


def _counting(settings: Settings) -> tuple[Directive, ...]:
    return (_call("log_by_lua_block", f'require("{PHASES}").log()'),) if settings.metering.enabled else ()


def _locations(settings: Settings, profiles: Iterable[Profile]) -> tuple[Directive, ...]:
    front = Directive(
        "location",
        ("/",),
        (
            _d("client_max_body_size", str(front_body_size(profiles))),
            _call("rewrite_by_lua_block", f'require("{PHASES}").route()'),
            *_pass(default_profile(settings)),
        ),
    )
    return (front, *map(_named_location, profiles))


def _named_location(profile: Profile) -> Directive:
    return Directive(
        "location",
        (f"@{profile.name}",),
        (
            _d("client_max_body_size", str(profile.body_size)),
            _call("log_by_lua_block", f'require("{PHASES}").log_aside()'),
            *_pass(profile),
        ),
    )


def _pass(profile: Profile) -> tuple[Directive, ...]:
    upstream = f"{profile.protocol}://sevengate_{profile.protocol}"
    if profile.protocol in {BackendProtocol.GRPC, BackendProtocol.GRPCS}:
        return (_d("grpc_pass", upstream),)
    return (
        _d("proxy_buffering", _on(profile.buffering)),
        _d("proxy_request_buffering", _on(profile.request_buffering)),
        _d("proxy_pass", upstream),
    )


def _default_server(settings: Settings, place: Place) -> Directive:
    return _block(
        "server",
        *(
            _d("listen", f"{address}:{place.default_port}", *_shared_listen(settings))
            for address in _addresses(settings, place)
        ),
        _d("access_log", "off"),
        # Lua can set only what some directive uses, and no other one uses this: it stands where it costs nothing.
        Directive("set", (Expr("$sevengate_aside"), "")),
        Directive("location", ("=", "/healthz"), (_d("return", "200"),)),
        Directive("location", ("/",), (_call("content_by_lua_block", f'require("{PHASES}").default_server()'),)),
    )


def _control_server(place: Place, *, counts: bool) -> Directive:
    def location(path: str, function: str) -> Directive:
        call = _call("content_by_lua_block", f'require("{CONTROL}").{function}()')
        return Directive("location", ("=", path), (call,))

    return _block(
        "server",
        _d("listen", f"unix:{place.control}"),
        _d("access_log", "off"),
        _d("keepalive_timeout", "3600s"),
        _d("keepalive_requests", "1000000000"),
        _d("client_max_body_size", "0"),
        _d("client_body_buffer_size", str(CONTROL_BODY)),
        location("/v1/state", "state"),
        location("/v1/digests", "digests"),
        location("/v1/push", "push"),
        *((location("/v1/series", "series"),) if counts else ()),
        Directive("location", ("=", "/v1/connections"), (_d("stub_status"),)),
    )


# --- how directives are written


def _d(name: str, *args: str) -> Directive:
    return Directive(name, args)


def _block(name: str, *directives: Directive) -> Directive:
    return Directive(name, (), directives)


def _call(name: str, lua: str) -> Directive:
    return Directive(name, lua=lua)


def _map(source: str, variable: str, *rows: tuple[str, str]) -> Directive:
    return Directive(
        "map", (Expr(source), Expr(variable)), tuple(Directive("", (key, Expr(value))) for key, value in rows)
    )


def _or_else(source: str, variable: str, otherwise: str) -> Directive:
    return _map(source, variable, ("default", source), ("", otherwise))


def _constant(variable: str, value: str) -> Directive:
    return _map("", variable, ("default", value))


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"
