"""A cluster of an API server and controllers, as kubectl sees it, and on an API server that is not the lab's own."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sevengate.cluster.kubeconfig import load_kubeconfig
from sevengate.cluster.resources import ENDPOINT_SLICES, PODS, SERVICES
from sevengate.lab.addresses import LOOPBACK
from sevengate.lab.apiserver.running import serving_api
from sevengate.lab.cluster import controlling
from sevengate.lab.resources import DEPLOYMENTS, REPLICA_SETS
from sevengate.lab.workplace import workplace
from tests.lab.clients import access_to
from tests.lab.controllers.clusters import Cluster, StandIn, cluster, in_cluster, workload
from tests.lab.kubectl import Kubectl, in_order
from tests.waiting import until


def test_kubectl_follows_pauses_restarts_and_undoes_roll_outs(tmp_path: Path) -> None:
    @in_cluster
    async def scenario(one: Cluster) -> None:
        await one.nodes("node01", "node02")
        kubectl = await asyncio.to_thread(Kubectl, one.running.kubeconfig(), tmp_path, "shop")

        async def must(line: str) -> str:
            return await asyncio.to_thread(kubectl.must, line)

        await must("create deployment web --image=nginx:1.25 --replicas=3")
        in_order(await must("rollout status deployment web --timeout=30s"), ['"web" successfully rolled out'])
        await must("set image deployment web nginx=nginx:1.26")
        await must("rollout status deployment web --timeout=30s")
        await must("annotate deployment web kubernetes.io/change-cause=newer")
        await until(lambda: "newer" in str(one.all(DEPLOYMENTS, "shop")))
        in_order(await must("rollout history deployment web"), ["REVISION", "1", "2"])
        await must("rollout undo deployment web")
        await must("rollout status deployment web --timeout=30s")
        in_order(await must("get deployment web -o wide"), ["READY", "3/3", "nginx:1.25"])
        await must("rollout pause deployment web")
        await must("set image deployment web nginx=nginx:1.27")
        await must("rollout resume deployment web")
        await must("rollout restart deployment web")
        await must("rollout status deployment web --timeout=30s")
        pods = one.all(PODS, "shop").values()
        live = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        assert [pod["spec"]["containers"][0]["image"] for pod in live] == ["nginx:1.27"] * 3
        assert all("kubectl.kubernetes.io/restartedAt" in pod["metadata"]["annotations"] for pod in live)
        await must("expose deployment web --port=80")
        await must("wait --for=condition=Available deployment/web --timeout=30s")
        await until(lambda: len(one.all(ENDPOINT_SLICES, "shop")) == 1)
        in_order(await must("describe deployment web"), ["3 available", "Progressing", "ScalingReplicaSet"])

    scenario()


def test_it_works_on_an_api_server_that_is_not_the_labs_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "kubeconfig"
        serving = [sys.executable, "-m", "sevengate", "lab", "up", "--api-only", "--folder", str(tmp_path)]
        process = await asyncio.create_subprocess_exec(*serving, stdout=asyncio.subprocess.DEVNULL, env=os.environ)
        try:
            await until(path.is_file, 60)
            access = load_kubeconfig([path])
            async with workplace(access, LOOPBACK) as work, controlling(work):
                standing_in = asyncio.create_task(StandIn(work).reconciler.run())
                await work.mirrors.synced()
                deployments, slices = work.mirrors.of(DEPLOYMENTS), work.mirrors.of(ENDPOINT_SLICES)
                node = {"metadata": {"name": "node01"}}
                await work.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node})
                web = workload("Deployment", "web", 2)
                await work.writer.create(DEPLOYMENTS, {**web, "metadata": {"name": "web", "namespace": "default"}})
                metadata = {"name": "web", "namespace": "default"}
                spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
                await work.writer.create(SERVICES, {"metadata": metadata, "spec": spec})
                await until(
                    lambda: (deployments.objects["default/web"].get("status") or {}).get("availableReplicas") == 2
                )
                await until(lambda: 2 in [len(each.get("endpoints") or ()) for each in slices.objects.values()])
                standing_in.cancel()
                await asyncio.gather(standing_in, return_exceptions=True)
        finally:
            process.terminate()
            await process.wait()

    asyncio.run(scenario())


def test_controllers_that_a_cluster_has_already_are_left_out() -> None:
    async def scenario() -> None:
        async with serving_api() as running, cluster(running, without=("deployments", "scheduler")) as one:
            await one.nodes("node01")
            await one.create(DEPLOYMENTS, workload("Deployment", "web", 1))
            made = workload("ReplicaSet", "alone", 1)
            await one.create(REPLICA_SETS, made)
            await until(lambda: len(one.all(PODS)) == 1)
            [pod] = one.all(PODS).values()
            assert pod["metadata"]["ownerReferences"][0]["name"] == "alone"
            assert "nodeName" not in pod["spec"]

    asyncio.run(scenario())


def test_a_controller_that_there_is_not_cannot_be_left_out() -> None:
    async def scenario() -> None:
        async with serving_api() as running, workplace(access_to(running), LOOPBACK) as work:
            with pytest.raises(KeyError, match="typo"):
                async with controlling(work, ["typo"]):
                    pass

    asyncio.run(scenario())


def test_controllers_that_start_anew_make_nothing_twice() -> None:
    async def scenario() -> None:
        async with serving_api() as running:
            async with cluster(running) as one:
                await one.nodes("node01")
                await one.create(DEPLOYMENTS, workload("Deployment", "web", 3))
                await until(lambda: one.status(DEPLOYMENTS, "web").get("availableReplicas") == 3)
            before = running.storage.items(("", "pods"))
            async with cluster(running) as one:
                await one.merge(DEPLOYMENTS, "web", {"metadata": {"labels": {"touched": "yes"}}})
                await one.create(DEPLOYMENTS, workload("Deployment", "other", 1))
                await until(lambda: one.status(DEPLOYMENTS, "other").get("availableReplicas") == 1)
            after = {each.object["metadata"]["name"] for each in running.storage.items(("", "pods"))}
            assert {each.object["metadata"]["name"] for each in before} < after
            assert len(after) == 4

    asyncio.run(scenario())
