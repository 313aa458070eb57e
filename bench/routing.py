"""Question (a): what a proxied request costs in NGINX, against stock NGINX with one static route.

The gates are real data planes, filled from Ingresses through the compiler; the neighbours are configurations written by
hand. Everything runs on one CPU, one worker each, and wrk sends the same requests to all.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.answers import Answer, Bar, Figure
from bench.cluster import Address, small_cluster, snapshot
from bench.gates import compiled, warm_up, worker
from bench.gauges import cpu_seconds, interleaved, on_one_cpu, ratios
from bench.peers import LOOPBACK, backends, free_ports, stock_nginx, wrk
from bench.scale import Scale
from sevengate.nginx.live import live
from sevengate.nginx.static import INGRESS_NGINX_FORMAT
from sevengate.settings import Metering, Settings

QUESTION: Final = (
    "CPU time of the worker for a proxied request with 10,000 hosts of five paths (HTTP keep-alive, 64-byte responses, "
    "requests spread over all of them), against stock NGINX with one static route and upstream keepalive: bare, and "
    "with the same request headers to the backend as Sevengate sends."
)

_UPSTREAM: Final = """
    upstream backend { server %s:%s; keepalive 320; keepalive_requests 10000; }
"""
_BARE: Final = """
        proxy_http_version 1.1;
        proxy_set_header Connection "";
"""
_HEADERS: Final = """
        proxy_http_version 1.1;
        proxy_set_header Host $best_http_host;
        proxy_set_header X-Request-ID $req_id;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $best_http_host;
        proxy_set_header X-Forwarded-Port $server_port;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Scheme $scheme;
        proxy_set_header X-Scheme $scheme;
        proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
        proxy_set_header X-Original-Forwarded-Host $http_x_forwarded_host;
        proxy_set_header Proxy "";
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
"""
_MAPS: Final = """
    map $http_host $best_http_host { default $http_host; "" $host; }
    map $http_x_request_id $req_id { default $http_x_request_id; "" $request_id; }
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
"""
# What a static configuration knows of its one route, in the place of what Sevengate looks up.
_LOG_FORMAT: Final = f"""
    map "" $proxy_upstream_name {{ default shop-service-1-80; }}
    map "" $proxy_alternative_upstream_name {{ default ""; }}
    log_format access '{INGRESS_NGINX_FORMAT}';
"""

#: Who is measured.
BARE: Final = "stock, bare"
HEADERS: Final = "stock, same headers"
HEADERS_LOGGING: Final = "stock, same headers, access log"
BARE_ONE: Final = "stock, bare, asked for 1 host"
MANY: Final = "all hosts"
MANY_LOGGING: Final = "all hosts, access log"
MANY_COUNTING: Final = "all hosts, metrics"
ONE: Final = "1 host"

SILENT: Final = Settings(worker_processes=1, disable_access_log=True)
COUNTING: Final = Settings(worker_processes=1, disable_access_log=True, metering=Metering(enabled=True))
LOGGING: Final = Settings(worker_processes=1, access_log_path="/dev/null")

#: Gives the CPU seconds of a request, from requests for a number of hosts for some seconds.
Measure = Callable[[int, int], float]


def answer(scale: Scale) -> Answer:
    """Measure all neighbours turn by turn."""
    with on_one_cpu(), ExitStack() as stack:
        taken = interleaved(scale.rounds, _neighbours(scale, stack))
    notes = (
        f"Median of {scale.rounds} interleaved rounds of {scale.seconds} s, ratio by pair; all processes on one CPU.",
        f"Of the cheapest rounds, which other work disturbed least: {min(taken[MANY]) / min(taken[BARE]):.2f}, bare.",
        "Access logs go to /dev/null: what a line costs to make, not what a disk costs.",
        "Requests for one host leave more of the CPU's caches to the proxy, so they are compared among themselves.",
    )
    return Answer(tuple(_figures(taken)), notes)


def _neighbours(scale: Scale, stack: ExitStack) -> dict[str, Callable[[], float]]:
    address, _ = stack.enter_context(backends())
    bare = stack.enter_context(_stock(address, "", _BARE))
    headers = stack.enter_context(_stock(address, _MAPS, _HEADERS))
    logging = stack.enter_context(_stock(address, _MAPS + _LOG_FORMAT, "access_log /dev/null access;" + _HEADERS))
    many = stack.enter_context(_ours(address, scale.hosts, SILENT))
    many_logging = stack.enter_context(_ours(address, scale.hosts, LOGGING))
    many_counting = stack.enter_context(_ours(address, scale.hosts, COUNTING))
    one = stack.enter_context(_ours(address, 1, SILENT))
    asked = {
        BARE: (bare, scale.hosts),
        HEADERS: (headers, scale.hosts),
        HEADERS_LOGGING: (logging, scale.hosts),
        BARE_ONE: (bare, 1),
        MANY: (many, scale.hosts),
        MANY_LOGGING: (many_logging, scale.hosts),
        MANY_COUNTING: (many_counting, scale.hosts),
        ONE: (one, 1),
    }
    return {name: partial(measure, hosts, scale.seconds) for name, (measure, hosts) in asked.items()}


def _figures(taken: Mapping[str, list[float]]) -> Iterator[Figure]:
    yield Figure.of(f"{MANY} / {BARE}", ratios(taken[MANY], taken[BARE]), "", Bar(1.30))
    yield Figure.of(f"{MANY_COUNTING} / {BARE}", ratios(taken[MANY_COUNTING], taken[BARE]), "", Bar(1.50))
    for ours, theirs in ((MANY, HEADERS), (MANY_LOGGING, HEADERS_LOGGING), (ONE, BARE_ONE)):
        yield Figure.of(f"{ours} / {theirs}", ratios(taken[ours], taken[theirs]))
    for name, costs in taken.items():
        yield Figure.of(f"{name}: CPU per request", [cost * 1e6 for cost in costs], "µs")


@contextmanager
def _stock(backend: Address, maps: str, directives: str) -> Iterator[Measure]:
    [port] = free_ports(1)
    route = f"location / {{ {directives} proxy_pass http://backend; }}"
    server = f"server {{ listen {LOOPBACK}:{port} reuseport backlog=4096; {route} }}"
    with stock_nginx(maps + _UPSTREAM % backend + server) as pid:
        yield partial(_cost, pid, port)


@contextmanager
def _ours(backend: Address, hosts: int, settings: Settings) -> Iterator[Measure]:
    table = compiled(snapshot(small_cluster(hosts, backend))).table
    with live(table, settings) as gate:
        warm_up(gate, hosts)
        yield partial(_cost, worker(gate), gate.http_port)


def _cost(pid: int, port: int, hosts: int, seconds: int) -> float:
    before = cpu_seconds(pid)
    requests = wrk(port, seconds, hosts=hosts)
    return (cpu_seconds(pid) - before) / requests
