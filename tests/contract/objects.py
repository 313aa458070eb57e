"""Objects that any API server takes; addresses are those of RFC 5737, for loopback is no endpoint to a real one."""

import base64
from typing import Any

from sevengate.nginx.selfsigned import self_signed
from tests.cluster import making
from tests.contract.clusters import Plain

#: No controller but the one under test shall feel concerned.
CLASS = "sevengate-contract"


def ingress(name: str, **spec: Any) -> Plain:
    return making.ingress(name, ingressClassName=CLASS, **spec)


def service(name: str, port: int = 80) -> Plain:
    return making.service(name, ports=[{"port": port}])


def endpoint_slice(service_name: str, *addresses: str, port: int = 8080) -> Plain:
    return making.endpoint_slice(service_name, *addresses or ("192.0.2.1",), port=port)


def tls_secret(name: str) -> Plain:
    certificate = self_signed()
    pair = {"tls.crt": certificate.chain, "tls.key": certificate.key.pem}
    data = {field: base64.b64encode(content).decode("ascii") for field, content in pair.items()}
    return {**making.secret(name), "data": data}
