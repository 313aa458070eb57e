from sevengate.cluster.resources import CONFIG_MAPS, NAMESPACES
from sevengate.lab.resources import SERVICE_ACCOUNTS
from tests.lab.controllers.clusters import Cluster, in_cluster
from tests.waiting import until


@in_cluster
async def test_every_namespace_has_an_account_and_the_servers_certificate(one: Cluster) -> None:
    roots = one.work.mirrors.of(CONFIG_MAPS).objects
    accounts = one.work.mirrors.of(SERVICE_ACCOUNTS).objects
    await one.create(NAMESPACES, {"metadata": {"name": "shop"}})
    for name in ("default", "kube-system", "shop"):
        await until(lambda: f"{name}/kube-root-ca.crt" in roots and f"{name}/default" in accounts)  # noqa: B023
    assert roots["shop/kube-root-ca.crt"]["data"]["ca.crt"] == one.running.authority.decode()


@in_cluster
async def test_what_somebody_deletes_or_changes_comes_back(one: Cluster) -> None:
    roots = one.work.mirrors.of(CONFIG_MAPS).objects
    accounts = one.work.mirrors.of(SERVICE_ACCOUNTS).objects
    await until(lambda: "default/kube-root-ca.crt" in roots and "default/default" in accounts)
    before = accounts["default/default"]
    await one.work.writer.delete(SERVICE_ACCOUNTS, before)
    await until(lambda: accounts.get("default/default", before)["metadata"]["uid"] != before["metadata"]["uid"])
    await one.merge(CONFIG_MAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
    await until(lambda: roots["default/kube-root-ca.crt"]["data"]["ca.crt"] == one.running.authority.decode())
