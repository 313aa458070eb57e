"""Watches: every change once and in order, from any revision that is known, and an honest end where it is not."""

import asyncio

import aiohttp
import pytest

from sevengate.lab.apiserver.faults import FaultRule
from tests.lab.apiserver.serving import CONFIG_MAPS, Lab, config_map, in_lab


def told(event: dict[str, object]) -> tuple[object, object]:
    thing = event["object"]
    assert isinstance(thing, dict)
    return event["type"], thing["metadata"]["name"]


@in_lab
async def test_a_watch_from_a_list_misses_nothing(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("old"))
    start = (await lab.get(CONFIG_MAPS)).version
    await lab.create(CONFIG_MAPS, config_map("new"))
    async with lab.watching(CONFIG_MAPS, resourceVersion=start) as following:
        await lab.merge(f"{CONFIG_MAPS}/new", {"data": {"x": "1"}})
        deleted = await lab.delete(f"{CONFIG_MAPS}/new")
        events = [await following() for _ in range(3)]
    assert [told(event) for event in events] == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]
    revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert revisions == sorted(set(revisions))
    assert deleted.body["status"] == "Success"


@in_lab
async def test_a_watch_without_a_revision_begins_with_what_is_there(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    async with lab.watching(CONFIG_MAPS) as following:
        assert told(await following()) == ("ADDED", "a")
        await lab.create(CONFIG_MAPS, config_map("b"))
        assert told(await following()) == ("ADDED", "b")


@in_lab
async def test_a_streamed_list_ends_with_a_marked_bookmark(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    async with lab.watching(CONFIG_MAPS, **query) as following:
        assert told(await following()) == ("ADDED", "a")
        mark = await following()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await lab.create(CONFIG_MAPS, config_map("b"))
        assert told(await following()) == ("ADDED", "b")
    refused = await lab.get(CONFIG_MAPS, watch="true", sendInitialEvents="true")
    assert refused.code == 422


@in_lab
async def test_a_watch_ends_with_a_bookmark_of_how_far_it_came_though_it_heard_nothing(lab: Lab) -> None:
    start = (await lab.get(CONFIG_MAPS)).version
    query = {"fieldSelector": "metadata.name=other", "allowWatchBookmarks": "true", "timeoutSeconds": "1"}
    async with lab.watching(CONFIG_MAPS, resourceVersion=start, **query) as following:
        made = await lab.create(CONFIG_MAPS, config_map("a"))
        mark = await following()
    assert mark["type"] == "BOOKMARK"
    assert int(mark["object"]["metadata"]["resourceVersion"]) >= int(made.version)


@in_lab
async def test_what_begins_or_ceases_to_be_selected_comes_and_goes(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    start = (await lab.get(CONFIG_MAPS)).version
    async with lab.watching(CONFIG_MAPS, resourceVersion=start, labelSelector="on=yes") as following:
        for value in ("yes", "yes", "no", "yes"):
            await lab.merge(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"on": value}}, "data": {"on": value}})
        await lab.merge(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}})
        await lab.delete(f"{CONFIG_MAPS}/a")
        events = [(await following())["type"] for _ in range(5)]
    assert events == ["ADDED", "DELETED", "ADDED", "MODIFIED", "DELETED"]


@in_lab
async def test_a_watch_of_one_namespace_or_one_name_hears_of_no_other(lab: Lab) -> None:
    start = (await lab.get(CONFIG_MAPS)).version
    await lab.create("/api/v1/namespaces/kube-system/configmaps", config_map("a"))
    await lab.create(CONFIG_MAPS, config_map("b"))
    await lab.create(CONFIG_MAPS, config_map("c"))
    async with lab.watching(CONFIG_MAPS, resourceVersion=start) as following:
        assert told(await following()) == ("ADDED", "b")
    async with lab.watching(CONFIG_MAPS, resourceVersion=start, fieldSelector="metadata.name=c") as following:
        assert told(await following()) == ("ADDED", "c")


@in_lab
async def test_a_revision_that_is_forgotten_is_gone(lab: Lab) -> None:
    start = (await lab.get(CONFIG_MAPS)).version
    await lab.create(CONFIG_MAPS, config_map("a"))
    lab.running.compact()
    gone = await lab.get(CONFIG_MAPS, watch="true", resourceVersion=start)
    assert (gone.code, gone.body["reason"]) == (410, "Expired")


@in_lab
async def test_a_watch_ends_when_its_time_is_over(lab: Lab) -> None:
    async with lab.watching(CONFIG_MAPS, timeoutSeconds="1") as following:
        with pytest.raises(StopAsyncIteration):
            await following()


@in_lab
async def test_many_watches_hear_the_same(lab: Lab) -> None:
    start = (await lab.get(CONFIG_MAPS)).version

    async def listen() -> list[tuple[object, object]]:
        async with lab.watching(CONFIG_MAPS, resourceVersion=start) as following:
            return [told(await following()) for _ in range(3)]

    listening = [asyncio.create_task(listen()) for _ in range(20)]
    for name in "abc":
        await lab.create(CONFIG_MAPS, config_map(name))
    heard = await asyncio.gather(*listening)
    assert heard == [[("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]] * 20


@in_lab
async def test_a_watch_can_be_shown_as_a_table(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    url = lab.running.url + CONFIG_MAPS
    async with lab.session.get(url, params={"watch": "true"}, headers=headers) as answer:
        line = await answer.content.readline()
    assert b'"kind":"Table"' in line


@in_lab
async def test_a_watch_can_be_cut_in_the_middle(lab: Lab) -> None:
    for name in "abc":
        await lab.create(CONFIG_MAPS, config_map(name))
    lab.running.faults.add(FaultRule(verb="watch", cut_after=2))
    heard: list[object] = []

    async def hear_all() -> None:
        async with lab.watching(CONFIG_MAPS) as following:
            while True:
                heard.append(told(await following())[1])

    with pytest.raises((aiohttp.ClientError, StopAsyncIteration, RuntimeError)):
        await hear_all()
    assert "c" not in heard
    async with lab.watching(CONFIG_MAPS) as following:
        assert [told(await following())[1] for _ in range(3)] == ["a", "b", "c"]


@in_lab
async def test_all_watches_can_be_cut_at_once(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    async with lab.watching(CONFIG_MAPS) as following:
        await following()
        lab.running.cut_watches()
        with pytest.raises((aiohttp.ClientError, StopAsyncIteration)):
            await following()
