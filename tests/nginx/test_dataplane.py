import asyncio
import os
import re
import signal
import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from sevengate.diagnostics import ObjectRef
from sevengate.nginx import ledger
from sevengate.nginx.blueprint import PROTOCOL, Blueprint, Standing
from sevengate.nginx.control import Commit, ControlClient, ControlError, Pushed, StaleError
from sevengate.nginx.dataplane import Applied, DataPlane
from sevengate.nginx.documents import Document
from sevengate.nginx.installation import NginxError, find_installation
from sevengate.nginx.listening import Listen
from sevengate.nginx.live import Live, live
from sevengate.nginx.ports import group_members
from sevengate.nginx.resolve import Resolver
from sevengate.nginx.selfsigned import COMMON_NAME, self_signed
from sevengate.nginx.supervisor import Supervisor
from sevengate.routing.policies import Policies, Profile
from sevengate.routing.table import (
    Backend,
    Certificate,
    Endpoint,
    Host,
    Match,
    PathKind,
    PathMatch,
    PrivateKey,
    Route,
    RouteSource,
    RoutingTable,
    TableChanges,
    WeightedBackend,
)
from sevengate.settings import Settings
from tests.asking import ask
from tests.backends import EchoBackends
from tests.conftest import QUIET
from tests.waiting import free_port, until


def backend(name: str, *endpoints: Endpoint) -> Backend:
    return Backend(f"default/{name}:80", f"default-{name}-80", endpoints)


def host(name: str, service: str, policies: Policies | None = None) -> Host:
    route = Route(
        name=f"default/{name}/rules/0/paths/0",
        match=Match(PathMatch(PathKind.PREFIX, "/")),
        source=RouteSource(ObjectRef("Ingress", "default", name), "spec.rules[0].http.paths[0]", service, "80"),
        backends=(WeightedBackend(f"default/{service}:80"),),
        policies=policies or Policies(),
    )
    return Host(name, (route,))


def table(*entries: Host | Backend) -> RoutingTable:
    return RoutingTable(
        hosts={entry.name: entry for entry in entries if isinstance(entry, Host)},
        backends={entry.name: entry for entry in entries if isinstance(entry, Backend)},
        profiles=frozenset({Profile()}),
    )


@pytest.fixture
def shop(backends: EchoBackends) -> RoutingTable:
    """A table that serves shop.example from the echo server `shop`."""
    return table(host("shop.example", "shop"), backend("shop", backends.start("shop")))


def served_by(gate: Live, name: str) -> object:
    answer = ask(gate.http_port, name)
    return answer.json["name"] if answer.status == 200 else answer.status


def test_a_table_is_live_when_apply_returns(gate: Live, shop: RoutingTable) -> None:
    assert served_by(gate, "shop.example") == 404
    applied = gate.apply(shop)
    assert {served_by(gate, "shop.example") for _ in range(20)} == {"shop"}
    assert (applied.pushed, applied.deleted, applied.reloaded, applied.problem) == (2, 0, False, "")
    assert applied.bytes > 0


@pytest.mark.parametrize("digest", ["123456789012345678901234", "4e0123456789012345678901"])
def test_a_configuration_whose_digest_looks_like_a_number_starts_too(
    digest: str, monkeypatch: pytest.MonkeyPatch, shop: RoutingTable
) -> None:
    class Digest:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def hexdigest(self) -> str:
            return digest

    with monkeypatch.context() as rare:
        rare.setattr("sevengate.nginx.supervisor.hashlib.blake2b", Digest)
        with live(settings=QUIET) as gate:
            rare.undo()
            assert gate.apply(shop).problem == ""
            assert served_by(gate, "shop.example") == "shop"


def test_the_same_table_again_pushes_nothing(gate: Live, shop: RoutingTable) -> None:
    first = gate.apply(shop)
    again = gate.apply(shop)
    assert (again.pushed, again.deleted, again.reloaded) == (0, 0, False)
    assert again.generation == first.generation


def test_only_what_changed_is_pushed(gate: Live, shop: RoutingTable, backends: EchoBackends) -> None:
    gate.apply(shop)
    moved = backend("shop", backends.start("moved"))
    newer = msgspec.structs.replace(shop, backends={moved.name: moved})

    applied = gate.apply(newer, changes=TableChanges(backends=frozenset({moved.name})))
    assert (applied.pushed, applied.reloaded) == (1, False)
    assert {served_by(gate, "shop.example") for _ in range(20)} == {"moved"}
    assert gate.dataplane.reloads == 0


