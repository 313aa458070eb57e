import asyncio
import base64
import json
import os
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from sevengate.cluster.access import Access, in_cluster
from sevengate.cluster.client import Client
from sevengate.cluster.credentials import Credential
from sevengate.cluster.errors import ClusterError, ConfigError, UnauthorizedError, UnreachableError
from sevengate.cluster.kubeconfig import find_access, load_kubeconfig
from tests.cluster.api_server import ApiServer
from tests.cluster.following import HASTY_CLIENT

AUTHORITY = trustme.CA()
CLIENT = AUTHORITY.issue_cert("admin@example.com")
SERVER = AUTHORITY.issue_cert("127.0.0.1")
NAMED = AUTHORITY.issue_cert("api.example")
CA = AUTHORITY.cert_pem.bytes()
CERTIFICATE, KEY = CLIENT.cert_chain_pems[0].bytes(), CLIENT.private_key_pem.bytes()
V1 = "client.authentication.k8s.io/v1"


def data(content: bytes) -> str:
    return base64.b64encode(content).decode()


def config(cluster: dict[str, Any], user: dict[str, Any], context: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me", **(context or {})}}],
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
    }


def write(folder: Path, plain: dict[str, Any], name: str = "config") -> Path:
    # What is JSON is YAML.
    file = folder / name
    file.write_text(json.dumps(plain))
    return file


def program(folder: Path, answer: dict[str, Any]) -> Path:
    """A credential plugin that counts its runs and remembers what it was asked."""
    file = folder / "plugin"
    (folder / "answer").write_text(json.dumps(answer))
    file.write_text(
        f'#!/bin/sh\necho run >> {folder}/runs\necho "$KUBERNETES_EXEC_INFO" > {folder}/asked\n'
        f'echo "$1 $GREETING" > {folder}/given\ncat {folder}/answer\n'
    )
    file.chmod(stat.S_IRWXU)
    return file


def exec_user(command: str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": V1, "command": command, "interactiveMode": "Never", **more}}


def answer(api_version: str = V1, **status: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": "ExecCredential", "status": status}


@asynccontextmanager
async def server_with_tls(leaf: trustme.LeafCert = SERVER, *, mutual: bool = False) -> AsyncIterator[ApiServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(tls)
    if mutual:
        AUTHORITY.configure_trust(tls)
        tls.verify_mode = ssl.CERT_REQUIRED
    server = ApiServer()
    async with server.running(tls):
        yield server


async def authorization(server: ApiServer, access: Access) -> str:
    """Give what the server was shown."""
    async with Client(access, HASTY_CLIENT) as client:
        await client.get("/api/v1/services")
    return server.headers[-1].get("Authorization", "")


async def shown(server: ApiServer, folder: Path, user: dict[str, Any], **cluster: Any) -> str:
    plain = config({"server": server.url, "certificate-authority-data": data(CA), **cluster}, user)
    return await authorization(server, load_kubeconfig([write(folder, plain)]))


# --- who we are


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, ""),
        ({"token": "secret"}, "Bearer secret"),
        ({"tokenFile": "token"}, "Bearer from-the-file"),
        ({"token": "secret", "tokenFile": "token"}, "Bearer from-the-file"),
        ({"username": "me", "password": "pass:word"}, "Basic " + data(b"me:pass:word")),
    ],
)
def test_tokens_and_passwords_are_shown(tmp_path: Path, user: dict[str, Any], expected: str) -> None:
    (tmp_path / "token").write_text("from-the-file\n")

    async def run() -> None:
        async with server_with_tls() as server:
            assert await shown(server, tmp_path, user) == expected

    asyncio.run(run())


@pytest.mark.parametrize("as_files", [True, False])
def test_a_client_certificate_is_shown(tmp_path: Path, as_files: bool) -> None:
    (tmp_path / "me.crt").write_bytes(CERTIFICATE)
    (tmp_path / "me.key").write_bytes(KEY)
    files = {"client-certificate": "me.crt", "client-key": "me.key"}
    user = files if as_files else {"client-certificate-data": data(CERTIFICATE), "client-key-data": data(KEY)}

    async def run() -> None:
        async with server_with_tls(mutual=True) as server:
            assert await shown(server, tmp_path, user) == ""
            with pytest.raises(UnreachableError):
                await shown(server, tmp_path, {})

    asyncio.run(run())


