"""Asks a container whether it has started, is ready, and lives.

Takes a probe of a container's spec and a Target; gives whether it succeeded and what came back. A lab is impatient
where nobody can tell: a container that is not ready yet is asked ten times a second and not only each period, and
failures before `initialDelaySeconds` are over do not count. A gRPC probe only looks whether the port can be reached.
What follows from an answer is `containers`' business. Source: Kubernetes, "Liveness, Readiness, and Startup Probes".
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import msgspec

from sevengate.lab.mirror import Object

#: Seconds between two looks at a container that is not ready yet.
IMPATIENT: Final = 0.1
_LONGEST_BODY: Final = 1024

#: Runs a command inside of the container; gives its exit status and what it wrote.
RunInside = Callable[[tuple[str, ...]], Awaitable[tuple[int, str]]]


class Target(msgspec.Struct, frozen=True):
    """Whom a probe asks: a pod's address, a container's named ports, how ports move, and a way inside."""

    address: str
    ports: dict[str, int]
    moved: Callable[[int], int]
    run: RunInside

    def port(self, wanted: int | str) -> int:
        """Give the port that is really listened on, by number or name; raise KeyError for a name that is none."""
        number = int(wanted) if str(wanted).isdecimal() else self.ports[str(wanted)]
        return self.moved(number)


class Verdict(msgspec.Struct, frozen=True):
    """What a probe found."""

    is_good: bool
    said: str = ""


class Timing(msgspec.Struct, frozen=True):
    """When a probe asks and what its answers count for, in seconds and in numbers of answers."""

    delay: float
    period: float
    timeout: float
    failures: int
    successes: int


def timing(probe: Object) -> Timing:
    """Read a probe's timing."""
    return Timing(
        float(probe.get("initialDelaySeconds") or 0),
        float(probe.get("periodSeconds") or 10),
        float(probe.get("timeoutSeconds") or 1),
        int(probe.get("failureThreshold") or 3),
        int(probe.get("successThreshold") or 1),
    )


async def ask(probe: Object, target: Target) -> Verdict:
    """Ask once, within the probe's time."""
    limit = timing(probe).timeout
    try:
        async with asyncio.timeout(limit):
            return await act(probe, target)
    except TimeoutError:
        return Verdict(is_good=False, said=f"no answer within {limit:g} s")


async def act(action: Object, target: Target) -> Verdict:
    """Do what a probe or a hook says: run a command, send a request, or connect; take as long as it takes."""
    try:
        if command := action.get("exec"):
            status, said = await target.run(tuple(command["command"]))
            return Verdict(status == 0, said.strip())
        if request := action.get("httpGet"):
            return await _get(request, target)
        if pause := action.get("sleep"):
            await asyncio.sleep(float(pause["seconds"]))
        elif socket := action.get("tcpSocket") or action.get("grpc"):
            host = socket.get("host") or target.address
            _, writer = await asyncio.open_connection(host, target.port(socket["port"]))
            writer.close()
    except KeyError as error:
        return Verdict(is_good=False, said=f"the container has no port named {error}")
    except (OSError, aiohttp.ClientError) as error:
        return Verdict(is_good=False, said=str(error) or type(error).__name__)
    return Verdict(is_good=True)


async def _get(request: Object, target: Target) -> Verdict:
    host = request.get("host") or target.address
    scheme = (request.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{host}:{target.port(request['port'])}/{(request.get('path') or '/').lstrip('/')}"
    headers = {"User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close"}
    headers |= {header["name"]: header["value"] for header in request.get("httpHeaders") or ()}
    # The server may be the machine's; a certificate for a pod's address is nothing that anybody has.
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False, force_close=True)) as session,
        session.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        body = (await answer.content.read(_LONGEST_BODY)).decode(errors="replace")
        is_good = 200 <= answer.status < 400
        return Verdict(
            is_good, "" if is_good else f"HTTP probe failed with statuscode: {answer.status}: {body.strip()}"
        )
