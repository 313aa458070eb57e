import pytest

from sevengate.cluster.errors import ConflictError
from sevengate.cluster.resources import CONFIG_MAPS, PODS
from tests.lab.apiserver.serving import PODS as POD_PATH
from tests.lab.apiserver.serving import Lab, in_lab, pod
from tests.lab.clients import component
from tests.waiting import until


@in_lab
async def test_a_status_is_written_where_it_differs_only(lab: Lab) -> None:
    async with component(lab.running) as (_, writer):
        made = (await lab.create(POD_PATH, pod("web"))).body
        running = await writer.merge_status(PODS, made, {"phase": "Running", "podIP": "127.244.0.9"})
        assert running["status"]["phase"] == "Running"
        again = await writer.merge_status(PODS, running, {"phase": "Running"})
        assert again is running


@in_lab
async def test_replacing_an_outdated_object_is_refused(lab: Lab) -> None:
    async with component(lab.running) as (_, writer):
        made = await writer.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
        await writer.replace(CONFIG_MAPS, {**made, "data": {"word": "one"}})
        with pytest.raises(ConflictError):
            await writer.replace(CONFIG_MAPS, {**made, "data": {"word": "two"}})


@in_lab
async def test_deleting_keeps_to_grace_and_to_the_object_that_was_meant(lab: Lab) -> None:
    async with component(lab.running) as (mirrors, writer):
        pods = mirrors.of(PODS)
        await mirrors.synced()
        made = await writer.create(
            PODS, {**pod("web", node="node01"), "metadata": {"name": "web", "namespace": "default"}}
        )
        await writer.delete(PODS, made, grace=5)
        assert pods.objects["default/web"]["metadata"]["deletionGracePeriodSeconds"] == 5
        await writer.delete(PODS, made, grace=0)
        assert pods.objects == {}
        await writer.delete(PODS, made)
        await lab.create(POD_PATH, pod("web"))
        with pytest.raises(ConflictError):
            await writer.delete(PODS, made)
        await until(lambda: "default/web" in pods.objects)


@in_lab
async def test_a_pod_is_bound_by_a_message_to_its_subresource(lab: Lab) -> None:
    async with component(lab.running) as (mirrors, writer):
        pods = mirrors.of(PODS)
        made = (await lab.create(POD_PATH, pod("web"))).body
        target = {"apiVersion": "v1", "kind": "Node", "name": "node02"}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"}, "target": target}
        await writer.post(PODS, made, "binding", binding)
        await until(lambda: pods.objects and pods.objects["default/web"]["spec"].get("nodeName") == "node02")


@in_lab
async def test_what_has_changed_since_it_was_read_can_be_spared(lab: Lab) -> None:
    async with component(lab.running) as (_, writer):
        made = await writer.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
        changed = await writer.merge(CONFIG_MAPS, made, {"data": {"word": "one"}})
        with pytest.raises(ConflictError):
            await writer.delete_unchanged(CONFIG_MAPS, made)
        await writer.delete_unchanged(CONFIG_MAPS, changed)
        assert not await writer.uid_of(CONFIG_MAPS, "a", "default")
