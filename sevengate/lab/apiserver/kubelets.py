"""The way from the API server to the kubelets: logs of pods, and commands in them.

Takes a Call of one of the subresources `log`, `exec`, `attach` and `portforward`, allowed already; asks the kubelet of
the pod's node, at the address and port that its Node says, with a client certificate of the lab's authority, and passes
the answer on. Streams are WebSockets on both sides; what kubectl tries over SPDY is refused with the way out. Source:
Kubernetes, "Control Plane-Node Communication".
"""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import WSMsgType, web

from sevengate.cluster.authority import Authority
from sevengate.lab.apiserver.answers import ApiError, Object, bad_request, not_found
from sevengate.lab.apiserver.calls import STREAMS, Call
from sevengate.lab.apiserver.storage import Storage

#: The subresources of pods that are answered here.
SUBRESOURCES: Final = STREAMS | {"log"}
#: By this name the API server presents itself to kubelets.
CLIENT: Final = "kube-apiserver-kubelet-client"
_PODS: Final = ("", "pods")
_NODES: Final = ("", "nodes")
_LOG_OPTIONS: Final = ("follow", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "previous", "limitBytes")
_STREAM_OPTIONS: Final = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
_NUMBERS: Final = ("tailLines", "sinceSeconds", "limitBytes")
_CONNECT: Final = 5.0
_NO_SPDY: Final = (
    "the lab carries streams over WebSockets only: use kubectl 1.31 or newer, or set "
    "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true for kubectl 1.29 and 1.30"
)
_NO_FORWARD: Final = (
    "the lab forwards no ports, because it needs none: every pod of it can be reached from this machine; "
    "`kubectl get pod -o wide` shows its address"
)


class Kubelets:
    """Asks kubelets."""

    def __init__(self, storage: Storage, authority: Authority) -> None:
        self._storage = storage
        self._tls = _tls(authority)

    async def answer(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        """Answer a Call; raise ApiError where there is nothing to ask for, or nobody to ask."""
        stored = self._storage.get(_PODS, call.key)
        if stored is None:
            raise not_found("pods", call.name)
        pod = stored.object
        if call.subresource == "portforward":
            raise bad_request(_NO_FORWARD)
        container = _container(pod, call.query.get("container", ""))
        base = self._kubelet_of(pod)
        path = f"{call.namespace}/{call.name}/{container}"
        if call.subresource == "log":
            return await self._log(request, f"{base}/containerLogs/{path}", call.query)
        _check_running(pod, container)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request(_NO_SPDY)
        return await self._stream(request, f"{base}/{call.subresource}/{path}")

    def _kubelet_of(self, pod: Object) -> str:
        name = pod["metadata"]["name"]
        node_name = pod["spec"].get("nodeName")
        if not node_name:
            raise bad_request(f"pod {name} does not have a host assigned")
        node = self._storage.get(_NODES, ("", node_name))
        if node is None:
            raise not_found("nodes", node_name)
        status = node.object.get("status") or {}
        addresses = {one["type"]: one["address"] for one in status.get("addresses") or ()}
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
        if "InternalIP" not in addresses or not port:
            raise bad_request(f"node {node_name} does not say where its kubelet is")
        return f"https://{addresses['InternalIP']}:{port}"

    async def _log(self, request: web.BaseRequest, url: str, query: Mapping[str, str]) -> web.StreamResponse:
        options = {name: query[name] for name in _LOG_OPTIONS if name in query}
        for name in _NUMBERS:
            if name in options and not (options[name].isascii() and options[name].isdigit()):
                raise bad_request(f"invalid {name} {options[name]!r}: not a number")
        async with self._session() as session, self._asked(session, url, options) as asked:
            if asked.status >= 400:
                raise _passed_on(asked.status, await asked.text())
            response = web.StreamResponse(headers={"Content-Type": "text/plain"})
            await response.prepare(request)
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                async for part in asked.content.iter_any():
                    await response.write(part)
            return response

    @contextlib.asynccontextmanager
    async def _asked(
        self, session: aiohttp.ClientSession, url: str, options: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with session.get(url, params=options, ssl=self._tls) as answer:
                yield answer
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise _unreachable(error) from error

    async def _stream(self, request: web.BaseRequest, url: str) -> web.StreamResponse:
        query = [(_STREAM_OPTIONS.get(name, name), value) for name, value in request.query.items()]
        wanted = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        async with self._session() as session:
            try:
                kubelet = await session.ws_connect(url, params=query, protocols=wanted, ssl=self._tls, max_msg_size=0)
            except aiohttp.WSServerHandshakeError as error:
                raise _passed_on(error.status, f"the kubelet refused: {error.message}") from error
            except (aiohttp.ClientError, OSError) as error:
                raise _unreachable(error) from error
            async with kubelet:
                client = web.WebSocketResponse(protocols=[kubelet.protocol] if kubelet.protocol else [], max_msg_size=0)
                await client.prepare(request)
                await _relay(client, kubelet)
                return client

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT))


async def _relay(client: web.WebSocketResponse, kubelet: aiohttp.ClientWebSocketResponse) -> None:
    """Carry messages both ways until one side ends, then end the other."""
    directions = [asyncio.create_task(_carry(client, kubelet)), asyncio.create_task(_carry(kubelet, client))]
    await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    await kubelet.close()
    await client.close()
    for task in directions:
        task.cancel()
    await asyncio.gather(*directions, return_exceptions=True)


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _carry(source: _Socket, target: _Socket) -> None:
    with contextlib.suppress(ConnectionError):
        async for message in source:
            if message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await target.send_str(message.data)


def _container(pod: Object, wanted: str) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = [one["name"] for one in (*spec["containers"], *(spec.get("initContainers") or ()))]
    if wanted and wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    if not wanted and len(spec["containers"]) > 1:
        listed = " ".join(one["name"] for one in spec["containers"])
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{listed}]")
    return wanted or str(names[0])


def _check_running(pod: Object, container: str) -> None:
    """Refuse here what a kubelet would refuse after the upgrade, when kubectl no longer shows why."""
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    state = next((one.get("state") or {} for one in statuses if one["name"] == container), {})
    if status.get("phase") in {"Succeeded", "Failed"}:
        raise bad_request(f"cannot exec into a container in a completed pod; current phase is {status['phase']}")
    if "running" not in state:
        raise ApiError(500, "InternalError", f'container "{container}" is not running')


def _unreachable(error: Exception) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: the node's kubelet cannot be reached: {error}")


def _passed_on(code: int, message: str) -> ApiError:
    return ApiError(code, {400: "BadRequest", 404: "NotFound"}.get(code, "InternalError"), message)


def _tls(authority: Authority) -> ssl.SSLContext:
    """Prove that we are the API server. Kubelets make their own certificates, which nobody verifies by default."""
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    pair = authority.client(CLIENT, ("system:masters",))
    with tempfile.TemporaryDirectory(prefix="sevengate-lab-") as folder:
        path = Path(folder, "client.pem")
        path.write_bytes(pair.certificate + pair.key)
        tls.load_cert_chain(path)
    return tls
