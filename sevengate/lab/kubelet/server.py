"""The kubelet's own HTTPS API, on port 10250 of each node: logs, and commands in containers.

Takes requests of the API server and of nobody else: a client certificate is demanded whose authority is the one that
the API server publishes (ConfigMap kube-system/extension-apiserver-authentication), and whose name is that of API
servers as clients of kubelets. Where no such authority is published, nothing is served. The paths are those of a real
kubelet: /containerLogs, /exec and /attach, each with namespace, pod and container. How streams are carried is told in
`streams`.
"""

import asyncio
import contextlib
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from sevengate.cluster.authority import Authority
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError
from sevengate.cluster.resources import CONFIG_MAPS
from sevengate.lab.kubelet.containers import Container
from sevengate.lab.kubelet.logs import LogWish, limited, written
from sevengate.lab.kubelet.node import KUBELET_PORT, Node
from sevengate.lab.kubelet.pods import Pod
from sevengate.lab.kubelet.sandbox import Process, Streams
from sevengate.lab.kubelet.streams import PROTOCOLS, Session, Wish

log = logging.getLogger("sevengate.lab")

#: By this name an API server presents itself to kubelets.
API_SERVER: Final = "kube-apiserver-kubelet-client"
AUTHORITY_IN: Final = ("kube-system", "extension-apiserver-authentication", "client-ca-file")
#: Seconds between two looks for the authority.
_LOOK: Final = 1.0
_TRUE: Final = frozenset({"1", "true"})


class Pods(Protocol):
    """Who knows the pods that run here."""

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by name."""

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Give a pod that has processes here."""


@asynccontextmanager
async def serving(pods: Pods, client: Client) -> AsyncIterator[None]:
    """Serve on every node's address as soon as it is known who may ask."""
    task = asyncio.create_task(_serve(pods, client))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _serve(pods: Pods, client: Client) -> None:
    runner = web.ServerRunner(web.Server(Answers(pods).answer, access_log=None), shutdown_timeout=0.5)
    await runner.setup()
    try:
        tls = _tls(await _authority(client), list(pods.nodes.values()))
        for node in pods.nodes.values():
            try:
                await web.TCPSite(runner, node.address, KUBELET_PORT, ssl_context=tls).start()
            except OSError as error:
                log.warning("node %s has no logs and no exec: %s", node.name, error)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def _authority(client: Client) -> str:
    """Wait for the authority that the API server publishes for its clients and itself."""
    namespace, name, key = AUTHORITY_IN
    while True:
        with contextlib.suppress(ClusterError, KeyError, msgspec.DecodeError):
            published = msgspec.json.decode(await client.get(CONFIG_MAPS.path(namespace, name)))
            return str(published["data"][key])
        await asyncio.sleep(_LOOK)


class Answers:
    """Answers the API server."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; what cannot be done is said in plain text, which the API server passes on."""
        if not _is_api_server(request):
            return _text(403, "only the API server may ask")
        match request.path.strip("/").split("/"):
            case ["healthz"]:
                return _text(200, "ok")
            case [what, namespace, name, container_name]:
                pod = self._pods.pod(namespace, name)
                container = pod.find(container_name) if pod else None
                if container is None:
                    return _text(404, f'container "{container_name}" of pod "{name}" has no process here')
                return await self._of_container(request, what, container)
            case _:
                return _text(404, "there is no such path")

    async def _of_container(self, request: web.BaseRequest, what: str, container: Container) -> web.StreamResponse:
        match what:
            case "containerLogs":
                return await _logs(request, container)
            case "exec":
                return await _exec(request, container)
            case "attach":
                return await _attach(request, container)
            case _:
                return _text(404, "there is no such path")


async def _logs(request: web.BaseRequest, container: Container) -> web.StreamResponse:
    is_previous = request.query.get("previous") in _TRUE
    found = container.previous if is_previous else container.log
    if found is None and is_previous:
        return _text(400, f'previous terminated container "{container.name}" not found')
    if found is None:
        return _text(400, f'container "{container.name}" is waiting to start: {container.state.reason}')
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    wish = _log_wish(request)
    with contextlib.suppress(ConnectionError):
        async for part in limited(found.read(wish), wish.limit):
            await response.write(part)
    return response


def _log_wish(request: web.BaseRequest) -> LogWish:
    query = request.query
    since = query.get("sinceTime", "")
    if seconds := query.get("sinceSeconds"):
        since = written(datetime.now(UTC) - timedelta(seconds=int(seconds)))
    return LogWish(
        follow=query.get("follow") in _TRUE,
        tail=int(query["tailLines"]) if "tailLines" in query else None,
        since=since,
        timestamps=query.get("timestamps") in _TRUE,
        limit=int(query["limitBytes"]) if "limitBytes" in query else None,
    )


async def _exec(request: web.BaseRequest, container: Container) -> web.StreamResponse:
    wish = _wish(request)
    command = request.query.getall("command", [])
    if not command:
        return _text(400, "you must specify at least 1 command for the container")

    async def begin(streams: Streams) -> Process:
        container.refuse_strangers()
        return await container.enter(command, streams, terminal=wish.tty)

    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    await Session(socket, wish).carry(begin)
    return socket


async def _attach(request: web.BaseRequest, container: Container) -> web.StreamResponse:
    """Show what the container writes, and give it input if it takes any."""
    found, ends = container.log, container.ends
    if found is None or ends is None or not container.state.is_running:
        return _text(400, f'container "{container.name}" is not running')
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    await Session(socket, _wish(request)).attach(found, ends, once=bool(container.spec.get("stdinOnce")))
    return socket


def _wish(request: web.BaseRequest) -> Wish:
    query = request.query
    names = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
    return Wish(**{name: query.get(spoken) in _TRUE for name, spoken in names.items()})


def _is_api_server(request: web.BaseRequest) -> bool:
    peer: dict[str, Any] | None = request.transport.get_extra_info("peercert") if request.transport else None
    return (("commonName", API_SERVER),) in (peer or {}).get("subject", ())


def _text(code: int, text: str) -> web.Response:
    return web.Response(status=code, text=text)


def _tls(authority: str, nodes: list[Node]) -> ssl.SSLContext:
    """Make the TLS context: a certificate of our own making, as kubelets have; clients of the authority only."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    pair = Authority("kubelet").server((node.name for node in nodes), "kubelet")
    # Python's ssl takes a private key from a file only.
    with tempfile.TemporaryDirectory(prefix="sevengate-kubelet-") as folder:
        path = Path(folder, "kubelet.pem")
        path.write_bytes(pair.certificate + pair.key)
        tls.load_cert_chain(path)
    return tls
