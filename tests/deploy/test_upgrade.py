"""Applying a manifest again, as an upgrade does, leaves alone what the controllers have written into its objects."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sevengate.lab.apiserver.running import RunningApi, serving_api
from sevengate.lab.home import write_private
from tests.deploy.helm import ROOT
from tests.waiting import LIMIT

KUBECTL = Path(sys.executable).with_name("kubectl")
MANIFEST = ROOT / "deploy" / "load-balancer.yaml"
SECRET = ("", "secrets"), ("sevengate", "sevengate-admission")
CONFIGURATION = ("admissionregistration.k8s.io", "validatingwebhookconfigurations"), ("", "sevengate-admission")
#: What a controller writes, as the webhook's certificate is kept there; the texts do not matter here.
HELD = {"ca.crt": "QQ==", "tls.crt": "Qg==", "tls.key": "Qw=="}
BUNDLE = "QQ=="

pytestmark = pytest.mark.skipif(not KUBECTL.is_file(), reason="there is no kubectl in .venv/bin; make test brings it")


class Cluster:
    """An API server of the lab's, and its owner's kubectl."""

    def __init__(self, lab: RunningApi, folder: Path) -> None:
        self._lab, self._kubeconfig = lab, folder / "kubeconfig"
        write_private(self._kubeconfig, lab.kubeconfig())

    async def kubectl(self, *words: str) -> None:
        command = [str(KUBECTL), "--kubeconfig", str(self._kubeconfig), *words]
        run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

    def read(self, resource: tuple[str, str], key: tuple[str, str]) -> Any:
        stored = self._lab.storage.get(resource, key)
        assert stored
        return stored.object

    async def write_as_controllers_do(self) -> None:
        """Fill the Secret, and write into the configuration whom to trust."""
        hooks = self.read(*CONFIGURATION)["webhooks"]
        hooks = [{**hook, "clientConfig": {**hook["clientConfig"], "caBundle": BUNDLE}} for hook in hooks]
        for kind, change in (("secret", {"data": HELD}), ("validatingwebhookconfiguration", {"webhooks": hooks})):
            words = ("patch", kind, "sevengate-admission", "--namespace", "sevengate", "--type", "merge")
            await self.kubectl(*words, "--patch", json.dumps(change))


@pytest.mark.parametrize("words", [(), ("--server-side",)], ids=["by kubectl", "by the server"])
def test_the_webhooks_certificate_and_who_is_believed_about_it_stay(words: tuple[str, ...], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(2 * LIMIT), serving_api() as lab:
            cluster = Cluster(lab, tmp_path)
            await cluster.kubectl("apply", *words, "--filename", str(MANIFEST))
            await cluster.write_as_controllers_do()
            newer = tmp_path / "newer.yaml"
            newer.write_text(MANIFEST.read_text(encoding="utf-8").replace('"0.1.0"', '"0.2.0"'), encoding="utf-8")
            await cluster.kubectl("apply", *words, "--filename", str(newer))
            for about in (SECRET, CONFIGURATION):
                assert cluster.read(*about)["metadata"]["labels"]["app.kubernetes.io/version"] == "0.2.0"
            assert cluster.read(*SECRET)["data"] == HELD
            bundles = [hook["clientConfig"].get("caBundle") for hook in cluster.read(*CONFIGURATION)["webhooks"]]
            assert bundles == [BUNDLE]

    asyncio.run(scenario())
