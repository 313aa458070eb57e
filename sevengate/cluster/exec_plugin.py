"""Credentials from a program that a kubeconfig names, as cloud providers use them.

The program is told in KUBERNETES_EXEC_INFO what it is asked, and answers on standard output with a token or a client
certificate and until when they are good (client.authentication.k8s.io/v1 and v1beta1,
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins). It is never run
through a shell, has no terminal to ask questions on, and has to answer within a minute.
"""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

import msgspec

from sevengate.cluster.credentials import Credential, Fetch, bearer
from sevengate.cluster.errors import ConfigError

API_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
#: Seconds a program has to answer, and how long before its expiry a credential is no longer used.
PATIENCE: Final = 60.0
MARGIN: Final = 10.0


class Plugin(msgspec.Struct, frozen=True):
    """A program to run. `cluster` is what it is told of the cluster, where it wants to know."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    status: _Answer | None = None


def from_plugin(plugin: Plugin) -> Fetch:
    """Give what the program answers, until it expires."""

    async def fetch() -> Credential:
        return _credential(plugin, await _run(plugin))

    return fetch


async def _run(plugin: Plugin) -> bytes:
    spec = {"interactive": False, **({"cluster": plugin.cluster} if plugin.cluster else {})}
    asked = msgspec.json.encode({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}).decode()
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": asked},
        )
    except OSError as error:
        hint = f"; {plugin.install_hint}" if plugin.install_hint else ""
        raise ConfigError(f"credential plugin {plugin.command} cannot be run: {error.strerror}{hint}") from error
    output = await _output(plugin, process)
    if process.returncode:
        raise ConfigError(f"credential plugin {plugin.command} ended with status {process.returncode}")
    return output


async def _output(plugin: Plugin, process: asyncio.subprocess.Process) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
    except TimeoutError:
        raise ConfigError(f"credential plugin {plugin.command} did not answer in {PATIENCE:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output


def _credential(plugin: Plugin, output: bytes) -> Credential:
    try:
        answer = msgspec.json.decode(output, type=_ExecCredential)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"credential plugin {plugin.command} answered no ExecCredential: {error}") from None
    if answer.api_version != plugin.api_version:
        raise ConfigError(
            f"credential plugin {plugin.command} answered as {answer.api_version}, it was asked for "
            f"{plugin.api_version}"
        )
    status = answer.status or _Answer()
    certificate, key = status.client_certificate_data or "", status.client_key_data or ""
    if bool(certificate) != bool(key) or not (status.token or certificate):
        raise ConfigError(f"credential plugin {plugin.command} answered neither a token nor a certificate and key")
    authorization = bearer(status.token) if status.token else ""
    return Credential(authorization, certificate.encode(), key.encode(), _good_for(status.expiration_timestamp))


def _good_for(expiry: datetime | None) -> float:
    """Give the seconds until an expiry; from here on they are counted by a clock that nobody sets."""
    if expiry is None:
        return inf
    aware = expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds() - MARGIN, 1.0)
