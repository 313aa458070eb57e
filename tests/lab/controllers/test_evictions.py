from sevengate.cluster.resources import NODES, PODS
from tests.lab.controllers.clusters import Cluster, in_cluster, pod
from tests.waiting import until

FULL = {"spec": {"taints": [{"key": "full", "effect": "NoExecute"}]}}


@in_cluster
async def test_a_taint_sends_pods_away_that_do_not_tolerate_it(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(PODS, pod("goes"))
    await one.create(
        PODS, pod("goes-soon", tolerations=[{"key": "full", "operator": "Exists", "tolerationSeconds": 1}])
    )
    await one.create(PODS, pod("stays", tolerations=[{"key": "full", "operator": "Exists"}]))
    await until(lambda: all(one.status(PODS, name).get("phase") == "Running" for name in one.all(PODS)))
    await one.merge(NODES, "node01", FULL)
    await until(lambda: set(one.all(PODS)) == {"stays"})


@in_cluster(kubelets=False)
async def test_pods_whose_node_is_gone_go_without_a_kubelet(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(PODS, pod("web"))
    await until(lambda: one.all(PODS)["web"]["spec"].get("nodeName") == "node01")
    await one.work.writer.delete(NODES, one.all(NODES)["node01"])
    await until(lambda: not one.all(PODS))


@in_cluster(kubelets=False)
async def test_a_pod_of_a_node_that_is_there_waits_for_its_kubelet(one: Cluster) -> None:
    await one.nodes("node01", "node02")
    for name, node in {"waits": "node01", "goes": "node02"}.items():
        await one.create(PODS, pod(name, nodeName=node))
    await one.work.writer.delete(PODS, one.all(PODS)["waits"])
    await one.work.writer.delete(NODES, one.all(NODES)["node02"])
    await until(lambda: set(one.all(PODS)) == {"waits"})