def test_what_is_gone_is_served_no_more(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    empty = RoutingTable()
    changes = TableChanges(hosts=frozenset(shop.hosts), backends=frozenset(shop.backends))
    assert gate.apply(empty, changes=changes).deleted == 2
    assert {served_by(gate, "shop.example") for _ in range(20)} == {404}


def test_what_changed_unsaid_is_found_by_comparing_all(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    assert gate.apply(RoutingTable()).deleted == 2
    assert served_by(gate, "shop.example") == 404


SMALL = Profile(body_size=10)


def test_a_new_profile_reloads_and_says_so_once(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    strict = host("shop.example", "shop", Policies(profile=SMALL))
    with_profile = msgspec.structs.replace(shop, hosts={"shop.example": strict}, profiles=frozenset({Profile(), SMALL}))

    applied = gate.apply(with_profile)
    assert (applied.reloaded, applied.reasons) == (True, (f"new Profile {SMALL.name}",))
    assert applied.causes == ("profile",)
    assert ask(gate.http_port, "shop.example", method="POST", body=b"x" * 10).status == 200
    assert ask(gate.http_port, "shop.example", method="POST", body=b"x" * 11).status == 413
    assert not gate.apply(with_profile).reloaded


def test_a_profile_that_nobody_uses_any_more_costs_no_reload(gate: Live, shop: RoutingTable) -> None:
    gate.apply(msgspec.structs.replace(shop, profiles=frozenset({SMALL})))
    assert not gate.apply(shop).reloaded
    assert gate.dataplane.reloads == 1


def test_a_setting_that_nginx_conf_holds_reloads_and_is_named(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    applied = gate.apply(shop, msgspec.structs.replace(QUIET, keep_alive=7))
    assert applied.reasons == ("setting keep-alive changed",)
    assert applied.causes == ("setting keep-alive",)
    assert {served_by(gate, "shop.example") for _ in range(20)} == {"shop"}


def test_a_default_that_documents_leave_out_reaches_them_when_it_changes(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    applied = gate.apply(shop, msgspec.structs.replace(QUIET, proxy_body_size=10), TableChanges())
    assert applied.reasons == ("setting proxy-body-size changed",)
    assert ask(gate.http_port, "shop.example", method="POST", body=b"x" * 11).status == 200


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("ssl_ciphers", "NONSENSE", "nginx refuses its configuration: .*NONSENSE"),
        ("ssl_ciphers", "$host", "would read a variable"),
        ("access_log_path", "/nowhere/access.log", "nginx refuses its configuration: .*/nowhere/access.log"),
    ],
)
def test_settings_that_nginx_refuses_are_named_and_stop_nothing_else(
    setting: str, value: str, why: str, gate: Live, shop: RoutingTable
) -> None:
    good = Settings(worker_processes=2, access_log_path="/dev/null")
    bad = msgspec.structs.replace(good, **{setting: value})
    gate.apply(RoutingTable(), good)
    applied = gate.apply(shop, bad)
    assert re.match(f"{setting.replace('_', '-')}: .*{why}", applied.refused)
    assert (applied.problem, applied.reloaded) == ("", False)
    assert served_by(gate, "shop.example") == "shop"
    profile = Profile(buffering=True)
    applied = gate.apply(msgspec.structs.replace(shop, profiles=frozenset({profile})), bad)
    assert applied.refused
    assert applied.reasons == (f"new Profile {profile.name}",)
    assert gate.apply(shop, good).refused == ""


def test_an_nginx_that_dies_comes_back_with_the_settings_that_it_took(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    gate.apply(shop, msgspec.structs.replace(QUIET, ssl_ciphers="NONSENSE"))
    old = gate.supervisor.process.pid
    os.kill(old, signal.SIGKILL)

    async def back() -> None:
        await until(lambda: gate.supervisor.process.pid != old and gate.dataplane.generation)

    gate.wait(back())
    assert served_by(gate, "shop.example") == "shop"


def test_settings_that_depend_on_the_machine_do_not_stop_the_first_start(shop: RoutingTable) -> None:
    with live(settings=msgspec.structs.replace(QUIET, ssl_ciphers="NONSENSE")) as gate:
        assert gate.apply(shop).refused.startswith("ssl-ciphers: ")
        assert served_by(gate, "shop.example") == "shop"


def padded(count: int, size: int) -> dict[str, Certificate]:
    """Certificates in name only: documents of a certain size."""
    names = [f"default/pad-{number}" for number in range(count)]
    return {name: Certificate(name, os.urandom(size // 2).hex().encode(), PrivateKey(b"")) for name in names}


@pytest.fixture
def tiny_gate() -> Iterator[Live]:
    with live(settings=QUIET, dictionary=1) as running:
        yield running


def test_a_full_dictionary_is_a_problem_and_the_last_good_state_stays(tiny_gate: Live, shop: RoutingTable) -> None:
    tiny_gate.apply(shop)
    too_much = msgspec.structs.replace(shop, hosts={}, certificates=padded(50, 50_000))
    applied = tiny_gate.apply(too_much)
    assert "the dictionary of 1 MiB is full" in applied.problem
    assert {served_by(tiny_gate, "shop.example") for _ in range(20)} == {"shop"}


def test_a_dictionary_that_was_full_takes_smaller_tables_again(tiny_gate: Live, shop: RoutingTable) -> None:
    free = tiny_gate.wait(tiny_gate.dataplane.state()).free
    tiny_gate.apply(msgspec.structs.replace(shop, certificates=padded(50, 50_000)))
    assert tiny_gate.apply(shop).problem == ""
    assert served_by(tiny_gate, "shop.example") == "shop"
    tiny_gate.apply(RoutingTable())
    assert tiny_gate.wait(tiny_gate.dataplane.state()).free > free - 100_000


def test_shared_memory_grows_with_the_objects(shop: RoutingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SMALLEST", 1)
    with live(shop, QUIET) as gate:
        bigger = msgspec.structs.replace(shop, certificates=padded(40, 50_000))
        applied = gate.apply(bigger, changes=TableChanges(certificates=frozenset(bigger.certificates)))
        assert applied.reasons == ("shared memory grown from 1 to 8 MiB",)
        assert applied.causes == ("memory",)
        assert applied.problem == ""
        assert served_by(gate, "shop.example") == "shop"
        assert gate.wait(gate.dataplane.state()).capacity == 8 * 1024 * 1024
        assert not gate.apply(bigger).reloaded


def test_growing_memory_is_not_noticed_by_clients(shop: RoutingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SMALLEST", 1)
    with live(shop, QUIET) as gate:
        bigger = msgspec.structs.replace(shop, certificates=padded(40, 50_000))

        async def ask_until(done: asyncio.Event) -> set[object]:
            answers: set[object] = set()
            while not done.is_set():
                answers.add(await asyncio.to_thread(served_by, gate, "shop.example"))
            return answers

        async def grow() -> set[object]:
            done = asyncio.Event()
            asking = asyncio.create_task(ask_until(done))
            assert (await gate.dataplane.apply(bigger, None, QUIET)).reloaded
            done.set()
            return await asking

        assert gate.wait(grow()) == {"shop"}


def test_memory_that_fills_against_all_reckoning_grows_with_the_next_table(
    shop: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "SMALLEST", 1)
    with live(shop, QUIET) as gate:
        monkeypatch.setattr("sevengate.nginx.dataplane.is_tight", lambda peak, size: False)
        bigger = msgspec.structs.replace(shop, certificates=padded(40, 50_000))
        assert "is full" in gate.apply(bigger).problem
        applied = gate.apply(bigger)
        assert applied.problem == ""
        assert "shared memory grown" in applied.reasons[0]


def test_what_another_pushed_is_found_and_put_right(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)

    async def meddle() -> None:
        other = ControlClient(gate.supervisor.runtime.control)
        held = await other.digests()
        document = Document("h:foreign.example", "d", b'{"routes":[],"policies":[],"sources":[]}')
        await other.push([document], Commit(held.generation, [("h:foreign.example", "d")], ["h:shop.example"]))
        await other.close()

    gate.wait(meddle())
    assert served_by(gate, "shop.example") == 404
    newer = backend("new")
    changed = msgspec.structs.replace(shop, backends={**shop.backends, newer.name: newer})
    applied = gate.apply(changed, changes=TableChanges(backends=frozenset({newer.name})))
    assert (applied.pushed, applied.deleted) == (2, 1)
    assert served_by(gate, "shop.example") == "shop"


def test_a_full_commit_makes_workers_forget_what_nobody_told_them_has_changed(shop: RoutingTable) -> None:
    with live(shop, msgspec.structs.replace(QUIET, worker_processes=1)) as gate:

        async def decoded() -> int:
            return (await gate.dataplane.state()).decoded

        async def commit(*, full: bool) -> None:
            client = ControlClient(gate.supervisor.control)
            held = await client.digests()
            await client.push([], Commit(held.generation, tuple(held.digests.items()), full=full))
            await client.close()

        grown = []
        for full in (False, True):
            served_by(gate, "shop.example")
            before = gate.wait(decoded())
            gate.wait(commit(full=full))
            assert served_by(gate, "shop.example") == "shop"
            grown.append(gate.wait(decoded()) - before)
        assert (grown[0], grown[1] > 0) == (0, True)


def test_after_a_worker_died_in_the_middle_of_a_commit_a_full_one_is_made(
    gate: Live, shop: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = ControlClient.push

    async def lost(client: ControlClient, documents: Iterable[Document], commit: Commit) -> Pushed:
        await push(client, documents, commit)
        raise StaleError("locked")  # by the worker that died

    with monkeypatch.context() as losing:
        losing.setattr(ControlClient, "push", lost)
        assert gate.apply(shop).problem
    commits: list[Commit] = []

    async def noted(client: ControlClient, documents: Iterable[Document], commit: Commit) -> Pushed:
        commits.append(commit)
        return await push(client, documents, commit)

    monkeypatch.setattr(ControlClient, "push", noted)
    applied = gate.apply(shop)
    assert (applied.problem, applied.pushed) == ("", 0)  # all is there, but who knows of it?
    gate.apply(shop)
    assert [commit.full for commit in commits] == [True]
    assert served_by(gate, "shop.example") == "shop"


def test_a_master_that_is_killed_is_started_again_and_filled(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    old = gate.supervisor.process.pid
    os.kill(old, signal.SIGKILL)

    async def back() -> None:
        await until(lambda: gate.supervisor.process.pid != old and gate.dataplane.generation)

    gate.wait(back())
    assert served_by(gate, "shop.example") == "shop"
    assert group_members(old) == ()
    assert gate.apply(shop).pushed == 0


def test_an_nginx_that_nothing_was_pushed_to_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, shop: RoutingTable
) -> None:
    async def refuse(*_: object) -> None:
        raise ControlError("not today")

    with monkeypatch.context() as refusing:
        refusing.setattr(ControlClient, "push", refuse)
        with live(shop, QUIET) as gate:
            assert ask(gate.http_port, "shop.example").status == 503
            assert ask(gate.http_port, "elsewhere.example").status == 503
            refusing.undo()
            assert gate.apply(shop).problem == ""
            assert served_by(gate, "shop.example") == "shop"
            assert served_by(gate, "elsewhere.example") == 404


def test_a_table_that_meets_a_dead_nginx_is_live_all_the_same(gate: Live, shop: RoutingTable) -> None:
    old = gate.supervisor.process.pid
    os.kill(old, signal.SIGKILL)

    async def applied() -> bool:
        problem = (await gate.dataplane.apply(shop, None, QUIET)).problem
        # Until its death is noticed, the dead master's workers take pushes too.
        return not problem and gate.supervisor.process.pid != old

    gate.wait(until(applied))
    assert served_by(gate, "shop.example") == "shop"


def test_workers_that_are_killed_come_back_with_all_documents(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    process = gate.supervisor.process
    old = set(process.workers())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    gate.wait(until(lambda: old.isdisjoint(process.workers()) and len(process.workers()) == len(old)))
    assert {served_by(gate, "shop.example") for _ in range(20)} == {"shop"}


def test_closing_leaves_no_process_and_no_directory(shop: RoutingTable) -> None:
    with live(shop, QUIET) as gate:
        group, directory = gate.supervisor.process.pid, gate.supervisor.runtime.directory
        assert group_members(group)
        assert directory.exists()
    assert group_members(group) == ()
    assert not directory.exists()


def test_open_websockets_outlive_every_push(gate: Live, backends: EchoBackends) -> None:
    shop = table(host("shop.example", "shop"), backend("shop", backends.start("shop")))
    gate.apply(shop)

    async def talk() -> list[str]:
        heard = []
        url = f"ws://127.0.0.1:{gate.http_port}/chat"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers={"Host": "shop.example"}) as ws:
            for number in range(10):
                hosts = {**shop.hosts, "other.example": host("other.example", f"service-{number}")}
                changed = msgspec.structs.replace(shop, hosts=hosts)
                assert (await gate.dataplane.apply(changed, None, QUIET)).pushed == 1
                await ws.send_str(str(number))
                heard.append(await ws.receive_str())
        return heard

    assert gate.wait(talk()) == [f"shop: {number}" for number in range(10)]
    assert gate.dataplane.reloads == 0


def test_no_request_fails_while_routes_and_endpoints_change(gate: Live, backends: EchoBackends) -> None:
    places = [backends.start(f"shop-{number}") for number in range(3)]
    shop = table(host("shop.example", "shop"), backend("shop", *places))
    gate.apply(shop)
    url = f"http://127.0.0.1:{gate.http_port}/"

    async def ask_until(done: asyncio.Event, session: aiohttp.ClientSession) -> Counter[object]:
        answers: Counter[object] = Counter()
        while not done.is_set():
            async with session.get(url, headers={"Host": "shop.example"}) as answer:
                answers[(await answer.json())["name"] if answer.status == 200 else answer.status] += 1
        return answers

    async def change() -> Counter[object]:
        done = asyncio.Event()
        current = shop
        async with aiohttp.ClientSession() as session:
            clients = [asyncio.create_task(ask_until(done, session)) for _ in range(4)]
            for number in range(200):
                newer = backend("shop", *(place for at, place in enumerate(places) if at != number % 3))
                hosts = {**current.hosts, f"h{number}.example": host(f"h{number}.example", "shop")}
                current = msgspec.structs.replace(current, hosts=hosts, backends={newer.name: newer})
                changes = TableChanges(frozenset({f"h{number}.example"}), frozenset({newer.name}))
                assert (await gate.dataplane.apply(current, changes, QUIET)).pushed == 2
            done.set()
            return sum(await asyncio.gather(*clients), Counter())

    answers = gate.wait(change())
    assert answers.keys() <= {"shop-0", "shop-1", "shop-2"}
    assert answers.total() > 0
    assert gate.dataplane.reloads == 0


class OtherVersion(Supervisor):
    """The supervisor of a data plane of another version."""

    async def standing(self) -> Standing:
        return Standing("one", protocol=PROTOCOL + 1)

    async def configure(self, blueprint: Blueprint) -> Standing:
        raise AssertionError("it must be left alone")


def test_a_data_plane_of_another_version_is_left_alone_and_that_is_said(temporary: str, shop: RoutingTable) -> None:
    async def scene() -> Applied:
        driver = DataPlane(OtherVersion(find_installation(), Path(temporary), Listen()), patient=True)
        try:
            return await driver.apply(shop, None, QUIET)
        finally:
            await driver.close()

    assert "run one version of both" in asyncio.run(scene()).problem


class Hesitant(Supervisor):
    """A supervisor that is in trouble when it is first asked."""

    troubles = 3

    async def standing(self) -> Standing:
        self.troubles -= 1
        if self.troubles >= 0:
            raise NginxError("not now")
        return await super().standing()


def test_trouble_with_the_supervisor_ends_when_it_does(temporary: str, shop: RoutingTable) -> None:
    async def scene() -> None:
        supervisor = Hesitant(find_installation(), Path(temporary), Listen(("127.0.0.1",), *ports))
        driver = DataPlane(supervisor, patient=True)
        try:
            assert (await driver.apply(shop, None, QUIET)).problem == "not now"
            await until(lambda: driver.generation)
            assert supervisor.process.running
        finally:
            await driver.close()
            await supervisor.close()

    ports = [free_port() for _ in range(3)]
    asyncio.run(scene())


# --- certificates


def common_name(der: bytes) -> str:
    from cryptography import x509

    [attribute] = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(attribute.value)


def test_a_client_without_a_certificate_of_its_host_is_shown_the_fake_one(gate: Live, shop: RoutingTable) -> None:
    gate.apply(shop)
    answer = ask(gate.https_port, "shop.example", tls=True)
    assert answer.json["name"] == "shop"
    assert common_name(answer.certificate) == COMMON_NAME


def test_a_default_certificate_of_the_table_goes_first(gate: Live, shop: RoutingTable) -> None:
    own = self_signed()
    gate.apply(msgspec.structs.replace(shop, certificates={"": own}))
    shown = ask(gate.https_port, "shop.example", tls=True).certificate
    assert ssl.DER_cert_to_PEM_cert(shown).strip() == own.chain.decode().strip()

    gate.apply(shop)
    assert ask(gate.https_port, "shop.example", tls=True).certificate != shown


# --- endpoints that are DNS names


def test_endpoints_that_are_names_follow_what_the_names_resolve_to(backends: EchoBackends) -> None:
    one = backends.start("one", "127.0.0.11")
    backends.start("two", "127.0.0.12", one.port)
    answers = {"shop.test": ["127.0.0.11"]}

    async def lookup(name: str) -> list[str]:
        return answers[name]

    resolver = Resolver(lookup=lookup, refresh=0.01, allow_local=True)
    named = table(host("shop.example", "shop"), backend("shop", Endpoint("shop.test", one.port)))
    with live(named, QUIET, resolver=resolver) as gate:
        assert served_by(gate, "shop.example") == "one"
        generation = gate.dataplane.generation
        answers["shop.test"] = ["127.0.0.12"]
        gate.wait(until(lambda: gate.dataplane.generation > generation))
        assert served_by(gate, "shop.example") == "two"
        assert gate.dataplane.generation == generation + 1
