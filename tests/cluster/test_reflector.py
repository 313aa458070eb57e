import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevengate.cluster.backoff import Backoff
from sevengate.cluster.resources import ENDPOINT_SLICES, INGRESS_CLASSES, SERVICES, Selection
from tests.cluster.api_server import ApiServer, encode
from tests.cluster.following import ALL_SERVICES, Following, following, service, versions
from tests.waiting import until

Scenario = Callable[[ApiServer, Following], Coroutine[Any, Any, None]]


def play(scenario: Scenario, server: ApiServer | None = None, selection: Selection = ALL_SERVICES) -> ApiServer:
    """Play a scenario with a server that holds the Services a, b and c, which a reflector has already listed."""
    server = server or ApiServer()
    for name in "abc":
        server.put(service(name))

    async def run() -> None:
        async with following(server, selection) as one:
            await until(lambda: one.services == versions(server) and server.watchers)
            await scenario(server, one)

    asyncio.run(run())
    return server


async def agree(server: ApiServer, one: Following) -> None:
    await until(lambda: one.services == versions(server))


async def changes_arrive(server: ApiServer, one: Following) -> None:
    server.put(service("new"))
    server.put(service("a", 81))
    server.delete("Service", "default/b")
    await agree(server, one)
    assert one.snapshot.services["default/a"].ports[0].port == 81
    assert set(one.services) == {"default/a", "default/c", "default/new"}


