import asyncio
import logging

import pytest

from sevengate.nginx.resolve import AT_ONCE, Resolver
from tests.waiting import until

NAMES = frozenset({"a.test", "b.test"})


class Zone:
    """A name server of the test's own: a list of addresses, or an error, for each name."""

    def __init__(self, **answers: list[str] | OSError) -> None:
        self.answers: dict[str, list[str] | OSError] = {f"{name}.test": answer for name, answer in answers.items()}
        self.asked: list[str] = []
        self.open = 0
        self.most_open = 0

    async def lookup(self, name: str) -> list[str]:
        self.asked.append(name)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        answer = self.answers[name]
        if isinstance(answer, OSError):
            raise answer
        return answer


def test_new_names_are_resolved_when_watch_returns() -> None:
    zone = Zone(a=["192.0.2.2", "192.0.2.1", "192.0.2.2"], b=["2001:db8::1"])

    async def run() -> Resolver:
        resolver = Resolver(lookup=zone.lookup)
        await resolver.watch(NAMES)
        await resolver.watch(NAMES)
        return resolver

    assert asyncio.run(run()).addresses == {"a.test": ("192.0.2.1", "192.0.2.2"), "b.test": ("2001:db8::1",)}
    assert sorted(zone.asked) == ["a.test", "b.test"]


def test_names_that_nobody_uses_any_more_are_forgotten() -> None:
    zone = Zone(a=["192.0.2.1"], b=["192.0.2.2"])

    async def run() -> Resolver:
        resolver = Resolver(lookup=zone.lookup)
        await resolver.watch(NAMES)
        await resolver.watch(frozenset({"a.test"}))
        return resolver

    assert asyncio.run(run()).addresses.keys() == {"a.test"}


def test_changed_says_which_answers_differ() -> None:
    zone = Zone(a=["192.0.2.1"], b=["192.0.2.2"])

    async def run() -> frozenset[str]:
        resolver = Resolver(lookup=zone.lookup, refresh=0.001)
        await resolver.watch(NAMES)
        changed = asyncio.create_task(resolver.changed())
        await until(lambda: len(zone.asked) > 6)
        assert not changed.done()
        zone.answers["b.test"] = ["192.0.2.3"]
        found = await changed
        assert resolver.addresses["b.test"] == ("192.0.2.3",)
        return found

    assert asyncio.run(run()) == {"b.test"}


def test_a_name_that_fails_keeps_its_last_good_answer(caplog: pytest.LogCaptureFixture) -> None:
    zone = Zone(a=["192.0.2.1"])

    async def run() -> Resolver:
        resolver = Resolver(lookup=zone.lookup, refresh=0.001)
        await resolver.watch(frozenset({"a.test"}))
        zone.answers["a.test"] = OSError("no such name")
        changed = asyncio.create_task(resolver.changed())
        await until(lambda: len(zone.asked) > 3)
        assert not changed.done()
        changed.cancel()
        return resolver

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(run()).addresses == {"a.test": ("192.0.2.1",)}
    assert "a.test cannot be resolved: no such name; keeping 192.0.2.1" in caplog.text


def test_a_name_that_never_resolved_has_no_address_until_it_does() -> None:
    zone = Zone(a=OSError("not yet"))

    async def run() -> tuple[object, object]:
        resolver = Resolver(lookup=zone.lookup, refresh=0.001)
        await resolver.watch(frozenset({"a.test"}))
        before = resolver.addresses["a.test"]
        zone.answers["a.test"] = ["192.0.2.1"]
        await resolver.changed()
        return before, resolver.addresses["a.test"]

    assert asyncio.run(run()) == ((), ("192.0.2.1",))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "::ffff:127.0.0.1",
    ],
)
def test_answers_that_lead_to_this_machine_or_link_are_refused(address: str) -> None:
    zone = Zone(a=[address], b=[address, "192.0.2.1"])

    async def run(*, allow_local: bool) -> Resolver:
        resolver = Resolver(lookup=zone.lookup, allow_local=allow_local)
        await resolver.watch(NAMES)
        return resolver

    assert asyncio.run(run(allow_local=False)).addresses == {"a.test": (), "b.test": ("192.0.2.1",)}
    assert asyncio.run(run(allow_local=True)).addresses["a.test"] == (address,)


def test_an_answer_that_is_refused_later_keeps_the_good_one() -> None:
    zone = Zone(a=["192.0.2.1"])

    async def run() -> Resolver:
        resolver = Resolver(lookup=zone.lookup, refresh=0.001)
        await resolver.watch(frozenset({"a.test"}))
        zone.answers["a.test"] = ["127.0.0.1"]
        changed = asyncio.create_task(resolver.changed())
        await until(lambda: len(zone.asked) > 2)
        changed.cancel()
        return resolver

    assert asyncio.run(run()).addresses == {"a.test": ("192.0.2.1",)}


def test_many_names_are_asked_a_few_at_a_time() -> None:
    names = [f"n{number}" for number in range(100)]
    zone = Zone(**{name: ["192.0.2.1"] for name in names})

    async def run() -> Resolver:
        resolver = Resolver(lookup=zone.lookup)
        await resolver.watch(frozenset(zone.answers))
        return resolver

    assert len(asyncio.run(run()).addresses) == 100
    assert zone.most_open <= AT_ONCE


def test_a_label_that_dns_cannot_have_is_a_failure_and_no_more() -> None:
    async def run() -> Resolver:
        resolver = Resolver()
        await resolver.watch(frozenset({f"{'x' * 64}.invalid"}))
        return resolver

    assert list(asyncio.run(run()).addresses.values()) == [()]


def test_the_machines_own_resolver_is_asked_by_default() -> None:
    async def run() -> Resolver:
        resolver = Resolver(allow_local=True)
        await resolver.watch(frozenset({"localhost"}))
        return resolver

    assert set(asyncio.run(run()).addresses["localhost"]) & {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("own", "answer", "is_taken"),
    [
        ("127.244.1.2", "127.96.1.2", True),
        ("127.244.1.2", "127.244.1.2", False),
        ("127.244.1.2", "127.0.0.1", False),
        ("127.244.1.2", "127.0.0.53", False),
        ("127.244.1.2", "::1", False),
        ("127.244.1.2", "::ffff:127.0.0.1", False),
        ("127.0.0.1", "127.96.1.2", False),
        ("192.0.2.1", "127.96.1.2", False),
        ("", "127.96.1.2", False),
    ],
)
def test_only_who_lives_on_loopback_has_neighbours_there(own: str, answer: str, *, is_taken: bool) -> None:
    zone = Zone(a=[answer])

    async def run() -> Resolver:
        resolver = Resolver(lookup=zone.lookup, own=own)
        await resolver.watch(frozenset({"a.test"}))
        return resolver

    assert bool(asyncio.run(run()).addresses["a.test"]) == is_taken
