"""Asks a gate as a client would, with every part of the request in the test's hands."""

import http.client
import json
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LIMIT = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back. `certificate` is the server's leaf in DER, b"" without TLS."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    certificate: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int,
    host: str,
    target: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    tls: bool = False,
    address: str = "127.0.0.1",
    client: str | None = None,
) -> Answer:
    """Send one request on a connection of its own; `client` is the loopback address it comes from."""
    connection = http.client.HTTPConnection(
        address, port, timeout=LIMIT, source_address=(client, 0) if client else None
    )
    connection.connect()
    try:
        certificate = b""
        if tls:
            secured = trusting().wrap_socket(connection.sock, server_hostname=host.partition(":")[0])
            connection.sock = secured
            certificate = secured.getpeercert(binary_form=True) or b""
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", host), *headers):
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read(), certificate)
    finally:
        connection.close()


def trusting() -> ssl.SSLContext:
    """A client that takes any certificate."""
    found = ssl.create_default_context()
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    return found
