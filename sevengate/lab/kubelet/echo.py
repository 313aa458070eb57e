"""The echo server of a lab: a program that answers each request with what it received, and where.

It stands in for the echo images that tutorials use. Takes its kind (`echo`, `text`, `whoami`, `agnhost`), its address,
its ports, and the arguments that the image would get; those and the environment that the image reads may name other
ports. `echo` answers JSON in the form of gateway-api's echo-basic, with the node and the client besides. It runs as a
script with the standard library alone, because a pod should start within a few milliseconds.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: Seconds for requests that are under way when the server is told to end.
_LAST_REQUESTS = 5.0
#: Where each kind of image looks for its port, before its arguments.
_PORT_VARIABLES = {"echo": ("HTTP_PORT", "PORT"), "whoami": ("WHOAMI_PORT_NUMBER",), "text": (), "agnhost": ()}
_PORT_OPTIONS = ("port", "http-port", "listen")


def main(argv: list[str]) -> None:
    """Serve until SIGTERM."""
    kind, address, ports, *arguments = argv
    options = dict(_options(arguments))
    Echo.kind, Echo.text = kind, options.get("text", os.environ.get("ECHO_TEXT", "hello-world"))
    for port in _ports(kind, ports, options):
        server = Server((address, port), Echo)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    _log(f"{kind} server at {address}, ports {ports}")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    deadline = time.monotonic() + _LAST_REQUESTS
    while Echo.under_way and time.monotonic() < deadline:
        time.sleep(0.01)


def _options(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Read `-text=x`, `--port 80` and their like; other words are nobody's."""
    words = iter(arguments)
    for word in words:
        if word.startswith("-"):
            name, there, value = word.lstrip("-").partition("=")
            yield name, value if there else next(words, "")


def _ports(kind: str, ports: str, options: dict[str, str]) -> list[int]:
    said = [options[name].rpartition(":")[2] for name in _PORT_OPTIONS if name in options]
    said += [os.environ[name] for name in _PORT_VARIABLES[kind] if name in os.environ]
    return [int(port) for port in (said[:1] if said and said[0].isdecimal() else ports.split(","))]


class Server(ThreadingHTTPServer):
    """One listening socket, a thread for each connection."""

    daemon_threads = True
    request_queue_size = 512


class Echo(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    kind = "echo"
    text = ""
    under_way = 0

    def handle_one_request(self) -> None:
        """Answer whatever method it is."""
        self.raw_requestline = self.rfile.readline(65537)
        self.close_connection = True
        if not self.raw_requestline or not self.parse_request():
            return
        Echo.under_way += 1
        try:
            body = self._body()
            content_type, answer = self._answer(body)
            self._send(content_type, answer)
        finally:
            Echo.under_way -= 1

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass

    def _send(self, content_type: str, answer: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _answer(self, body: bytes) -> tuple[str, bytes]:
        path = urlsplit(self.path)
        if self.kind == "text":
            return "text/plain; charset=utf-8", self.text.encode() + b"\n"
        if self.kind == "whoami" and path.path != "/api":
            return "text/plain; charset=utf-8", self._whoami().encode()
        if self.kind == "agnhost" and (said := self._agnhost(path.path, parse_qs(path.query))) is not None:
            return "text/plain; charset=utf-8", said.encode()
        return "application/json", json.dumps(self._received(body), indent=1).encode() + b"\n"

    def _agnhost(self, path: str, query: dict[str, list[str]]) -> str | None:
        match path.strip("/").lower():
            case "hostname":
                return os.environ.get("HOSTNAME", "")
            case "clientip":
                return f"{self.client_address[0]}:{self.client_address[1]}"
            case "echo":
                return query.get("msg", [""])[0]
            case "healthz" | "readyz":
                return "ok"
            case _:
                return None

    def _whoami(self) -> str:
        lines = [f"Hostname: {os.environ.get('HOSTNAME', '')}", f"IP: {self.connection.getsockname()[0]}"]
        lines += [f"RemoteAddr: {self.client_address[0]}:{self.client_address[1]}", self.requestline]
        return "\n".join([*lines, *(f"{name}: {value}" for name, value in self.headers.items())]) + "\n"

    def _received(self, body: bytes) -> dict[str, Any]:
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.title(), []).append(value)
        path = urlsplit(self.path)
        return {
            "method": self.command,
            "path": self.path,
            "query": parse_qs(path.query, keep_blank_values=True),
            "host": self.headers.get("Host", ""),
            "proto": self.request_version,
            "headers": headers,
            "body": body.decode(errors="replace"),
            "client": f"{self.client_address[0]}:{self.client_address[1]}",
            "namespace": _variable("POD_NAMESPACE", "NAMESPACE", "LAB_NAMESPACE"),
            "ingress": _variable("INGRESS_NAME"),
            "service": _variable("SERVICE_NAME"),
            "pod": _variable("POD_NAME", "LAB_POD"),
            "node": _variable("NODE_NAME", "LAB_NODE"),
            "ip": self.connection.getsockname()[0],
        }

    def log_message(self, form: str, *args: object) -> None:
        """Write one line for each request, as the images do."""
        _log(f"{self.client_address[0]} {form % args}")


def _variable(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _log(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    socket.setdefaulttimeout(None)
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"cannot listen: {error}")
