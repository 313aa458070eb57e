"""Sevengate as the questions ask it: a real data plane, filled from a cluster through the compiler."""

from datetime import UTC, datetime
from typing import Final

from bench.peers import BenchError, wrk
from sevengate.compiler.compile import Compilation, compile_all
from sevengate.kube.snapshot import Snapshot
from sevengate.nginx.live import Live
from sevengate.settings import Options

#: Seconds for a worker to see all hosts.
WARM_UPS: Final = 60


def compiled(snapshot: Snapshot) -> Compilation:
    """Compile a Snapshot, of which nothing may be complained."""
    compilation = compile_all(snapshot, Options(), datetime.now(UTC))
    if compilation.diagnostics:
        raise BenchError(f"the bench's cluster is faulty: {next(iter(compilation.diagnostics.values()))[0].message}")
    return compilation


def worker(running: Live) -> int:
    """Give the process id of the one worker."""
    [pid] = running.supervisor.process.workers()
    return pid


def warm_up(running: Live, hosts: int) -> None:
    """Send requests until the one worker has decoded every host and backend."""
    for _ in range(WARM_UPS):
        wrk(running.http_port, 1, hosts=hosts)
        if running.wait(running.dataplane.state()).decoded >= 2 * hosts:
            return
    raise BenchError(f"{WARM_UPS} s of requests did not reach all of {hosts} hosts")
