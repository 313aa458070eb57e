"""A kubeconfig, or several of them joined, becomes an Access.

Files are joined as kubectl joins them: whoever names a cluster, a user, a context or the current context first decides,
and relative paths are relative to the file they stand in
(https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/). Every way to say who one is
that is still alive is carried out; one that is not (auth-provider, a socks5 proxy, an extra of an impersonation) is
refused, as leaving it out would make us someone else. Nothing is connected to and no plugin is run here.
"""

import base64
import binascii
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from sevengate.cluster import exec_plugin
from sevengate.cluster.access import Access, Trust, at_host, checked_url, in_cluster
from sevengate.cluster.credentials import (
    Credential,
    Credentials,
    Fetch,
    basic,
    bearer,
    certificate_files,
    constant,
    read_bytes,
    together,
    token_file,
)
from sevengate.cluster.errors import ConfigError
from sevengate.cluster.proxies import checked_proxy, proxy_for

T = TypeVar("T", bound="_Named")


class _Shape(msgspec.Struct, frozen=True, rename="kebab"):
    """What all parts share: kebab-case names."""


class _Cluster(_Shape, frozen=True):
    server: str | None = None
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    insecure_skip_tls_verify: bool | None = None
    tls_server_name: str | None = None
    proxy_url: str | None = None