@pytest.mark.parametrize("api_version", [V1, "client.authentication.k8s.io/v1beta1"])
def test_a_plugin_hands_out_a_token_and_is_told_of_the_cluster(tmp_path: Path, api_version: str) -> None:
    program(tmp_path, answer(api_version, token="handed-out"))
    environment = [{"name": "GREETING", "value": "hello"}]
    more = {"args": ["get-token"], "env": environment, "provideClusterInfo": True, "apiVersion": api_version}

    async def run() -> None:
        async with server_with_tls() as server:
            assert await shown(server, tmp_path, exec_user("./plugin", **more)) == "Bearer handed-out"
            asked = json.loads((tmp_path / "asked").read_text())
            assert (asked["apiVersion"], asked["kind"]) == (api_version, "ExecCredential")
            assert asked["spec"]["interactive"] is False
            assert asked["spec"]["cluster"] == {"server": server.url, "certificate-authority-data": data(CA)}
        assert (tmp_path / "given").read_text() == "get-token hello\n"

    asyncio.run(run())


def test_a_plugin_hands_out_a_certificate(tmp_path: Path) -> None:
    pems = {"clientCertificateData": CERTIFICATE.decode(), "clientKeyData": KEY.decode()}
    command = str(program(tmp_path, answer(**pems)))

    async def run() -> None:
        async with server_with_tls(mutual=True) as server:
            assert await shown(server, tmp_path, exec_user(command)) == ""

    asyncio.run(run())


@pytest.mark.parametrize(("minutes", "runs"), [(60, 1), (0, 2), (None, 1)])
def test_a_plugin_is_asked_again_when_what_it_gave_expires(tmp_path: Path, minutes: int | None, runs: int) -> None:
    expiry = None if minutes is None else (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    access_to = exec_user(str(program(tmp_path, answer(token="t", expirationTimestamp=expiry))))
    access = load_kubeconfig([write(tmp_path, config({"server": "https://api.example"}, access_to))])
    now = [0.0]
    access.credentials._clock = lambda: now[0]

    async def run() -> None:
        await access.credentials.current()
        now[0] += 5.0
        await access.credentials.current()

    asyncio.run(run())
    assert (tmp_path / "runs").read_text().count("run") == runs


def test_an_answer_401_asks_the_plugin_once_more(tmp_path: Path) -> None:
    program(tmp_path, answer(token="old"))

    async def run() -> None:
        async with server_with_tls() as server:
            plain = config({"server": server.url, "certificate-authority-data": data(CA)}, exec_user("./plugin"))
            async with Client(load_kubeconfig([write(tmp_path, plain)]), HASTY_CLIENT) as client:
                await client.get("/api/v1/services")
                server.tokens = {"Bearer new"}
                (tmp_path / "answer").write_text(json.dumps(answer(token="new")))
                await asyncio.gather(*(client.get("/api/v1/services") for _ in range(10)))
                assert (tmp_path / "runs").read_text().count("run") == 2
                server.tokens = set()
                with pytest.raises(UnauthorizedError):
                    await client.get("/api/v1/services")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("so sorry", "answered no ExecCredential"),
        (json.dumps(answer("client.authentication.k8s.io/v1alpha1", token="t")), "it was asked for"),
        (json.dumps(answer()), "neither a token nor a certificate"),
        (json.dumps(answer(clientCertificateData="c")), "neither a token nor a certificate"),
        (json.dumps(answer(token="a\nb")), "holds characters"),
    ],
)
def test_a_plugin_that_answers_nonsense_is_named(tmp_path: Path, output: str, said: str) -> None:
    command = str(program(tmp_path, {}))
    (tmp_path / "answer").write_text(output)
    access = load_kubeconfig([write(tmp_path, config({"server": "https://api.example"}, exec_user(command)))])
    with pytest.raises(ConfigError, match=said):
        asyncio.run(access.credentials.current())


@pytest.mark.parametrize(("command", "said"), [("./missing", "install it.*first"), ("false", "status 1")])
def test_a_plugin_that_fails_is_named(tmp_path: Path, command: str, said: str) -> None:
    user = exec_user(command, installHint="install it\nfirst" if "/" in command else "")
    access = load_kubeconfig([write(tmp_path, config({"server": "https://api.example"}, user))])
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        asyncio.run(access.credentials.current())


def test_credentials_never_show_themselves() -> None:
    credential = Credential("Bearer secret", key=b"secret")
    assert "secret" not in f"{credential!r} {credential}"


