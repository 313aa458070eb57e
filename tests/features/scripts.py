"""Backends that do what a script says, for what no decent web server does: to be silent, to hang up, to say half."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from typing import Self

from sevengate.routing.table import Endpoint

LIMIT = 30.0


class Peer:
    """A connection from NGINX, as a script sees it."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(LIMIT)
        self.number = number
        self._connection = connection
        self._file = connection.makefile("rb")

    def head(self) -> list[bytes]:
        """Read the lines of one request's head; none when NGINX has closed the connection."""
        lines = []
        while line := self._file.readline().rstrip(b"\r\n"):
            lines.append(line)
        return lines

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self, body: bytes = b"", *headers: bytes) -> None:
        """Answer with 200 and leave the connection open for more."""
        head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
        self.send(b"\r\n".join(head) + b"\r\n\r\n" + body)

    def until_closed(self) -> None:
        """Say nothing, and come back when NGINX has closed the connection."""
        with contextlib.suppress(OSError):
            while self._file.read(4096):
                pass


#: What is done with each connection; when it returns the connection is closed.
Script = Callable[[Peer], None]


def silent(peer: Peer) -> None:
    """Read and never answer."""
    peer.until_closed()


def hangs_up(peer: Peer) -> None:
    """Read the head of a request and close."""
    peer.head()


class ScriptedBackends:
    """Starts them on loopback addresses, a thread for each connection, and ends them all."""

    def __init__(self) -> None:
        self._servers: list[_Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def start(self, script: Script, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Endpoint:
        """Start one on a free port and say where it is."""
        server = _Server(address, script, tls)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return Endpoint(address, server.server_address[1])


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: str, script: Script, tls: ssl.SSLContext | None) -> None:
        self._script = script
        self._tls = tls
        self._accepted = 0
        super().__init__((address, 0), socketserver.BaseRequestHandler)

    def process_request(self, request: object, client_address: object) -> None:
        self._accepted += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with contextlib.suppress(OSError):
            connection = self._tls.wrap_socket(request, server_side=True) if self._tls else request
            self._script(Peer(connection, self._accepted))
            connection.close()