@pytest.mark.parametrize("streams_lists", [True, False])
@pytest.mark.parametrize("page_size", [500, 2, 1])
def test_changes_arrive_however_the_list_was_read(streams_lists: bool, page_size: int) -> None:
    server = ApiServer()
    server.streams_lists, server.page_size = streams_lists, page_size
    play(changes_arrive, server)
    lists = [said for said in server.requests if "watch=true" not in said]
    assert len(lists) == (0 if streams_lists else -(-3 // page_size))


def test_a_namespace_and_selectors_narrow_what_is_asked_for() -> None:
    server = ApiServer()
    selection = Selection(SERVICES, "default", "metadata.name=a", "tier=web")

    async def run() -> None:
        async with following(server, selection) as one:
            server.put(service("b", labels={"tier": "web"}))
            server.put(service("a", namespace="other", labels={"tier": "web"}))
            server.put(service("a", labels={"tier": "web"}))
            await until(lambda: one.services)
            assert list(one.services) == ["default/a"]

    asyncio.run(run())
    assert all(said.startswith("GET /api/v1/namespaces/default/services?") for said in server.requests)


def test_a_list_whose_items_are_null_is_an_empty_one() -> None:
    server = ApiServer()
    server.streams_lists = False

    async def run() -> None:
        async with following(server, Selection(ENDPOINT_SLICES)) as one:
            await until(lambda: one.reflector.is_synced)
            assert one.deliveries == [[]]

    asyncio.run(run())


def test_a_watch_that_was_cut_is_resumed_and_not_listed_again() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        for within_a_line in (False, True):
            asked = len(server.requests)
            server.put(service("a", 81))
            server.cut(within_a_line=within_a_line)
            server.put(service("b", 82))
            await agree(server, one)
            assert all("resourceVersion=" in said and "sendInitial" not in said for said in server.requests[asked:])

    play(scenario)


def test_a_watch_that_has_gone_silent_is_given_up_and_resumed() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.stall()
        server.delete("Service", "default/a")
        await agree(server, one)

    play(scenario)


@pytest.mark.parametrize("streams_lists", [True, False])
@pytest.mark.parametrize("how", ["as a status", "as an event"])
def test_a_version_that_is_too_old_lists_again_and_misses_no_delete(how: str, streams_lists: bool) -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.stall()
        server.delete("Service", "default/a")
        server.put(service("new"))
        server.compact()
        if how == "as an event":
            server.send_error(410)
        else:
            server.cut()
        await agree(server, one)
        assert set(one.services) == {"default/b", "default/c", "default/new"}

    server = ApiServer()
    server.streams_lists = streams_lists
    play(scenario, server)


def test_a_list_that_expires_between_two_pages_begins_anew() -> None:
    server = ApiServer()
    server.streams_lists, server.page_size = False, 1
    server.refuse("continue=", status=410)
    play(changes_arrive, server)


@pytest.mark.parametrize("status", [429, 500, 503, 401, 403, 404, 410, 422])
@pytest.mark.parametrize("what", ["watch=true", "limit="])
def test_any_refusal_is_got_over(status: int, what: str) -> None:
    server = ApiServer()
    server.streams_lists = False
    server.refuse(what, status=status, times=3)
    play(changes_arrive, server)


@pytest.mark.parametrize("status", [410, 429, 500, 403])
def test_a_server_that_goes_on_refusing_is_not_stormed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def counted(backoff: Backoff) -> float:
        pauses.append(pause(backoff))
        return pauses[-1]

    async def scenario(server: ApiServer, one: Following) -> None:
        server.refuse(status=status, times=1 << 30)
        asked = len(server.requests)
        server.cut()
        await until(lambda: len(pauses) >= 30)
        assert len(server.requests) - asked <= len(pauses) + 1
        assert one.services == versions(server)
        server.allow()
        await changes_arrive(server, one)

    pause = Backoff.next
    monkeypatch.setattr(Backoff, "next", counted)
    play(scenario)


def test_events_that_come_twice_change_nothing() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.put(service("a", 81))
        server.delete("Service", "default/b")
        await agree(server, one)
        server.repeat(4)
        server.put(service("c", 83))
        await agree(server, one)
        assert set(one.services) == {"default/a", "default/c"}
        assert one.snapshot.services["default/a"].ports[0].port == 81

    play(scenario)


def test_an_older_event_after_a_newer_one_of_the_same_object_is_passed_over() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.swap(lambda: server.put(service("a", 81)), lambda: server.put(service("a", 82)))
        server.swap(lambda: server.put(service("b", 81)), lambda: server.delete("Service", "default/b"))
        server.swap(lambda: server.delete("Service", "default/c"), lambda: server.put(service("c", 83)))
        server.swap(lambda: server.put(service("brief")), lambda: server.delete("Service", "default/brief"))
        server.put(service("last"))
        await until(lambda: "default/last" in one.services)
        assert one.services == versions(server)

    play(scenario)


def test_an_object_that_cannot_be_read_keeps_its_last_good_version_and_the_others_go_on() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.put(service("a", "eighty"))
        server.put(service("b", 82))
        await until(lambda: one.snapshot.services["default/b"].ports[0].port == 82)
        assert one.snapshot.services["default/a"].ports[0].port == 80
        assert one.codes == ["manifest/wrong-type", "cluster/kept"]
        assert {str(diagnostic.where.object) for diagnostic in one.reflector.diagnostics} == {"Service default/a"}
        server.put(service("a", 81))
        await agree(server, one)
        assert one.codes == []

    play(scenario)


@pytest.mark.parametrize("streams_lists", [True, False])
def test_listing_again_keeps_what_cannot_be_read_and_deletes_it_when_it_is_gone(streams_lists: bool) -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.put(service("a", "eighty"))
        server.delete("Service", "default/b")
        server.compact()
        server.send_error(410)
        await until(lambda: set(one.services) == {"default/a", "default/c"} and one.codes)
        server.delete("Service", "default/a")
        await agree(server, one)
        assert one.codes == []

    server = ApiServer()
    server.streams_lists = streams_lists
    play(scenario, server)


@pytest.mark.parametrize("line", [b"so sorry\n", b'{"type":"STRANGE","object":{}}\n', b'{"type":"ADDED"}\n', b"\xff\n"])
def test_a_line_that_is_no_event_makes_it_list_again(line: bytes) -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.stall()
        server.delete("Service", "default/a")
        server.send(line)
        await agree(server, one)
        server.put(service("b", 82))
        await agree(server, one)

    play(scenario)


@pytest.mark.parametrize("wrong", [{}, [], {"metadata": None}, {"metadata": {"name": 7}}, None, "text"])
def test_an_object_without_a_name_falls_alone(wrong: object) -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.send(encode({"type": "ADDED", "object": wrong}))
        await changes_arrive(server, one)
        assert "cluster/kept" in one.codes

    play(scenario)


def test_a_line_of_megabytes_is_read() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.put({**service("a", 81), "status": {"padding": "x" * 3_000_000}})
        server.put({**service("b", 82, annotations={"note": "y" * 200_000})})
        await agree(server, one)

    play(scenario)


def test_bookmarks_move_the_point_of_resumption() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.put({"kind": "ConfigMap", "metadata": {"name": "elsewhere", "namespace": "default"}})
        server.compact()
        server.send_bookmark()
        marked = server.version
        asked = len(server.requests)
        server.cut()
        await changes_arrive(server, one)
        assert f"resourceVersion={marked}" in server.requests[asked]

    play(scenario)


def test_a_history_that_began_anew_is_taken_as_it_is() -> None:
    async def scenario(server: ApiServer, one: Following) -> None:
        server.restore(50)
        for name in "ab":
            server.put(service(name, 90))
        del server.objects["services"]["default/c"]
        server.send_error(410)
        await agree(server, one)

    play(scenario)


def test_a_refusal_of_what_is_optional_names_the_rule_and_does_not_wait() -> None:
    server = ApiServer()
    server.refuse(status=403, times=1 << 30)

    async def run() -> None:
        async with following(server, Selection(INGRESS_CLASSES, required=False)) as one:
            await until(lambda: one.reflector.is_synced)
            [refusal] = one.reflector.diagnostics
            assert refusal.code == "cluster/forbidden"
            assert refusal.message.endswith(
                'verbs list and watch on ingressclasses of apiGroup "networking.k8s.io" in the whole cluster'
            )
            server.put({"kind": "IngressClass", "metadata": {"name": "nginx"}, "spec": {"controller": "x"}})
            server.allow()
            await until(lambda: one.snapshot.ingress_classes)
            assert one.codes == []

    asyncio.run(run())


def test_a_refusal_of_what_is_required_is_no_sync() -> None:
    server = ApiServer()
    server.refuse(status=403, times=1 << 30)

    async def run() -> None:
        async with following(server, Selection(SERVICES, "shop")) as one:
            await until(lambda: one.codes == ["cluster/forbidden"])
            assert not one.reflector.is_synced
            assert "in namespace shop" in next(one.reflector.diagnostics).message
            server.allow()
            await until(lambda: one.reflector.is_synced)

    asyncio.run(run())


def delete_if_there(server: ApiServer, name: str) -> None:
    if f"default/{name}" in server.objects["services"]:
        server.delete("Service", f"default/{name}")


#: What may happen to a server and its watches, mostly to one Service.
STEPS: dict[str, Callable[[ApiServer, str], object]] = {
    "changed": lambda server, name: server.put(service(name, 1 + server.version)),
    "changed again": lambda server, name: server.put(service(name, 2 + server.version)),
    "deleted": delete_if_there,
    "deleted too": delete_if_there,
    "unreadable": lambda server, name: (server.put(service(name, "x")), server.put(service(name, "y"))),
    "unreadable, then readable": lambda server, name: (server.put(service(name, "x")), server.put(service(name))),
    "two events swapped": lambda server, name: server.swap(
        lambda: server.put(service(name, 1)), lambda: server.put(service(name, 2))
    ),
    "a delete overtaken": lambda server, name: server.swap(
        lambda: server.put(service(name, 1)), lambda: delete_if_there(server, name)
    ),
    "events repeated": lambda server, name: server.repeat(3),
    "a bookmark": lambda server, name: server.send_bookmark(),
    "cut": lambda server, name: server.cut(),
    "cut within a line": lambda server, name: server.cut(within_a_line=True),
    "stalled": lambda server, name: server.stall(),
    "compacted": lambda server, name: server.compact(),
    "410 as an event": lambda server, name: server.send_error(410),
    "500 as an event": lambda server, name: server.send_error(500),
    "nonsense": lambda server, name: server.send(b"}{\n"),
    **{
        f"{status} as a status": lambda server, name, status=status: server.refuse(status=status, times=2)  # type: ignore[misc]
        for status in (401, 403, 404, 410, 422, 429, 500, 503)
    },
}


@settings(max_examples=80)
@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from("abc"), st.sampled_from([0, 0.003]))),
    streams_lists=st.booleans(),
    page_size=st.sampled_from([1, 2, 500]),
)
def test_after_any_faults_and_changes_it_holds_what_the_server_holds(
    steps: list[tuple[str, str, float]], streams_lists: bool, page_size: int
) -> None:
    server = ApiServer()
    server.streams_lists, server.page_size = streams_lists, page_size

    async def run() -> None:
        async with following(server) as one:
            for step, name, breath in steps:
                STEPS[step](server, name)
                await asyncio.sleep(breath)
            for name in "abc":
                if f"default/{name}" in server.objects["services"]:
                    server.put(service(name, 99))
            server.put(service("last"))
            await agree(server, one)

    asyncio.run(run())
