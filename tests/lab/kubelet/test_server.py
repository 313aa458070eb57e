"""Who may ask a kubelet: the API server, and nobody else."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from sevengate.cluster.authority import Authority, Pair
from tests.lab.kubelet.nodes import Nodes, running_nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with running_nodes() as running:
        yield running


async def ask(nodes: Nodes, folder: Path, client: Pair | None) -> int:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if client:
        (folder / "client.pem").write_bytes(client.certificate + client.key)
        tls.load_cert_chain(folder / "client.pem")
    url = f"https://{nodes.plan.node_address('node01')}:10250/healthz"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=tls) as answer:
        return answer.status


def test_only_the_api_server_may_ask_a_kubelet(nodes: Nodes, tmp_path: Path) -> None:
    def answered(client: Pair | None) -> int:
        return asyncio.run(ask(nodes, tmp_path, client))

    assert answered(nodes.running.client("lab-owner", "system:masters")) == 403
    assert answered(nodes.running.client("kube-apiserver-kubelet-client", "system:masters")) == 200
    forged = Authority("sevengate-lab").client("kube-apiserver-kubelet-client", ("system:masters",))
    for stranger in (None, forged):
        with pytest.raises(aiohttp.ClientError):
            answered(stranger)
