"""What settings.py lets through is what NGINX takes: a bad value must fall alone, and not take the whole gate along."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.diagnostics import Report, Where
from sevengate.nginx.conf import write
from sevengate.nginx.dataplane import Listen, place
from sevengate.nginx.installation import find_installation
from sevengate.nginx.process import Runtime
from sevengate.nginx.selfsigned import self_signed
from sevengate.nginx.static import default_profile, static_conf
from sevengate.routing.policies import BackendProtocol, Profile
from sevengate.settings import SETTINGS, AccessLogFormat, LogLevel, NextUpstream, TlsProtocol, read_settings
from tests.waiting import free_port

SIZES = ["1", "256", "512", "513", "1k", "4k", "64k", "100k", "1m", "16m", "1g", "9" * 15 + "g"]
TIMES = ["0", "1ms", "1", "1500ms", "1h 30m", "365d"]
NUMBERS = ["0", "1", "2", "3", "64", "100", "512", "1024", "65535", "1000000", "1000000000"]
WORDS = ["true", "false", "on", "off", "auto", *AccessLogFormat, *LogLevel, *TlsProtocol, *NextUpstream]
LISTS = ["4 8k", "1 256", "1024 16m", "error timeout http_429", "TLSv1.2", "error off", "0.0.0.0/0", "::/0, 10.1.2.3/8"]
TEXTS = ["/a/b, /c", "X-Real_IP", "HIGH:!aNULL", "$host \" ' ; { } # \\ é ${uri}", "/dev/null"]


def _accepted(key: str, text: str) -> bool:
    report = Report()
    read_settings({key: text}, Where(), report)
    return not report.done()


#: OpenSSL alone knows its suites, so NGINX may refuse a list of them.
ACCEPTED = [
    (key, text)
    for key in sorted({*SETTINGS} - {"ssl-ciphers"})
    for text in (*SIZES, *TIMES, *NUMBERS, *WORDS, *LISTS, *TEXTS)
    if _accepted(key, text)
]
pairs = st.lists(st.sampled_from(ACCEPTED), min_size=20, max_size=50)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("gate")
    runtime = Runtime(directory)
    runtime.private.mkdir(parents=True)
    runtime.temporary.mkdir(parents=True)
    certificate = self_signed()
    (runtime.private / "default.crt").write_bytes(certificate.chain)
    (runtime.private / "default.key").write_bytes(certificate.key.pem)
    return directory


@settings(max_examples=60, deadline=None)
@given(data=pairs.map(dict))
def test_nginx_takes_what_the_settings_let_through(directory: Path, data: dict[str, str]) -> None:
    read = read_settings(data, Where(), Report())
    nginx = find_installation()
    grpc = Profile(BackendProtocol.GRPC, read.proxy_body_size, buffering=True)
    # `nginx -t` opens the ports that it reads about.
    listen = Listen(("127.0.0.1",), free_port(), free_port(), free_port())
    tree = static_conf(read, [default_profile(read), grpc], place(nginx, Runtime(directory), listen))
    conf = directory / "nginx.conf"
    conf.write_text(write(tree))
    run = subprocess.run(
        [nginx.executable, "-t", "-p", directory, "-c", conf], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