# --- whom we trust


@pytest.mark.parametrize(
    ("cluster", "is_trusted"),
    [
        ({"certificate-authority-data": data(CA)}, True),
        ({"certificate-authority": "ca.crt", "certificate-authority-data": None}, True),
        ({"certificate-authority-data": None}, False),
        ({"certificate-authority-data": data(trustme.CA().cert_pem.bytes())}, False),
        ({"certificate-authority-data": None, "insecure-skip-tls-verify": True}, True),
        ({"tls-server-name": "other.example"}, False),
    ],
)
def test_a_server_has_to_prove_who_it_is(tmp_path: Path, cluster: dict[str, Any], is_trusted: bool) -> None:
    (tmp_path / "ca.crt").write_bytes(CA)

    async def run() -> None:
        async with server_with_tls() as server:
            if is_trusted:
                await shown(server, tmp_path, {"token": "secret"}, **cluster)
            else:
                with pytest.raises(UnreachableError):
                    await shown(server, tmp_path, {"token": "secret"}, **cluster)
                assert server.requests == []

    asyncio.run(run())


def test_a_server_may_prove_itself_under_another_name(tmp_path: Path) -> None:
    async def run() -> None:
        async with server_with_tls(NAMED) as server:
            await shown(server, tmp_path, {}, **{"tls-server-name": "api.example"})
            with pytest.raises(UnreachableError):
                await shown(server, tmp_path, {})

    asyncio.run(run())


def test_requests_go_through_the_proxy_that_is_named(tmp_path: Path) -> None:
    async def run() -> None:
        proxy = ApiServer()
        async with proxy.running():
            plain = config({"server": "http://api.invalid", "proxy-url": proxy.url}, {})
            access = load_kubeconfig([write(tmp_path, plain)])
            async with Client(access, HASTY_CLIENT) as client:
                await client.get("/api/v1/services")
        assert proxy.headers[-1]["Host"] == "api.invalid"

    asyncio.run(run())


def test_the_proxy_of_the_environment_is_taken_where_the_kubeconfig_names_none(tmp_path: Path) -> None:
    environment = {"HTTPS_PROXY": "http://proxy.example"}
    file = str(write(tmp_path, config({"server": "https://api.example"}, {})))
    assert find_access(file, "", environment).proxy == "http://proxy.example"
    assert find_access("", "https://api.example", environment).proxy == "http://proxy.example"
    assert find_access("", "", {**environment, "KUBECONFIG": file}).proxy == "http://proxy.example"
    assert find_access(file, "", {**environment, "NO_PROXY": ".example"}).proxy == ""
    named = str(
        write(tmp_path, config({"server": "https://api.example", "proxy-url": "http://named.example"}, {}), "named")
    )
    assert find_access(named, "", environment).proxy == "http://named.example"


# --- which files say so


def test_several_files_are_joined_and_the_first_decides(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "token").write_text("of the second")
    first = {
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me", "namespace": "shop"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://first.example/prefix/"}}],
        "users": None,
    }
    second = config({"server": "https://second.example"}, {"tokenFile": "token"})
    access = load_kubeconfig([write(tmp_path, first), write(other, second)])
    assert access.server == "https://first.example/prefix"
    assert access.namespace == "shop"
    assert asyncio.run(access.credentials.current()).authorization == "Bearer of the second"


def test_another_context_than_the_current_one_can_be_named(tmp_path: Path) -> None:
    plain = config({"server": "https://api.example"}, {"token": "mine"})
    plain["contexts"].append({"name": "there", "context": {"cluster": "one", "namespace": "shop"}})
    access = load_kubeconfig([write(tmp_path, plain)], "there")
    assert access.namespace == "shop"
    assert asyncio.run(access.credentials.current()).authorization == ""


def test_the_variable_kubeconfig_names_files_of_which_some_may_be_missing(tmp_path: Path) -> None:
    file = write(tmp_path, config({"server": "https://api.example"}, {}))
    environment = {"KUBECONFIG": f"{tmp_path}/missing{os.pathsep}{file}"}
    assert find_access("", "", environment).server == "https://api.example"
    assert find_access("", "other.example:8001", environment).server == "http://other.example:8001"
    assert find_access(str(file), "https://other.example", {}).server == "https://other.example"
    with pytest.raises(ConfigError, match="missing cannot be read"):
        find_access("", "", {"KUBECONFIG": f"{tmp_path}/missing"})


