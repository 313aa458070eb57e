"""How an API server is reached: its URL, whom to trust, through which proxy, and who we are.

An Access comes from a kubeconfig (kubeconfig.py) or from what the kubelet puts into every pod
(https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). It builds the TLS contexts, as a client
certificate may change while we run; requests are left to client.py. Private keys are never written to a disk.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from sevengate.cluster.credentials import Credential, Credentials, constant, read_bytes, token_file
from sevengate.cluster.errors import ConfigError

#: Where the kubelet mounts a pod's token, CA and namespace.
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Trust(msgspec.Struct, frozen=True):
    """How the server proves who it is: a CA in PEM or in a file, else the machine's; under another name, or not at all.

    The file is read for each new TLS context, as a cluster's CA may be replaced.
    """

    ca: bytes = b""
    ca_file: Path | None = None
    server_name: str = ""
    verify: bool = True

    def tls(self, credential: Credential) -> ssl.SSLContext:
        """Make the TLS context for a credential; raise ConfigError for what is no CA, certificate or key."""
        ca = read_bytes(self.ca_file) if self.ca_file else self.ca
        try:
            context = ssl.create_default_context(cadata=ca.decode("ascii") if ca else None)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(f"the certificate authority cannot be read: {error}") from error
        # Many clusters' own CAs lack extensions that Python 3.13 began to demand.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if credential.certificate:
            _load_client(context, credential)
        return context


class Access(msgspec.Struct, frozen=True):
    """All that a client needs. `headers` go with every request, `namespace` is where we live."""

    server: str
    credentials: Credentials
    trust: Trust = Trust()
    proxy: str = ""
    namespace: str = "default"
    headers: Mapping[str, str] = {}

    @property
    def is_tls(self) -> bool:
        """Whether the server speaks TLS."""
        return urlsplit(self.server).scheme == "https"


def in_cluster(environment: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT) -> Access:
    """Give the access of a pod's service account; raise ConfigError outside of a pod."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("this is no pod: KUBERNETES_SERVICE_HOST is not set; name a --kubeconfig")
    token = folder / "token"
    if not token.is_file():
        raise ConfigError(f"{token} is missing: automountServiceAccountToken must be true for this pod")
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    namespace = read_bytes(folder / "namespace").decode().strip()
    trust = Trust(ca_file=folder / "ca.crt")
    return Access(f"https://{authority}", Credentials(token_file(token)), trust, namespace=namespace)


def at_host(url: str) -> Access:
    """Give the access to a server that asks nobody who he is, such as `kubectl proxy`."""
    return Access(checked_url(url), Credentials(constant(Credential())))


def checked_url(url: str) -> str:
    """Give a server's URL without a slash at its end; raise ConfigError for what is none."""
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise ConfigError(f"{url!r} is not the URL of an API server")
    return url.rstrip("/")


def _load_client(context: ssl.SSLContext, credential: Credential) -> None:
    try:
        load_pair(context, credential.certificate, credential.key)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"the client certificate and its key cannot be used: {error}") from error


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate and its key; raise SSLError or ValueError. OpenSSL wants files: these exist in memory only."""
    certificate_file, key_file = _in_memory(certificate), _in_memory(key)
    try:
        context.load_cert_chain(f"/proc/self/fd/{certificate_file}", f"/proc/self/fd/{key_file}", password="")
    finally:
        os.close(certificate_file)
        os.close(key_file)


def _in_memory(content: bytes) -> int:
    file = os.memfd_create("pem", os.MFD_CLOEXEC)
    os.write(file, content)
    return file
