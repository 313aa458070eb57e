"""Starts and ends one API server: certificates, the socket on loopback, and the kubeconfig that leads to it.

Takes an address and a port; gives a RunningApi, through which tests reach into the server: its storage, its faults,
kubeconfigs for the lab's owner and for service accounts. It listens on loopback only, or in a network of the lab's own,
because a lab's owner may do everything in it. Nothing is left behind: keys that Python must read from a file are
deleted once it has.
"""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from sevengate.cluster.authority import Authority, Pair
from sevengate.lab.apiserver import kubeconfig
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.faults import Faults
from sevengate.lab.apiserver.identity import AUDIENCE
from sevengate.lab.apiserver.itself import service_address
from sevengate.lab.apiserver.kubelets import Kubelets
from sevengate.lab.apiserver.rbac import MASTERS
from sevengate.lab.apiserver.server import Server
from sevengate.lab.apiserver.storage import Storage
from sevengate.lab.network import is_closed

OWNER: Final = "lab-owner"
_NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_LARGEST_BODY: Final = 3 * 1024 * 1024


class RunningApi:
    """An API server that answers."""

    def __init__(self, server: Server, authority: Authority, url: str) -> None:
        self._server = server
        self._authority = authority
        self.url = url
        self.api = server.api

    @property
    def storage(self) -> Storage:
        """What is stored, to look at and to fill directly."""
        return self.api.storage

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self.api.faults

    @property
    def authority(self) -> bytes:
        """The certificate by which clients trust the server, in PEM."""
        return self._authority.certificate

    def client(self, user: str, *groups: str) -> Pair:
        """Make a client certificate."""
        return self._authority.client(user, groups)

    def kubeconfig(self) -> str:
        """Make the kubeconfig of the lab's owner, who may do everything."""
        return kubeconfig.with_certificate(self.url, self.authority, self.client(OWNER, MASTERS))

    def kubeconfig_of_account(self, namespace: str, name: str) -> str:
        """Make the kubeconfig of a ServiceAccount, who may do what RBAC allows; raise KeyError if there is none."""
        account = self.storage.get(("", "serviceaccounts"), (namespace, name))
        if account is None:
            raise KeyError(f"{namespace}/{name}")
        token, _ = self.api.tokens.issue(account.object, (AUDIENCE,), timedelta(hours=24))
        return kubeconfig.with_token(self.url, self.authority, token)

    def cut_watches(self) -> None:
        """Break the connection of every watch."""
        self._server.cut_watches()

    def compact(self) -> None:
        """Forget all changes, so that every watch that starts at an older revision gets 410."""
        self.storage.compact()


@asynccontextmanager
async def serving_api(address: str = "127.0.0.1", port: int = 0, api: Api | None = None) -> AsyncIterator[RunningApi]:
    """Serve an API on loopback; port 0 picks a free one. Raises OSError if the port is taken."""
    if not (ip_address(address).is_loopback or is_closed()):
        raise ValueError(f"the lab listens where only this machine can reach it, and {address} is elsewhere")
    api, authority = api or Api(), Authority("sevengate-lab")
    api.publish_authority(authority.certificate)
    server = Server(api, Kubelets(api.storage, authority))
    runner = web.ServerRunner(
        web.Server(server.answer, request_factory=_request, access_log=None), shutdown_timeout=0.5
    )
    await runner.setup()
    site = web.TCPSite(runner, address, port, ssl_context=_tls(authority, (address, service_address(server.api.plan))))
    try:
        await site.start()
        bound = runner.addresses[0][1]
        server.api.announce(address, bound)
        yield RunningApi(server, authority, f"https://{address}:{bound}")
    finally:
        server.end_watches()
        await runner.cleanup()


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """Make a request whose body may be as large as what Kubernetes takes."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)


def _tls(authority: Authority, addresses: tuple[str, ...]) -> ssl.SSLContext:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.certificate.decode())
    tls.verify_mode = ssl.CERT_OPTIONAL
    pair = authority.server((*_NAMES, *addresses))
    # Python's ssl takes a private key from a file only.
    with tempfile.TemporaryDirectory(prefix="sevengate-lab-") as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(pair.certificate + pair.key)
        tls.load_cert_chain(path)
    return tls
