"""The reference matcher reads a request as NGINX does: NGINX is asked what it makes of targets, hosts and values."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sevengate.nginx.installation import find_installation
from sevengate.routing.received import receive
from sevengate.routing.request import Request
from sevengate.routing.table import ValueSource
from sevengate.routing.uri import BadRequest, to_bytes, to_text

SEPARATOR = b"\x01"
ANSWER = "\x01".join(["$host", "$uri", "$args", "$request_uri", "$http_x_a", "$cookie_a", "$arg_a"])

CONFIGURATION = """
daemon on; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; default_type text/plain;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen unix:{folder}/socket; return 200 "{answer}"; }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the socket of an NGINX that says what it has read. It listens before its starter comes back."""
    folder = tmp_path_factory.mktemp("nginx")
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, answer=ANSWER), encoding="utf-8")
    executable = find_installation().executable
    subprocess.run([executable, "-p", folder, "-c", configuration, "-e", folder / "error.log"], check=True)
    yield folder / "socket"
    os.kill(int((folder / "pid").read_text(encoding="ascii")), signal.SIGTERM)


def asked(nginx: Path, target: bytes, host: bytes, headers: list[tuple[bytes, bytes]]) -> list[bytes] | None:
    """Give what NGINX made of a request, None where it answered 400."""
    lines = [b"GET %s HTTP/1.1" % target, b"Host: " + host, b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(nginx))
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")), head
    return body.split(SEPARATOR) if head.startswith(b"HTTP/1.1 200") else None


def read(target: bytes, host: bytes, headers: list[tuple[bytes, bytes]]) -> list[bytes] | None:
    """Give what the reference matcher made of a request, None for a bad one."""
    named = tuple((to_text(name).lower(), to_text(value)) for name, value in headers)
    try:
        received = receive(Request(to_text(host), to_text(target), headers=named))
    except BadRequest:
        return None
    values = [received.value(source, name) or "" for source, name in VALUES]
    return [
        to_bytes(received.host),
        received.path,
        to_bytes(received.args),
        target,
        *map(to_bytes, values),
    ]


VALUES = ((ValueSource.HEADER, "x-a"), (ValueSource.COOKIE, "a"), (ValueSource.QUERY, "a"))


def joined(*pieces: bytes) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(pieces), max_size=9).map(b"".join)


targets = joined(
    *(b"/", b"//", b"/./", b"/../", b".", b"..", b"a", b"B", b"~", b"+", b":", b";", b"=", b"&", b"\\", b'"', b"{"),
    *(b"?", b"#", b"%", b"%2", b"%zz", b"%2F", b"%2f", b"%2e", b"%41", b"%00", b"%0a", b"%20", b"%3F", b"%23", b"%25"),
    *(b"%ff", b"\xc3\xa9", b"\xff", b"\x02", b"\x7f"),
).map(lambda path: b"/" + path)
hosts = joined(b"a", b"B", b".", b"..", b":", b"80", b"[", b"]", b"-", b"_", b"*", b"/", b"\\", b"\xc3\x89", b"\x02")


@settings(max_examples=1000, deadline=None)
@given(targets)
@example(b"/a/b/%2e%2e/c")
@example(b"/../a")
def test_targets_are_read_alike(nginx: Path, target: bytes) -> None:
    assert read(target, b"h", []) == asked(nginx, target, b"h", [])


@settings(max_examples=1000, deadline=None)
@given(hosts)
@example(b"A.Example.:8080")
@example(b"[::1]:80")
@example(b".:.")
def test_hosts_are_read_alike(nginx: Path, host: bytes) -> None:
    assert read(b"/", host, []) == asked(nginx, b"/", host, [])


words = joined(b"a", b"A", b"b", b"=", b"1", b"x", b"%20", b"&", b"aa", b"ba").map(lambda found: b"/?" + found)
cookies = st.lists(
    st.sampled_from([b"a=1", b"A=2", b"a = 3", b"b=a", b"aa=4", b"a", b"x,a=5", b"", b'a="q"']), max_size=4
).flatmap(lambda found: st.sampled_from([b"; ".join(found), b";".join(found)]))


@settings(max_examples=1000, deadline=None)
@given(words, st.lists(cookies.map(bytes.strip), max_size=1), st.sampled_from([b"", b"1", b"a  b", b"\xc3\xa9"]))
def test_values_are_read_alike(nginx: Path, target: bytes, cookie: list[bytes], value: bytes) -> None:
    headers = [*((b"Cookie", one) for one in cookie), (b"X-A", value), (b"X_A", b"dropped")]
    assert read(target, b"h", headers) == asked(nginx, target, b"h", headers)
