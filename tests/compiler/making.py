"""Short ways to write Kubernetes objects for the compiler's tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sevengate.kube.objects import (
    AnyObject,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTLS,
    Metadata,
    PathType,
    Secret,
    SecretData,
    Service,
    ServicePort,
    ServicePortRef,
    ServiceRef,
)
from sevengate.kube.snapshot import Snapshot

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
PREFIX: Final = "nginx.ingress.kubernetes.io"
OUR_CLASS: Final = IngressClass(Metadata("nginx"), controller="k8s.io/ingress-nginx")


def backend(service: str = "shop", port: int | str = 80) -> IngressBackend:
    ref = ServicePortRef(number=port) if isinstance(port, int) else ServicePortRef(name=port)
    return IngressBackend(ServiceRef(service, ref))


def path(text: str = "/", service: str = "shop", kind: PathType = PathType.PREFIX) -> IngressPath:
    return IngressPath(backend(service), text, kind)


def rule(host: str, *paths: IngressPath) -> IngressRule:
    return IngressRule(host, paths or (path(),))


def ingress(
    name: str,
    *rules: IngressRule,
    annotations: Mapping[str, str] | None = None,
    created: str = "",
    tls: tuple[IngressTLS, ...] = (),
) -> Ingress:
    prefixed = {f"{PREFIX}/{key}": value for key, value in (annotations or {}).items()}
    metadata = Metadata(name, "default", creation_timestamp=created, annotations=prefixed)
    return Ingress(metadata, ingress_class_name="nginx", rules=rules, tls=tls)


def service(name: str = "shop", *ports: ServicePort, cluster_ip: str = "10.96.0.1") -> Service:
    return Service(
        Metadata(name, "default"), cluster_ip=cluster_ip, ports=ports or (ServicePort(80, target_port=8080),)
    )


def endpoint_slice(of: str = "shop", *addresses: str) -> EndpointSlice:
    endpoints = tuple(Endpoint((address,)) for address in addresses or ("10.0.0.1",))
    return EndpointSlice(Metadata(f"{of}-1", "default"), service=of, endpoints=endpoints, ports=(EndpointPort(8080),))


def snapshot(*objects: AnyObject) -> Snapshot:
    return Snapshot().after([OUR_CLASS, *objects])[0]


@cache
def key_pair(names: tuple[str, ...], from_day: int = -100, to_day: int = 100) -> tuple[bytes, bytes]:
    """Make a self-signed certificate, valid between days counted from NOW, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(NOW + from_day * DAY)
        .not_valid_after(NOW + to_day * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), key_pem


def secret(name: str, chain: bytes, key: bytes, namespace: str = "default") -> Secret:
    data = SecretData({"tls.crt": chain, "tls.key": key})
    return Secret(Metadata(name, namespace), "kubernetes.io/tls", data)
