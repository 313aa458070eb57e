"""Clients speak HTTP/2 over TLS, backends HTTP/1.1."""

import json
import subprocess
from typing import Any

import pytest

from tests.backends import EchoBackends
from tests.features.cluster import HOST, Cluster


class Curl:
    """What curl said."""

    def __init__(self, cluster: Cluster, *arguments: str, target: str = "/") -> None:
        port = cluster.gate.https_port
        told = subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--insecure", "--max-time", "30"),
                *("--write-out", "\n%{http_version} %{http_code}", "--connect-to", f"{HOST}:443:127.0.0.1:{port}"),
                *arguments,
                f"https://{HOST}{target}",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.body, _, last = told.rpartition("\n")
        self.version, self.status = last.split(" ")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(autouse=True)
def _echo(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("shop"))


def test_a_client_that_offers_http2_gets_it(cluster: Cluster) -> None:
    answer = Curl(cluster, "--http2", target="/a%2Fb?x=1")
    assert (answer.version, answer.status) == ("2", "200")
    assert (answer.json["version"], answer.json["target"]) == ("1.1", "/a%2Fb?x=1")


def test_the_authority_is_the_host(cluster: Cluster) -> None:
    headers = dict(Curl(cluster, "--http2").json["headers"])
    assert headers["Host"] == headers["X-Forwarded-Host"] == HOST


def test_a_client_that_does_not_gets_http_1_1(cluster: Cluster) -> None:
    assert Curl(cluster, "--http1.1").version == "1.1"


def test_bodies_come_through_whole(cluster: Cluster) -> None:
    answer = Curl(cluster, "--http2", "--data-binary", "x" * 50_000)
    assert answer.json["body"] == "x" * 50_000


def test_http2_can_be_switched_off(cluster: Cluster) -> None:
    applied = cluster.configure({"use-http2": "false"})
    assert applied.reasons == ("setting use-http2 changed",)
    assert Curl(cluster, "--http2").version == "1.1"


def test_redirects_and_refusals_speak_http2_too(cluster: Cluster, backends: EchoBackends) -> None:
    cluster.serve(backends.start("other"), annotations={"whitelist-source-range": "10.0.0.0/8"})
    refused = Curl(cluster, "--http2")
    assert (refused.version, refused.status) == ("2", "403")
    cluster.serve(backends.start("another"), annotations={"temporal-redirect": "https://new.example$request_uri"})
    moved = Curl(cluster, "--http2", "--output", "/dev/null", "--dump-header", "-", target="/a?b=1")
    assert "location: https://new.example/a?b=1" in moved.body.lower()
