"""Makes a webhook's certificate, as the image kube-webhook-certgen does in the predecessor's manifests.

Takes that image's arguments: `create` makes an authority and a certificate for the hosts and puts both into a Secret,
unless it is there; `patch` puts the authority of the Secret into a ValidatingWebhookConfiguration. It runs in a pod
with its service account's rights and ends with a status.
"""

import argparse
import asyncio
import base64
import sys

import msgspec

from sevengate.cluster.authority import Authority
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ClusterError, ConflictError
from sevengate.cluster.kubeconfig import find_access
from sevengate.cluster.resources import SECRETS, Resource

WEBHOOKS = Resource(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)


def main(arguments: list[str]) -> int:
    """Do what the arguments say; give the exit status."""
    wish = _parser().parse_known_args(arguments)[0]
    try:
        asyncio.run(_create(wish) if wish.what == "create" else _patch(wish))
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kube-webhook-certgen")
    parser.add_argument("what", choices=("create", "patch"))
    for name, default in (("host", ""), ("namespace", "default"), ("secret-name", ""), ("webhook-name", "")):
        parser.add_argument(f"--{name}", default=default)
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--{name}-name", default=name)
    parser.add_argument("--patch-failure-policy", default="Fail")
    return parser


async def _create(wish: argparse.Namespace) -> None:
    authority = Authority("webhook")
    pair = authority.server(wish.host.split(","), "webhook")
    content = {
        wish.ca_name: authority.certificate,
        wish.cert_name: pair.certificate,
        wish.key_name: pair.key,
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": wish.secret_name},
        "data": {name: base64.b64encode(value).decode() for name, value in content.items()},
    }
    async with Client(find_access("", "")) as client:
        try:
            await client.create(SECRETS.path(wish.namespace), secret)
        except ConflictError:
            sys.stdout.write(f"Secret {wish.namespace}/{wish.secret_name} is there already\n")


async def _patch(wish: argparse.Namespace) -> None:
    async with Client(find_access("", "")) as client:
        secret = msgspec.json.decode(await client.get(SECRETS.path(wish.namespace, wish.secret_name)))
        path = WEBHOOKS.path(name=wish.webhook_name)
        configuration = msgspec.json.decode(await client.get(path))
        for webhook in configuration.get("webhooks") or ():
            webhook["clientConfig"]["caBundle"] = secret["data"][wish.ca_name]
            webhook["failurePolicy"] = wish.patch_failure_policy
        await client.replace(path, configuration)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