class _Variable(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Exec(msgspec.Struct, frozen=True, rename="camel"):
    command: str
    api_version: str | None = None
    args: tuple[str, ...] | None = None
    env: tuple[_Variable, ...] | None = None
    install_hint: str | None = None
    interactive_mode: str | None = None
    provide_cluster_info: bool | None = None


class _User(_Shape, frozen=True):
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    token: str | None = None
    token_file: str | None = msgspec.field(name="tokenFile", default=None)
    username: str | None = None
    password: str | None = None
    exec: _Exec | None = None
    auth_provider: dict[str, Any] | None = None
    impersonate: str | None = msgspec.field(name="as", default=None)
    impersonate_uid: str | None = msgspec.field(name="as-uid", default=None)
    impersonate_groups: tuple[str, ...] | None = msgspec.field(name="as-groups", default=None)
    impersonate_extra: dict[str, Any] | None = msgspec.field(name="as-user-extra", default=None)


class _Context(_Shape, frozen=True):
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None


class _Named(_Shape, frozen=True):
    name: str


class _NamedCluster(_Named, frozen=True):
    cluster: _Cluster | None = None


class _NamedUser(_Named, frozen=True):
    user: _User | None = None


class _NamedContext(_Named, frozen=True):
    context: _Context | None = None


class _Config(_Shape, frozen=True):
    current_context: str | None = None
    clusters: tuple[_NamedCluster, ...] | None = None
    users: tuple[_NamedUser, ...] | None = None
    contexts: tuple[_NamedContext, ...] | None = None


#: Plugins that must ask a person something have nobody to ask.
_NEEDS_TERMINAL: Final = "Always"


def find_access(
    kubeconfig: str, apiserver_host: str, environment: Mapping[str, str] = os.environ, *, authority: str = ""
) -> Access:
    """Give the Access that flags and environment name: a kubeconfig, a server, the variable KUBECONFIG, or our pod.

    `kubeconfig` may name several files as that variable does; of those that stand in the variable, some may be missing.
    `authority` is a file that says whom to trust about `apiserver_host`. Proxies of the environment are for those who
    come from elsewhere; a pod goes straight to its API server.
    """
    if kubeconfig:
        access = load_kubeconfig([Path(file) for file in kubeconfig.split(os.pathsep) if file])
        access = msgspec.structs.replace(access, server=checked_url(apiserver_host)) if apiserver_host else access
        return _by_proxy(_trusting(access, authority), environment)
    if apiserver_host:
        return _by_proxy(_trusting(at_host(apiserver_host), authority), environment)
    files = [Path(file) for file in environment.get("KUBECONFIG", "").split(os.pathsep) if file]
    if not files:
        return in_cluster(environment)
    return _by_proxy(load_kubeconfig([file for file in files if file.exists()] or files), environment)


def _by_proxy(access: Access, environment: Mapping[str, str]) -> Access:
    """Go through the proxy of the environment, unless the kubeconfig names one."""
    return msgspec.structs.replace(access, proxy=access.proxy or proxy_for(access.server, environment))


def _trusting(access: Access, authority: str) -> Access:
    if not authority:
        return access
    trust = msgspec.structs.replace(access.trust, ca=b"", ca_file=Path(authority), verify=True)
    return msgspec.structs.replace(access, trust=trust)


def load_kubeconfig(paths: Sequence[Path], context: str = "") -> Access:
    """Give the Access of a context, the current one if none is named; raise ConfigError that says what is wrong."""
    files = _Files(paths)
    chosen, _ = files.find(lambda config: config.contexts, "context", context or files.current_context())
    setting = chosen.context or _Context()
    found, home = files.find(lambda config: config.clusters, "cluster", setting.cluster or "")
    cluster = found.cluster or _Cluster()
    if not cluster.server:
        raise ConfigError(f"{files}: cluster {found.name!r} names no server")
    user, user_home = _User(), home
    if setting.user:
        owner, user_home = files.find(lambda config: config.users, "user", setting.user)
        user = owner.user or _User()
    return Access(
        server=checked_url(cluster.server),
        credentials=Credentials(_fetch(user, user_home, cluster)),
        trust=_trust(cluster, home),
        proxy=checked_proxy(cluster.proxy_url, "proxy-url") if cluster.proxy_url else "",
        namespace=setting.namespace or "default",
        headers=dict(_impersonation(user)),
    )


class _Files:
    """Several kubeconfigs, of which the first that says something decides."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._configs = [(_read(path), path.absolute().parent) for path in paths]

    def __str__(self) -> str:
        return ", ".join(map(str, self._paths))

    def current_context(self) -> str:
        for config, _ in self._configs:
            if config.current_context:
                return config.current_context
        raise ConfigError(f"{self} has no current-context")

    def find(self, members: Callable[[_Config], tuple[T, ...] | None], what: str, name: str) -> tuple[T, Path]:
        """Give the member of this name, and the folder that its paths are relative to."""
        for config, folder in self._configs:
            for member in members(config) or ():
                if member.name == name:
                    return member, folder
        raise ConfigError(f"{self}: {what} {name!r} is not there")


def _read(path: Path) -> _Config:
    try:
        return msgspec.convert(yaml.safe_load(read_bytes(path)) or {}, _Config)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no kubeconfig: {error}") from error


def _trust(cluster: _Cluster, home: Path) -> Trust:
    data, file = cluster.certificate_authority_data, cluster.certificate_authority
    return Trust(
        ca=_base64(data, "certificate-authority-data") if data else b"",
        ca_file=home / file if file and not data else None,
        server_name=cluster.tls_server_name or "",
        verify=not cluster.insecure_skip_tls_verify,
    )


def _fetch(user: _User, home: Path, cluster: _Cluster) -> Fetch:
    """Join what proves who we are: the certificate, and the first of token, password and plugin."""
    if user.auth_provider:
        raise ConfigError("auth-provider is no longer known to Kubernetes; use a credential plugin (exec)")
    certificate = _certificate(user, home)
    if user.token_file:
        return together(certificate, token_file(home / user.token_file))
    if user.token:
        return together(certificate, constant(Credential(bearer(user.token))))
    if user.username:
        return together(certificate, constant(Credential(basic(user.username, user.password or ""))))
    if user.exec:
        return together(certificate, exec_plugin.from_plugin(_plugin(user.exec, home, cluster)))
    return certificate


def _certificate(user: _User, home: Path) -> Fetch:
    data = bool(user.client_certificate_data), bool(user.client_key_data)
    if not (any(data) or user.client_certificate or user.client_key):
        return constant(Credential())
    if all(data):
        chain = _base64(user.client_certificate_data or "", "client-certificate-data")
        return constant(Credential(certificate=chain, key=_base64(user.client_key_data or "", "client-key-data")))
    if any(data) or not (user.client_certificate and user.client_key):
        raise ConfigError("a client certificate needs its key beside it: both as files, or both as data")
    return certificate_files(home / user.client_certificate, home / user.client_key)


def _plugin(said: _Exec, home: Path, cluster: _Cluster) -> exec_plugin.Plugin:
    if said.api_version not in exec_plugin.API_VERSIONS:
        known = " and ".join(exec_plugin.API_VERSIONS)
        raise ConfigError(f"credential plugins of {said.api_version} are not known, only {known}")
    if said.interactive_mode == _NEEDS_TERMINAL:
        raise ConfigError(f"credential plugin {said.command} wants a terminal (interactiveMode: {_NEEDS_TERMINAL})")
    return exec_plugin.Plugin(
        api_version=said.api_version,
        # A bare name is looked up in PATH, a path is relative to the kubeconfig.
        command=str(home / said.command) if "/" in said.command else said.command,
        args=said.args or (),
        environment={variable.name: variable.value for variable in said.env or ()},
        install_hint=said.install_hint or "",
        cluster=_told(cluster, home) if said.provide_cluster_info else None,
    )


def _told(cluster: _Cluster, home: Path) -> dict[str, Any]:
    """Write a cluster as client.authentication.k8s.io does; a CA always as data."""
    ca = cluster.certificate_authority_data
    if not ca and cluster.certificate_authority:
        ca = base64.b64encode(read_bytes(home / cluster.certificate_authority)).decode("ascii")
    told = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": ca,
        "proxy-url": cluster.proxy_url,
    }
    return {name: value for name, value in told.items() if value}


def _impersonation(user: _User) -> Iterator[tuple[str, str]]:
    """Give the headers of https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation."""
    if user.impersonate_extra or len(user.impersonate_groups or ()) > 1:
        raise ConfigError("as-user-extra, and more than one of as-groups, are not carried out")
    if user.impersonate:
        yield "Impersonate-User", user.impersonate
    if user.impersonate_uid:
        yield "Impersonate-Uid", user.impersonate_uid
    for group in user.impersonate_groups or ():
        yield "Impersonate-Group", group


def _base64(text: str, field: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{field} is not base64") from None
