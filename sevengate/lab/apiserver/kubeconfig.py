"""The kubeconfig by which kubectl and every other client finds the lab and proves who it is.

Takes an address, the authority's certificate and a client's credentials; gives the file's content. Certificates are
inside the file, so it can be moved. Pure; `running` writes it, readable by its owner only.
"""

import base64

import yaml

from sevengate.cluster.authority import Pair

NAME = "sevengate-lab"


def with_certificate(server: str, authority: bytes, client: Pair) -> str:
    """Give the kubeconfig of a user with a client certificate."""
    user = {"client-certificate-data": _base64(client.certificate), "client-key-data": _base64(client.key)}
    return _written(server, authority, user)


def with_token(server: str, authority: bytes, token: str) -> str:
    """Give the kubeconfig of a service account."""
    return _written(server, authority, {"token": token})


def _written(server: str, authority: bytes, user: dict[str, str]) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": "default"}}],
        "current-context": NAME,
    }
    return yaml.safe_dump(config, sort_keys=False)


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()
