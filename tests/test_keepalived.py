import os
import shutil
import subprocess
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sevengate.cli import main
from sevengate.keepalived import VirtualRouter, problems, write

PROGRAM = shutil.which("keepalived", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_keepalived = pytest.mark.skipif(
    PROGRAM is None or os.geteuid() != 0, reason="needs the Debian package keepalived, and root to make a network"
)
# keepalived looks for the interface, so it gets one, in a network of its own. As process 1 it survives a fault of
# version 2.2.7, which with -t kills itself where it has checked the script of another user than root.
CHECK = """
ip link add eth0 type veth peer name eth1 && ip link set eth1 up && ip link set eth0 up &&
exec unshare --pid --fork "$0" --config-test --use-file="$1"
"""


def router(*addresses: str, **fields: Any) -> VirtualRouter:
    return VirtualRouter(tuple(map(ip_interface, addresses)), fields.pop("interface", "eth0"), **fields)


ROUTERS = {
    "one address": router("192.0.2.10/24"),
    "both versions": router("192.0.2.10/24", "2001:db8::10/64"),
    "IPv6 alone": router("2001:db8::10/64", advert_interval=0.2),
    "unicast": router("192.0.2.10", source=ip_address("192.0.2.11"), peers=(ip_address("192.0.2.12"),)),
    "a password": router("192.0.2.10", password="s3cret/~", state="MASTER", priority=254, router_id=255),
    "another health URL": router("192.0.2.10", health_url="http://[::1]:9/a?b=c&d=%20~", check_interval=60),
    "the least": router("192.0.2.10", priority=1, router_id=1, advert_interval=0.01),
    "the most addresses": router(*(f"192.0.2.{number}" for number in range(1, 21))),
}


@needs_keepalived
@pytest.mark.parametrize("name", ROUTERS)
def test_keepalived_takes_the_configuration(name: str, tmp_path: Path) -> None:
    assert list(problems(ROUTERS[name])) == []
    path = tmp_path / "keepalived.conf"
    path.write_text(write(ROUTERS[name]), encoding="utf-8")
    run = subprocess.run(
        ["unshare", "--net", "sh", "-c", CHECK, str(PROGRAM), str(path)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        (router(), "--vip"),
        (router("127.0.0.1"), "--vip"),
        (router("224.0.0.1"), "--vip"),
        (router("0.0.0.0"), "--vip"),
        (router("192.0.2.10/24", "192.0.2.10"), "--vip"),
        (router(*(f"192.0.2.{number}" for number in range(1, 22))), "--vip"),
        (router("192.0.2.10", interface="eth0; reboot"), "--interface"),
        (router("192.0.2.10", interface=".."), "--interface"),
        (router("192.0.2.10", router_id=256), "--router-id"),
        (router("192.0.2.10", priority=255), "--priority"),
        (router("192.0.2.10", priority=0), "--priority"),
        (router("192.0.2.10", health_url='http://a/"; rm'), "--health-url"),
        (router("192.0.2.10", health_url="file:///etc/shadow"), "--health-url"),
        (router("192.0.2.10", health_url="http://a/$B"), "--health-url"),
        (router("192.0.2.10", check_interval=0), "--check-interval"),
        (router("192.0.2.10", advert_interval=0.001), "--advert-interval"),
        (router("192.0.2.10", password="ninechars"), "--auth"),
        (router("192.0.2.10", password="a b"), "--auth"),
        (router("2001:db8::10", password="abc"), "--auth"),
        (router("192.0.2.10", password="abc", advert_interval=0.5), "--advert-interval"),
        (router("192.0.2.10", source=ip_address("192.0.2.11")), "--source"),
        (router("192.0.2.10", source=ip_address("192.0.2.1"), peers=(ip_address("192.0.2.1"),)), "--peer"),
        (router("192.0.2.10", peers=(ip_address("2001:db8::1"),)), "--peer"),
        (router("192.0.2.10", peers=(ip_address("192.0.2.1"),) * 2), "--peer"),
    ],
)
def test_what_is_wrong_is_said_with_its_option(wrong: VirtualRouter, option: str) -> None:
    assert [problem for problem in problems(wrong) if problem.startswith(option)]


def test_addresses_of_the_other_version_move_along() -> None:
    text = write(ROUTERS["both versions"])
    assert "virtual_ipaddress {\n        192.0.2.10/24 dev eth0\n    }" in text
    assert "virtual_ipaddress_excluded {\n        2001:db8::10/64 dev eth0\n    }" in text


def test_the_command_prints_the_configuration() -> None:
    run = CliRunner().invoke(main, ["keepalived", "--vip", "192.0.2.10/24", "--interface", "eth0"])
    assert run.exit_code == 0
    assert run.stdout == write(ROUTERS["one address"])
    assert "http://127.0.0.1:10246/balancerz" in run.stdout


@pytest.mark.parametrize("vip", ["192.0.2.300", "shop.example", "192.0.2.1/33", ""])
def test_the_command_refuses_what_is_no_address(vip: str) -> None:
    run = CliRunner().invoke(main, ["keepalived", "--vip", vip, "--interface", "eth0"])
    assert run.exit_code == 2
    assert "is not an IPv4 or IPv6 address" in run.stderr


def test_the_command_names_all_that_is_wrong() -> None:
    run = CliRunner().invoke(main, ["keepalived", "--vip", "127.0.0.1", "--interface", "a b", "--priority", "0"])
    assert run.exit_code == 2
    assert [line.split(":")[1] for line in run.stderr.splitlines()] == [" --vip", " --interface", " --priority"]
    assert run.stdout == ""
