import pytest

from sevengate.cluster.errors import ConfigError
from sevengate.cluster.proxies import proxy_for

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other.example"}, PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ({"HTTP_PROXY": PROXY}, ""),
    ],
)
def test_the_proxy_is_that_of_the_servers_scheme(environment: dict[str, str], expected: str) -> None:
    assert proxy_for("https://api.example:6443", environment) == expected
    assert proxy_for("http://api.example", environment) == environment.get("HTTP_PROXY", "")


@pytest.mark.parametrize(
    "server", ["https://localhost:6443", "https://127.0.0.1:6443", "https://127.168.217.99:6443", "https://[::1]"]
)
def test_this_machine_is_never_asked_for_by_a_proxy(server: str) -> None:
    assert proxy_for(server, {"HTTPS_PROXY": PROXY}) == ""


@pytest.mark.parametrize(
    ("exceptions", "server", "is_straight"),
    [
        ("*", "https://api.example", True),
        ("api.example", "https://api.example:6443", True),
        ("API.example ", "https://api.example", True),
        ("example", "https://api.example", True),
        (".example", "https://api.example", True),
        ("*.example", "https://api.example", True),
        (".api.example", "https://api.example", False),
        ("*.api.example", "https://api.example", False),
        ("i.example", "https://api.example", False),
        ("other.example, api.example", "https://api.example", True),
        ("api.example:6443", "https://api.example:6443", True),
        ("api.example:6443", "https://api.example", False),
        ("api.example:443", "https://api.example", True),
        ("10.0.0.0/8", "https://10.96.0.1:443", True),
        ("10.0.0.0/8", "https://api.example", False),
        ("10.96.0.1", "https://10.96.0.1", True),
        ("10.96.0.1:443", "https://10.96.0.1", True),
        ("10.96.0.1:6443", "https://10.96.0.1", False),
        ("fd00::/8", "https://[fd00::1]:6443", True),
        ("[fd00::1]", "https://[fd00::1]:6443", True),
        ("a:b:c, ,", "https://api.example", False),
    ],
)
def test_exceptions_are_read_as_go_reads_them(exceptions: str, server: str, is_straight: bool) -> None:
    assert proxy_for(server, {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}) == ("" if is_straight else PROXY)


def test_a_proxy_that_is_not_understood_is_an_error_with_the_name_of_its_variable() -> None:
    with pytest.raises(ConfigError, match=r"HTTPS_PROXY 'socks5:.*': only http and https"):
        proxy_for("https://api.example", {"HTTPS_PROXY": "socks5://proxy.example"})
