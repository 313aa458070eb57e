"""A network of the lab's own: its addresses are there, inside of it only, for whoever joins it."""

import os
import subprocess
import sys

import pytest

from sevengate.lab.addresses import NAMESPACE
from sevengate.lab.network import is_closed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a network of one's own takes root")

LISTENING = """
import socket, sys, time
from sevengate.lab.addresses import NAMESPACE
from sevengate.lab.network import is_closed, leave_machine
leave_machine(NAMESPACE)
assert is_closed()
listening = [socket.create_server((address, 80)) for address in sys.argv[1:]]
print("up", flush=True)
for server in listening:
    connection, peer = server.accept()
    connection.sendall(connection.getsockname()[0].encode())
    connection.close()
time.sleep(60)
"""
ASKING = """
import socket, sys
from sevengate.lab.network import join_network
join_network(int(sys.argv[1]))
for address in sys.argv[2:]:
    print(socket.create_connection((address, 80), 20).recv(100).decode())
"""


def test_whoever_joins_reaches_nodes_pods_services_and_balancers_by_their_addresses() -> None:
    addresses = [NAMESPACE.node_address("node02"), "10.244.1.7", "10.100.3.4", "192.168.217.200"]
    with subprocess.Popen([sys.executable, "-c", LISTENING, *addresses], stdout=subprocess.PIPE) as up:
        try:
            assert up.stdout is not None
            assert up.stdout.readline() == b"up\n"
            asked = [sys.executable, "-c", ASKING, str(up.pid), *addresses]
            answers = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
        finally:
            up.kill()
    assert answers.stdout.split() == addresses


def test_this_machines_own_network_is_left_as_it_is() -> None:
    before = is_closed()
    subprocess.run([sys.executable, "-c", LISTENING.split("listening", maxsplit=1)[0]], check=True, timeout=60)
    assert is_closed() == before
