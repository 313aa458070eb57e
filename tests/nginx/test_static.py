import re

import msgspec
import pytest

from sevengate.nginx.conf import write
from sevengate.nginx.static import Place, static_conf
from sevengate.settings import Settings

PLACE = Place((1, 26, 3), (), "/root", "/lua", "/clua", "/pid", "/sock", "/tmp", "/crt", "/key")


def conf(settings: Settings, place: Place) -> str:
    return write(static_conf(settings, (), place))


@pytest.mark.parametrize(
    ("addresses", "disabled", "listened"),
    [
        (("0.0.0.0", "[::]"), False, {"0.0.0.0", "[::]"}),
        (("0.0.0.0", "[::]"), True, {"0.0.0.0"}),
        (("[2001:db8::1]",), True, {"[2001:db8::1]"}),
    ],
)
def test_ipv6_can_be_left_out_unless_it_is_asked_for_by_address(
    addresses: tuple[str, ...], disabled: bool, listened: set[str]
) -> None:
    text = conf(Settings(disable_ipv6=disabled), msgspec.structs.replace(PLACE, addresses=addresses))
    found = re.findall(r'listen "?(?!unix)(\S+):\d+"? ', text)
    assert (set(found), len(found)) == (listened, 3 * len(listened))


@pytest.mark.parametrize(
    ("version", "by_directive"), [((1, 22, 1), False), ((1, 25, 0), False), ((1, 25, 1), True), ((1, 26, 3), True)]
)
def test_http2_is_switched_on_as_the_version_of_nginx_has_it(version: tuple[int, int, int], by_directive: bool) -> None:
    text = conf(Settings(), msgspec.structs.replace(PLACE, version=version))
    assert ("http2 on;" in text, bool(re.search(r"listen .* ssl http2 ", text))) == (by_directive, not by_directive)
    without = conf(Settings(use_http2=False), msgspec.structs.replace(PLACE, version=version))
    assert "http2" not in without


@pytest.mark.parametrize(("setting", "workers"), [(None, 7), (3, 3)])
def test_there_is_a_worker_for_each_processor_unless_a_number_is_set(setting: int | None, workers: int) -> None:
    text = conf(Settings(worker_processes=setting), msgspec.structs.replace(PLACE, processors=7))
    assert f"worker_processes {workers};" in text
