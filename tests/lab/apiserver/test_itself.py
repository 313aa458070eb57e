import asyncio
import ssl

from cryptography import x509

from sevengate.lab.addresses import LOOPBACK
from tests.lab.apiserver.serving import Lab, in_lab


@in_lab
async def test_pods_find_the_server_by_a_service(lab: Lab) -> None:
    service = (await lab.get("/api/v1/namespaces/default/services/kubernetes")).body["spec"]
    assert service["clusterIP"] == next(LOOPBACK.service_addresses())
    address, _, port = lab.running.url.removeprefix("https://").partition(":")
    sliced = (await lab.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")).body
    assert [one["addresses"] for one in sliced["endpoints"]] == [[address]]
    assert [one["port"] for one in sliced["ports"]] == [int(port)] == [service["ports"][0]["targetPort"]]
    old = (await lab.get("/api/v1/namespaces/default/endpoints/kubernetes")).body["subsets"]
    assert old[0]["addresses"] == [{"ip": address}]


@in_lab
async def test_the_servers_certificate_holds_the_services_address(lab: Lab) -> None:
    address, _, port = lab.running.url.removeprefix("https://").partition(":")
    pem = await asyncio.to_thread(ssl.get_server_certificate, (address, int(port)), timeout=20)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert next(LOOPBACK.service_addresses()) in map(str, names.get_values_for_type(x509.IPAddress))
