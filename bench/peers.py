"""The processes around what is measured: stock NGINX, as a neighbour to compare with or as a backend, and wrk.

All listen on 127.0.0.1, on ports that were free, and end with their `with` block, whatever happened in it.
"""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import msgspec

from bench.cluster import Address
from bench.scale import PATHS
from sevengate.nginx.installation import find_installation

LOOPBACK: Final = "127.0.0.1"
CONNECTIONS: Final = 64
#: Seconds for a process to begin or to end.
LIMIT: Final = 10.0
#: Responses of backends: 64 bytes that say which one it was.
BODIES: Final = tuple(f"backend {number} ".ljust(64, ".") for number in range(2))

_SCRIPT: Final = Path(__file__).with_name("requests.lua")
_MAIN: Final = """\
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes 1;
events { worker_connections 16384; multi_accept on; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    %s
}
"""


class BenchError(Exception):
    """A measurement that would mean nothing: a process that does not start, requests that fail."""


@contextmanager
def stock_nginx(http: str) -> Iterator[int]:
    """Run NGINX with one worker and the given content of `http {}`; give the worker's process id."""
    with tempfile.TemporaryDirectory(prefix="sevengate-bench-") as folder:
        Path(folder).chmod(0o711)
        conf = Path(folder, "nginx.conf")
        conf.write_text(_MAIN % http, encoding="utf-8")
        command = (find_installation().executable, "-p", folder, "-e", "stderr", "-c", str(conf))
        master = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            yield _worker(master)
        finally:
            _end(master)


@contextmanager
def backends() -> Iterator[tuple[Address, Address]]:
    """Run two backends; give the address of each."""
    first, second = free_ports(2)
    servers = "".join(
        f"server {{ listen {LOOPBACK}:{port} backlog=4096; return 200 '{body}'; }}"
        for port, body in zip((first, second), BODIES, strict=True)
    )
    with stock_nginx(f"keepalive_requests 1000000000; {servers}"):
        yield (LOOPBACK, first), (LOOPBACK, second)


def wrk(port: int, seconds: int, *, hosts: int) -> int:
    """Send requests over kept connections, spread over all paths of all hosts; give their number. None may fail."""
    program = shutil.which("wrk")
    if program is None:
        raise BenchError("wrk is not installed; on Debian or Ubuntu: apt-get install wrk")
    options = ("-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"-s{_SCRIPT}", f"http://{LOOPBACK}:{port}")
    command = (program, *options, "--", str(hosts), str(PATHS))
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + LIMIT).stdout
    load = msgspec.json.decode(said.splitlines()[-1], type=_Load)
    if load.failed:
        raise BenchError(f"{load.failed} of {load.requests} requests failed")
    return load.requests


def free_ports(number: int) -> list[int]:
    """Give ports on which nobody listens."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for picked in sockets:
            picked.bind((LOOPBACK, 0))
        return [int(picked.getsockname()[1]) for picked in sockets]


class _Load(msgspec.Struct, frozen=True):
    requests: int
    failed: int


def _worker(master: subprocess.Popen[bytes]) -> int:
    """Wait for the worker, which is forked when all sockets listen."""
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    until = monotonic() + LIMIT
    while master.poll() is None and monotonic() < until:
        if found := children.read_text(encoding="ascii").split():
            return int(found[0])
        sleep(0.01)
    raise BenchError("stock nginx does not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
