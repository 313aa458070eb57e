import os
import socket

import pytest

from sevengate.nginx.listening import AddressTakenError, Listen, addresses_of, refuse_taken, unusable


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_that_another_nginx_would_share_is_taken_all_the_same(family: int, address: str) -> None:
    with socket.socket(family) as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharing.bind((address, 0))
        sharing.listen()
        port = sharing.getsockname()[1]
        written = f"[{address}]" if ":" in address else address
        with pytest.raises(AddressTakenError, match=rf":{port} is taken by .*\(pid {os.getpid()}\)"):
            refuse_taken(written, port)
    refuse_taken(written, port)


def test_without_an_address_it_is_all_of_the_machine_and_ipv6_has_brackets_in_nginx_conf() -> None:
    addresses = addresses_of("")
    assert addresses[0] == "0.0.0.0"
    assert set(addresses) <= {"0.0.0.0", "::"}
    assert Listen().at("::1").sockets == (("[::1]", 80), ("[::1]", 443), ("[::1]", 8181))
    assert Listen((), 1, 2, 3).at("127.0.0.1").sockets == (("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3))


def test_an_address_that_is_not_ours_is_no_taken_one() -> None:
    with socket.socket() as stranger, pytest.raises(OSError, match="assign") as refused:
        stranger.bind(("192.0.2.1", 0))
    said = unusable("192.0.2.1", 10254, refused.value)
    assert str(said) == "cannot listen at 192.0.2.1:10254: Cannot assign requested address"
