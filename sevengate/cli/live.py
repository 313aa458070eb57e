"""`sevengate test --live`: the same requests through a real NGINX, whose answers must be what the matcher foretold.

Takes a routing table and cases; gives for each case the sentences of where NGINX and the matcher differ. NGINX listens
on loopback, and in place of the real endpoints stand small servers that answer with the name of their backend and what
they received, so that one sees who answered. A client's address can only be played where it is a loopback one; a case
that needs another is left to the matcher alone.
"""

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from sevengate.cli.expectations import Case
from sevengate.routing.match import serve
from sevengate.routing.policies import BackendProtocol
from sevengate.routing.request import Outcome, Request
from sevengate.routing.table import Backend, Endpoint, Host, Route, RoutingTable
from sevengate.routing.uri import to_bytes, to_text
from sevengate.run import Live, NginxError, live
from sevengate.settings import Settings

#: A case, and what the matcher says of it.
_Foretold = tuple[Case, Outcome]

#: Servers that stand for backends at one time; others of the table are left without endpoints meanwhile.
_STANDINS: Final = 256
#: The access log would stand among our own lines.
_SETTINGS: Final = Settings(disable_access_log=True)
#: Seconds for one answer.
_LIMIT: Final = 20.0


class Answer(msgspec.Struct, frozen=True):
    """What a client of NGINX sees; the last three are what the server behind it received, "" if none did."""

    status: int
    location: str = ""
    backend: str = ""
    target: str = ""
    host: str = ""


def ask(table: RoutingTable, cases: Iterable[Case]) -> list[tuple[str, ...]]:
    """Send each case's request through NGINX and say where the matcher foretold another answer; raise NginxError."""
    with live(settings=_SETTINGS) as gate:
        return ask_through(gate, table, cases)


def ask_through(gate: Live, table: RoutingTable, cases: Iterable[Case]) -> list[tuple[str, ...]]:
    """Do what `ask` does with an NGINX that runs; it keeps the table."""
    return asyncio.run(_ask(gate, table, list(cases)))


def can_be_played(request: Request) -> bool:
    """Say whether a client on this machine can have the request's address: one of 127.0.0.0/8."""
    address = ipaddress.ip_address(request.client)
    return address.version == 4 and address.is_loopback


async def _ask(gate: Live, table: RoutingTable, cases: list[Case]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for batch in _batches((case, serve(table, case.request)) for case in cases):
        found += await _ask_batch(gate, table, batch)
    return found


def _batches(foretold: Iterable[_Foretold]) -> Iterator[list[_Foretold]]:
    """Part the cases, in their order, so that the backends of each part can all have stand-ins at once."""
    batch: list[_Foretold] = []
    names: set[str] = set()
    for case, outcome in foretold:
        needed = {choice.backend for choice in outcome.backends}
        if batch and len(names | needed) > _STANDINS:
            yield batch
            batch, names = [], set()
        batch.append((case, outcome))
        names |= needed
    if batch:
        yield batch


async def _ask_batch(gate: Live, table: RoutingTable, batch: list[_Foretold]) -> list[tuple[str, ...]]:
    first = dict.fromkeys(choice.backend for _, outcome in batch for choice in outcome.backends)
    async with AsyncExitStack() as stack:
        names = list(dict.fromkeys([*first, *table.backends]))[:_STANDINS]
        ports = {name: await _stand_in(stack, name) for name in names}
        applied = gate.apply(_with_stand_ins(table, ports), _SETTINGS)
        if applied.problem:
            raise NginxError(applied.problem)
        return [await _differences(gate, case, outcome) for case, outcome in batch]


async def _differences(gate: Live, case: Case, outcome: Outcome) -> tuple[str, ...]:
    if not can_be_played(case.request):
        return ()
    return tuple(differences(outcome, await _answer(gate, case.request)))


def differences(outcome: Outcome, answer: Answer) -> Iterator[str]:
    """Say where an answer is not what an Outcome foretells."""
    if answer.status != (outcome.status or 200):
        yield f"NGINX answers {answer.status}, the matcher says {outcome.status or 200}"
        return
    if answer.location != outcome.location:
        yield f"NGINX redirects to {answer.location}, the matcher says {outcome.location}"
    if outcome.status == 0 and answer.backend:
        yield from _differences_behind(outcome, answer)


def _differences_behind(outcome: Outcome, answer: Answer) -> Iterator[str]:
    names = [choice.backend for choice in outcome.backends]
    if answer.backend not in names:
        yield f"{answer.backend} answers, the matcher says {' or '.join(names)}"
    if answer.target != outcome.target:
        yield f"the backend sees {answer.target}, the matcher says {outcome.target}"
    if outcome.upstream_host and answer.host != outcome.upstream_host:
        yield f"the backend sees the host {answer.host}, the matcher says {outcome.upstream_host}"


# --- the table that NGINX is given


def _with_stand_ins(table: RoutingTable, ports: Mapping[str, int]) -> RoutingTable:
    """Put stand-ins in the place of all endpoints; they speak plain HTTP, whatever the real ones speak."""
    hosts = {name: _plain_host(host) for name, host in table.hosts.items()}
    return msgspec.structs.replace(
        table,
        hosts=hosts,
        backends={name: _standing_in(backend, ports.get(name)) for name, backend in table.backends.items()},
        profiles=frozenset(route.policies.profile for host in hosts.values() for route in host.routes),
    )


def _standing_in(backend: Backend, port: int | None) -> Backend:
    endpoints = (Endpoint("127.0.0.1", port),) if backend.endpoints and port else ()
    return msgspec.structs.replace(backend, endpoints=endpoints)


def _plain_host(host: Host) -> Host:
    return msgspec.structs.replace(host, routes=tuple(map(_plain_route, host.routes)))


def _plain_route(route: Route) -> Route:
    profile = msgspec.structs.replace(route.policies.profile, protocol=BackendProtocol.HTTP)
    return msgspec.structs.replace(route, policies=msgspec.structs.replace(route.policies, profile=profile))


async def _stand_in(stack: AsyncExitStack, name: str) -> int:
    """Start a server that answers every request with its name and what it received; give its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = to_text(await reader.readuntil(b"\r\n\r\n"))
            received = {"backend": name, "target": head.split(" ", 2)[1], "host": _header(head, "host")}
            body = json.dumps(received).encode("ascii")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
    return int(server.sockets[0].getsockname()[1])


# --- the client


async def _answer(gate: Live, request: Request) -> Answer:
    async with asyncio.timeout(_LIMIT):
        reader, writer = await _connection(gate, request)
        try:
            writer.write(_head(request))
            raw = await reader.read()
        finally:
            writer.close()
    head, _, body = to_text(raw).partition("\r\n\r\n")
    status, location = int(head.split(" ", 2)[1]), _header(head, "location")
    if status != 200 or request.method == "HEAD":
        return Answer(status, location)
    return Answer(status, location, **json.loads(body))


async def _connection(gate: Live, request: Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    source = (request.client, 0)
    if request.scheme == "http":
        return await asyncio.open_connection(gate.address, gate.http_port, local_addr=source)
    # The certificate is for whoever the manifests say; what is asked here is the routing behind it.
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    name = request.host.partition(":")[0] or gate.address
    return await asyncio.open_connection(
        gate.address, gate.https_port, ssl=trusting, server_hostname=name, local_addr=source
    )


def _head(request: Request) -> bytes:
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {request.host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    return to_bytes("\r\n".join(lines) + "\r\n\r\n")


def _header(head: str, name: str) -> str:
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip(" ")
    return ""
