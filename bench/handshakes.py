"""Question (e): what a TLS handshake costs with 10,000 certificates, against stock NGINX with one of the same kind.

The client is Python's ssl on the same CPU, one handshake after another, for a new name each: it is slower than NGINX,
so what is compared is the CPU time of the worker, and handshakes a second are what one CPU would give to that worker.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.answers import Answer, Bar, Figure
from bench.cluster import host_name
from bench.gates import worker
from bench.gauges import cpu_seconds, interleaved, memory, on_one_cpu, ratios
from bench.peers import LOOPBACK, free_ports, stock_nginx
from bench.scale import Scale
from sevengate.nginx.live import live
from sevengate.routing.table import Certificate, PrivateKey, RoutingTable
from sevengate.settings import Settings

QUESTION: Final = (
    "TLS handshakes of one worker with 10,000 certificates, without resumption, spread over all names, against stock "
    "NGINX with one certificate of the same kind and the same TLS settings: from the CPU time of the worker. Cold is "
    "the first handshake for each name, at which its certificate is parsed; warm is every further one."
)
SETTINGS: Final = Settings(worker_processes=1, disable_access_log=True)

_TLS: Final = f"""
    ssl_protocols {" ".join(SETTINGS.ssl_protocols)};
    ssl_ciphers {SETTINGS.ssl_ciphers};
    ssl_prefer_server_ciphers on;
    ssl_session_cache shared:SSL:{SETTINGS.ssl_session_cache_size};
    ssl_session_tickets off;
    ssl_buffer_size 4k;
"""
#: Prime, so that turns reach every name once.
_STRIDE: Final = 7919

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
#: Makes a number of handshakes and gives the CPU seconds of one in the worker.
Measure = Callable[[int], float]


def answer(scale: Scale) -> Answer:
    """Measure both kinds of keys."""
    rsa_key = rsa.generate_private_key(65537, 2048)
    kinds: dict[str, Callable[[], Key]] = {
        "ECDSA P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RSA-2048": lambda: rsa_key,
    }
    with on_one_cpu():
        figures = [figure for name, key in kinds.items() for figure in _compare(name, key, scale)]
    notes = (
        f"Median of {scale.rounds} interleaved rounds of {scale.handshakes:,} handshakes of TLS 1.3, ratio by pair.",
        "All processes are on one CPU. The client waits for the end of each handshake before it begins the next.",
        "All RSA certificates have one key, because 10,000 would take an hour to make; each is parsed on its own.",
    )
    return Answer(tuple(figures), notes)


def _compare(kind: str, new_key: Callable[[], Key], scale: Scale) -> Iterator[Figure]:
    with ExitStack() as stack:
        certificates = [_certificate(host_name(number), new_key()) for number in range(scale.hosts)]
        stock = stack.enter_context(_stock(certificates[0]))
        ours, pid = stack.enter_context(_ours(certificates))
        cold = ours(scale.hosts)
        resident = memory(pid)["Rss"]
        measures = {"stock": partial(stock, scale.handshakes), "ours": partial(ours, scale.handshakes)}
        taken = interleaved(scale.rounds, measures)
    costs = {name: median(values) for name, values in taken.items()}
    yield Figure.of(
        f"{kind}: handshakes/s, warm / stock", ratios(taken["stock"], taken["ours"]), "", Bar(0.9, at_least=True)
    )
    yield Figure(f"{kind}: handshakes/s, cold / stock", costs["stock"] / cold)
    for name, seconds in (("stock", costs["stock"]), ("warm", costs["ours"]), ("cold", cold)):
        yield Figure(f"{kind}: CPU per handshake, {name}", seconds * 1e6, "µs")
        yield Figure(f"{kind}: handshakes/s, {name}", round(1 / seconds))
    yield Figure(f"{kind}: worker with all certificates parsed, resident", resident, "MiB")


@contextmanager
def _stock(certificate: Certificate) -> Iterator[Measure]:
    [port] = free_ports(1)
    with TemporaryDirectory(prefix="sevengate-bench-") as folder:
        chain, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        chain.write_bytes(certificate.chain)
        key.write_bytes(certificate.key.pem)
        files = f"ssl_certificate {chain}; ssl_certificate_key {key};"
        server = f"server {{ listen {LOOPBACK}:{port} ssl reuseport backlog=4096; {files} return 200; }}"
        with stock_nginx(_TLS + server) as pid:
            yield _client(pid, port, certificate.names)


@contextmanager
def _ours(certificates: Sequence[Certificate]) -> Iterator[tuple[Measure, int]]:
    table = RoutingTable(
        certificates={certificate.name: certificate for certificate in certificates},
        server_names={certificate.names[0]: certificate.name for certificate in certificates},
    )
    with live(table, SETTINGS) as gate:
        pid = worker(gate)
        yield _client(pid, gate.https_port, list(table.server_names)), pid


def _client(pid: int, port: int, names: Sequence[str]) -> Measure:
    turns = count()

    def measure(number: int) -> float:
        before = cpu_seconds(pid)
        _shake_hands(port, (names[next(turns) * _STRIDE % len(names)] for _ in range(number)))
        return (cpu_seconds(pid) - before) / number

    return measure


def _shake_hands(port: int, names: Iterable[str]) -> None:
    context = ssl.create_default_context()
    # The certificates are their own issuers, and what the client does about that costs the server nothing.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in names:
        with socket.create_connection((LOOPBACK, port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(connection, server_hostname=name) as tls, suppress(OSError):
                # The server's last step follows the client's, so the client waits for the server's farewell.
                tls.unwrap()


def _certificate(name: str, key: Key) -> Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = PrivateKey(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Certificate(f"bench/{name}", certificate.public_bytes(Encoding.PEM), key_pem, (name,))
