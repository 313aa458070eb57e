"""One connection of a client, for requests that no client library sends: halves, slow ones, many on one connection."""

import socket
from http.client import HTTPResponse
from typing import Self

from tests.asking import LIMIT, Answer, trusting


class Wire:
    """A connection to a port of this machine, with TLS if `server_name` is given, and `first` before all else."""

    def __init__(self, port: int, *, server_name: str = "", address: str = "127.0.0.1", first: bytes = b"") -> None:
        self._socket = socket.create_connection((address, port), timeout=LIMIT)
        self._socket.sendall(first)
        if server_name:
            self._socket = trusting().wrap_socket(self._socket, server_hostname=server_name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, line: str, *headers: str, host: str = "shop.example", body: bytes = b"") -> None:
        """Send a request's head, and the body as it is."""
        head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", *headers])
        self.send(head.encode("latin-1") + b"\r\n\r\n" + body)

    def answer(self, method: str = "GET") -> Answer:
        """Read one answer to its end."""
        with HTTPResponse(self._socket, method=method) as response:
            response.begin()
            return Answer(response.status, response.getheaders(), response.read())

    def receive(self, size: int = 65536) -> bytes:
        """Give what has come, b"" if the other side has closed."""
        return self._socket.recv(size)
