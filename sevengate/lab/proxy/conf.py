"""Forwards and Checks as a configuration of NGINX's stream module.

Takes what `forwards` gives, where files lie, and a generation; gives directives. Pure. The generation is answered at a
socket, so that it can be known when a configuration has taken over. All text is written by the quoting writer.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from sevengate.lab.proxy.forwards import Check, Forward, Target
from sevengate.nginx.conf import Directive, Expr

#: A connection is no kube-proxy's business once it is made, so it may be silent for long.
IDLE: Final = "24h"
UDP_IDLE: Final = "30s"
#: Workers of the configuration before this one end their connections after so long.
LAST_CONNECTIONS: Final = "1h"


class Place(msgspec.Struct, frozen=True):
    """Where NGINX finds and puts things."""

    module: str
    pid: str
    control: str


def stream_conf(forwards: Iterable[Forward], checks: Iterable[Check], place: Place, generation: int) -> list[Directive]:
    """Give the whole configuration."""
    return [
        *([_d("load_module", place.module)] if place.module else []),
        _d("daemon", "off"),
        _d("pid", place.pid),
        # An endpoint that is gone a moment before we hear of it is no news: the next one is tried.
        _d("error_log", "stderr", "crit"),
        # One worker, so that connections go round all endpoints in turn.
        _d("worker_processes", "1"),
        _d("worker_shutdown_timeout", LAST_CONNECTIONS),
        _block("events", _d("worker_connections", "16384")),
        _block("stream", *_servers(forwards), *map(_check, checks), _control(place, generation)),
    ]


def _servers(forwards: Iterable[Forward]) -> Iterator[Directive]:
    upstreams: dict[tuple[tuple[Target, ...], bool], str] = {}
    for forward in forwards:
        group = forward.targets, forward.sticky
        if group not in upstreams:
            upstreams[group] = f"endpoints-{len(upstreams)}"
            yield _upstream(upstreams[group], forward)
        yield _server(forward, upstreams[group])


def _upstream(name: str, forward: Forward) -> Directive:
    servers = (_d("server", f"{one.address}:{one.port}", "max_fails=0") for one in forward.targets)
    affinity = [_d("hash", Expr("$remote_addr"), "consistent")] if forward.sticky else []
    return Directive("upstream", (name,), (*affinity, *servers))


def _server(forward: Forward, upstream: str) -> Directive:
    is_udp = forward.protocol == "UDP"
    return _block(
        "server",
        _d("listen", f"{forward.address}:{forward.port}", *(("udp",) if is_udp else ())),
        _d("proxy_pass", upstream),
        _d("proxy_bind", forward.source or Expr("$remote_addr")),
        _d("proxy_timeout", UDP_IDLE if is_udp else IDLE),
        _d("proxy_connect_timeout", "5s"),
    )


def _check(check: Check) -> Directive:
    status = "200 OK" if check.local else "503 Service Unavailable"
    namespace, _, name = check.service.partition("/")
    service = f'{{"namespace": "{namespace}", "name": "{name}"}}'
    body = f'{{"service": {service}, "localEndpoints": {check.local}, "serviceProxyHealthy": true}}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    return _block("server", _d("listen", f"{check.address}:{check.port}"), _d("return", f"{head}\r\n\r\n{body}"))


def _control(place: Place, generation: int) -> Directive:
    return _block("server", _d("listen", f"unix:{place.control}"), _d("return", str(generation)))


def _d(name: str, *args: str) -> Directive:
    return Directive(name, args)


def _block(name: str, *block: Directive) -> Directive:
    return Directive(name, (), block)
