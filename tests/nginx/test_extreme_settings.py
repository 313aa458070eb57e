"""What settings.py lets through is what NGINX takes: a bad value must fall alone, and not take the whole gate along."""

from collections.abc import Callable, Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.diagnostics import Report, Where
from sevengate.nginx.conf import write
from sevengate.nginx.dataplane import OF_THE_MACHINE
from sevengate.nginx.installation import find_installation
from sevengate.nginx.listening import Listen
from sevengate.nginx.runtime import Runtime
from sevengate.nginx.static import default_profile, static_conf
from sevengate.nginx.supervisor import place
from sevengate.routing.policies import BackendProtocol, Profile
from sevengate.settings import (
    SETTINGS,
    AccessLogFormat,
    LogLevel,
    NextUpstream,
    Settings,
    TlsProtocol,
    read_settings,
)
from tests.hostile import TRICKS, near

SIZES = ["1", "256", "512", "513", "1k", "4k", "64k", "100k", "1m", "16m", "1g", "9" * 15 + "g"]
TIMES = ["0", "1ms", "1", "1500ms", "1h 30m", "365d"]
NUMBERS = ["0", "1", "2", "3", "64", "100", "512", "1024", "65535", "1000000", "1000000000"]
WORDS = ["true", "false", "on", "off", "auto", *AccessLogFormat, *LogLevel, *TlsProtocol, *NextUpstream]
LISTS = ["4 8k", "1 256", "1024 16m", "error timeout http_429", "TLSv1.2", "error off", "0.0.0.0/0", "::/0, 10.1.2.3/8"]
TEXTS = ["/a/b, /c", "X-Real_IP", "HIGH:!aNULL", "$host \" ' ; { } # \\ é ${uri}", "/dev/null", *TRICKS]


def _accepted(key: str, text: str) -> bool:
    report = Report()
    read_settings({key: text}, Where(), report)
    return not report.done()


#: What the machine has a say in NGINX may refuse, and the data plane goes on without it: of that only what all take.
ACCEPTED = [("ssl-ciphers", "HIGH:!aNULL"), ("access-log-path", "/dev/null")] + [
    (key, text)
    for key in sorted({*SETTINGS} - {name.replace("_", "-") for name in OF_THE_MACHINE})
    for text in (*SIZES, *TIMES, *NUMBERS, *WORDS, *LISTS, *TEXTS)
    if _accepted(key, text)
]
PLACE = place(find_installation(), Runtime(Path("/run/gate")), Listen(("127.0.0.1",)))
pairs = st.lists(st.sampled_from(ACCEPTED), min_size=20, max_size=50)


@settings(max_examples=60)
@given(data=pairs.map(dict))
def test_nginx_takes_what_the_settings_let_through(
    refusal: Callable[[Settings, Iterable[Profile]], str], data: dict[str, str]
) -> None:
    read = read_settings(data, Where(), Report())
    grpc = Profile(BackendProtocol.GRPC, read.proxy_body_size, buffering=True)
    assert refusal(read, [default_profile(read), grpc]) == ""


@settings(max_examples=1000)
@given(st.dictionaries(st.sampled_from(sorted(SETTINGS)), near(*SIZES, *NUMBERS, *WORDS, *LISTS, *TEXTS), max_size=5))
def test_no_setting_is_text_that_cannot_be_written(data: dict[str, str]) -> None:
    read = read_settings(data, Where(), Report())
    assert write(static_conf(read, [default_profile(read)], PLACE))