def test_a_flag_says_whom_to_trust_about_the_server_that_another_flag_names(tmp_path: Path) -> None:
    file = write(tmp_path, config({"server": "https://api.example", "insecure-skip-tls-verify": True}, {}))
    for access in (
        find_access("", "https://other.example", {}, authority="/ca.crt"),
        find_access(str(file), "", {}, authority="/ca.crt"),
    ):
        assert access.trust.ca_file == Path("/ca.crt")


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({}, "no current-context"),
        ({"current-context": "nowhere"}, "context 'nowhere' is not there"),
        (config({}, {}), "cluster 'one' names no server"),
        (config({"server": "ftp://api.example"}, {}), "is not the URL"),
        (config({"server": "https://a", "proxy-url": "socks5://p"}, {}), "only http and https proxies"),
        (config({"server": "https://a"}, {}, {"user": "nobody"}), "user 'nobody' is not there"),
        (config({"server": "https://a"}, {}, {"cluster": "none"}), "cluster 'none' is not there"),
        (config({"server": 7}, {}), "is no kubeconfig"),
        (config({"server": "https://a", "certificate-authority-data": "%"}, {}), "is not base64"),
        (config({"server": "https://a"}, {"client-certificate-data": data(CERTIFICATE)}), "needs its key"),
        (config({"server": "https://a"}, {"auth-provider": {"name": "oidc"}}), "credential plugin"),
        (config({"server": "https://a"}, exec_user("x", apiVersion="v1alpha1")), "v1alpha1 are not known"),
        (config({"server": "https://a"}, exec_user("x", interactiveMode="Always")), "wants a terminal"),
        (config({"server": "https://a"}, {"as": "x", "as-groups": ["a", "b"]}), "are not carried out"),
        (config({"server": "https://a"}, {"token": "a\nb"}), "holds characters"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_a_reason(tmp_path: Path, plain: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_kubeconfig([write(tmp_path, plain)])


def test_an_impersonation_is_said_to_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        async with server_with_tls() as server:
            await shown(server, tmp_path, {"as": "someone", "as-uid": "7", "as-groups": ["crowd"]})
            said = {name: value for name, value in server.headers[-1].items() if name.startswith("Impersonate")}
            assert said == {"Impersonate-User": "someone", "Impersonate-Uid": "7", "Impersonate-Group": "crowd"}

    asyncio.run(run())


# --- inside of a pod


def service_account(folder: Path) -> None:
    (folder / "token").write_text("first")
    (folder / "namespace").write_text("gate")
    (folder / "ca.crt").write_bytes(CA)


def test_a_pod_uses_its_service_account_and_a_rotated_token_at_once_when_refused(tmp_path: Path) -> None:
    service_account(tmp_path)

    async def run() -> None:
        async with server_with_tls() as server:
            host, port = server.url.removeprefix("https://").split(":")
            access = in_cluster({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}, tmp_path)
            assert access.namespace == "gate"
            server.tokens = {"Bearer first"}
            async with Client(access, HASTY_CLIENT) as client:
                await client.get("/api/v1/services")
                server.tokens = {"Bearer second"}
                (tmp_path / "token").write_text("second\n")
                await client.get("/api/v1/services")

    asyncio.run(run())


def test_a_rotated_token_is_read_again_after_a_minute(tmp_path: Path) -> None:
    service_account(tmp_path)
    credentials = in_cluster({"KUBERNETES_SERVICE_HOST": "::1"}, tmp_path).credentials
    now = [0.0]
    credentials._clock = lambda: now[0]

    async def run() -> list[str]:
        shown = []
        for seconds in (0, 59, 2):
            now[0] += seconds
            shown.append((await credentials.current()).authorization)
            (tmp_path / "token").write_text("second")
        return shown

    assert asyncio.run(run()) == ["Bearer first", "Bearer first", "Bearer second"]


def test_an_address_of_ipv6_gets_its_brackets(tmp_path: Path) -> None:
    service_account(tmp_path)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert in_cluster(environment, tmp_path).server == "https://[fd00::1]:6443"


@pytest.mark.parametrize(
    ("environment", "said"),
    [({}, "this is no pod"), ({"KUBERNETES_SERVICE_HOST": "x"}, "automountServiceAccountToken")],
)
def test_outside_of_a_pod_it_is_said_what_is_missing(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        in_cluster(environment, tmp_path)
