from sevengate.cluster.resources import ENDPOINT_SLICES, SERVICES
from sevengate.lab.mirror import Object
from sevengate.lab.resources import ENDPOINTS
from tests.lab.controllers.clusters import Cluster, in_cluster
from tests.waiting import until


def service(name: str, **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 5432}], **spec}}


def endpoints(name: str, *addresses: str, **labels: str) -> Object:
    subset = {"addresses": [{"ip": one} for one in addresses], "ports": [{"port": 5432}]}
    return {"metadata": {"name": name, "labels": labels}, "subsets": [subset] if addresses else []}


def addresses(one: Cluster, name: str) -> list[str]:
    slices = [
        each
        for each in one.all(ENDPOINT_SLICES).values()
        if each["metadata"]["labels"]["kubernetes.io/service-name"] == name
    ]
    return sorted(end["addresses"][0] for each in slices for end in each.get("endpoints") or ())


@in_cluster
async def test_endpoints_that_somebody_wrote_by_hand_become_slices(one: Cluster) -> None:
    await one.create(SERVICES, service("db"))
    made = await one.create(ENDPOINTS, endpoints("db", "192.0.2.1", "192.0.2.2", "2001:db8::1"))
    await until(lambda: addresses(one, "db") == ["192.0.2.1", "192.0.2.2", "2001:db8::1"])
    families = {each["addressType"]: each["ports"] for each in one.all(ENDPOINT_SLICES).values()}
    port = {"name": "", "port": 5432, "protocol": "TCP"}
    assert {family: families[family] for family in ("IPv4", "IPv6")} == {"IPv4": [port], "IPv6": [port]}
    await one.work.writer.replace(ENDPOINTS, {**made, "subsets": endpoints("db", "192.0.2.3")["subsets"]})
    await until(lambda: addresses(one, "db") == ["192.0.2.3"])
    await one.work.writer.delete(ENDPOINTS, one.all(ENDPOINTS)["db"])
    await until(lambda: addresses(one, "db") == [])


@in_cluster
async def test_what_has_a_selector_or_asks_to_be_left_alone_is_not_mirrored(one: Cluster) -> None:
    await one.create(SERVICES, service("pods", selector={"app": "pods"}))
    await one.create(SERVICES, service("skipped"))
    await one.create(
        ENDPOINTS, endpoints("skipped", "192.0.2.1", **{"endpointslice.kubernetes.io/skip-mirror": "true"})
    )
    await one.create(ENDPOINTS, endpoints("lonely", "192.0.2.1"))
    await one.create(SERVICES, service("db"))
    await one.create(ENDPOINTS, endpoints("db", "192.0.2.1"))
    await until(lambda: addresses(one, "db") == ["192.0.2.1"])
    assert addresses(one, "skipped") == addresses(one, "lonely") == addresses(one, "pods") == []
    await one.create(SERVICES, service("lonely"))
    await until(lambda: addresses(one, "lonely") == ["192.0.2.1"])
