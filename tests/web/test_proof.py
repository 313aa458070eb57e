"""Which certificate a server shows: always the newest, and never half of one."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sevengate.cluster.authority import Authority, Pair
from sevengate.web.proof import Proof

AUTHORITY = Authority()


def with_server(proof: Proof, scenario: Callable[[Callable[[], Awaitable[bytes]]], Awaitable[None]]) -> None:
    """Listen with a proof; the scenario gets what connects and gives the certificate that it was shown."""

    async def run() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=proof.context)
        trust = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())

        async def shown() -> bytes:
            port = server.sockets[0].getsockname()[1]
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="hook.default.svc")
            certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            return certificate

        async with server:
            await scenario(shown)

    asyncio.run(run())


def pair() -> Pair:
    return AUTHORITY.server(["hook.default.svc"])


def der(one: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(one.certificate.decode())


def test_nothing_is_shown_at_first_and_the_newest_pair_from_then_on() -> None:
    proof = Proof()

    async def scenario(shown: Callable[[], Awaitable[bytes]]) -> None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shown()
        for one in (pair(), pair()):
            proof.show(one)
            assert await shown() == der(one)
        with pytest.raises(ssl.SSLError):
            proof.show(Pair(pair().certificate, pair().key))
        assert await shown() == der(one)

    with_server(proof, scenario)


def test_files_are_read_again_when_they_change_and_kept_while_they_are_half_written(tmp_path: Path) -> None:
    proof = Proof()
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def write(one: Pair) -> None:
        for path, text in ((certificate, one.certificate), (key, one.key)):
            new = tmp_path / "new"
            new.write_bytes(text)
            os.replace(new, path)  # noqa: PTH105 - as the kubelet swaps them

    first, second = pair(), pair()
    write(first)
    proof.follow(certificate, key)

    async def scenario(shown: Callable[[], Awaitable[bytes]]) -> None:
        assert await shown() == der(first)
        certificate.write_bytes(b"-----BEGIN")
        assert await shown() == der(first)
        key.unlink()
        assert await shown() == der(first)
        write(second)
        assert await shown() == der(second)

    with_server(proof, scenario)


def test_files_that_are_of_no_use_at_the_start_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_bytes(pair().certificate)
    (tmp_path / "tls.key").write_bytes(pair().key)
    with pytest.raises(ssl.SSLError):
        Proof().follow(tmp_path / "tls.crt", tmp_path / "tls.key")
    with pytest.raises(OSError, match="none"):
        Proof().follow(tmp_path / "tls.crt", tmp_path / "none")
