"""The webhook's certificate in a cluster: made once, agreed on, announced before it is shown, renewed in time."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sevengate.cluster.authority import Authority, Pair
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ForbiddenError
from sevengate.cluster.resources import SECRETS, WEBHOOK_CONFIGURATIONS
from sevengate.cluster.webhook_certificate import CertificateUpkeep, Named
from tests.contract.clusters import Place, contract
from tests.contract.test_permissions import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    bind,
)
from tests.waiting import until

SECRET = "webhook"
YEAR = timedelta(days=365)


class Replica:
    """One of several that look after the same certificate."""

    def __init__(self, client: Client, place: Place, valid: timedelta = YEAR) -> None:
        self.shown: list[Pair] = []
        named = Named(f"{place.namespace}/{SECRET}", place.namespace)
        self.upkeep = CertificateUpkeep(client, named, self.shown.append, valid=valid)

    @property
    def shows(self) -> bytes:
        return self.shown[-1].certificate


@asynccontextmanager
async def looking_after(*replicas: Replica) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(replica.upkeep.run(pause=0.02)) for replica in replicas]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def configure(place: Place, **client: Any) -> None:
    """Make a configuration, whose name is the namespace's, for it lives in none itself."""
    service = {"name": "hook", "namespace": place.namespace, "path": "/"}
    hook = {
        "name": "check.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": client or {"service": service},
    }
    await place.create(WEBHOOK_CONFIGURATIONS, {"metadata": {"name": place.namespace}, "webhooks": [hook]})


async def bundle(place: Place) -> list[bytes]:
    """Give the authorities that the API server believes, the newest first."""
    configuration = await place.read(WEBHOOK_CONFIGURATIONS, place.namespace)
    text = base64.b64decode(configuration["webhooks"][0]["clientConfig"].get("caBundle", ""))
    return [one.public_bytes(Encoding.PEM) for one in x509.load_pem_x509_certificates(text)] if text else []


def believed(shown: bytes, authorities: list[bytes]) -> bool:
    """Say whether one of the authorities has signed what is shown."""
    certificate = x509.load_pem_x509_certificate(shown)
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        except Exception:
            continue
        return True
    return False


def names_in(shown: bytes) -> list[str]:
    """Give the names for which a certificate was made."""
    extensions = (extension.value for extension in x509.load_pem_x509_certificate(shown).extensions)
    return [str(name.value) for one in extensions if isinstance(one, x509.SubjectAlternativeName) for name in one]


def scenario(play: Callable[[Place, Client], Awaitable[None]]) -> Callable[[], None]:
    @contract
    async def test(place: Place) -> None:
        async with Client(place.access) as client:
            try:
                await play(place, client)
            finally:
                await place.delete(WEBHOOK_CONFIGURATIONS, place.namespace)

    return test


@scenario
async def test_replicas_that_start_at_once_agree_on_one_certificate(place: Place, client: Client) -> None:
    await configure(place)
    replicas = [Replica(client, place) for _ in range(3)]
    async with looking_after(*replicas):
        await until(lambda: all(replica.shown for replica in replicas))
    assert len({replica.shows for replica in replicas}) == 1
    assert believed(replicas[0].shows, await bundle(place))
    assert names_in(replicas[0].shows) == [f"hook.{place.namespace}.svc"]


@scenario
async def test_a_renewed_certificate_is_shown_only_when_its_authority_is_believed(place: Place, client: Client) -> None:
    await configure(place)
    replica, other = Replica(client, place), Replica(client, place)
    await replica.upkeep.step()
    await other.upkeep.step()
    first = replica.shows
    # Whoever wants longer lives finds that of the first nearly over.
    renewing = Replica(client, place, valid=10 * YEAR)
    await renewing.upkeep.step()
    for _ in range(3):
        trusted = await bundle(place)
        assert all(believed(one.shows, trusted) for one in (replica, other, renewing))
        await replica.upkeep.step()
        await other.upkeep.step()
    assert replica.shows == other.shows == renewing.shows != first
    assert len(await bundle(place)) == 2


@scenario
async def test_a_bundle_that_somebody_took_away_is_written_again(place: Place, client: Client) -> None:
    await configure(place)
    replica = Replica(client, place)
    await replica.upkeep.step()
    hook = (await place.read(WEBHOOK_CONFIGURATIONS, place.namespace))["webhooks"][0]
    hook["clientConfig"]["caBundle"] = base64.b64encode(Authority().certificate).decode()
    await place.merge(WEBHOOK_CONFIGURATIONS, place.namespace, {"webhooks": [hook]})
    assert not believed(replica.shows, await bundle(place))
    await replica.upkeep.step()
    assert believed(replica.shows, await bundle(place))
    assert len(replica.shown) == 1


@scenario
async def test_what_is_no_pair_in_the_secret_is_replaced(place: Place, client: Client) -> None:
    await configure(place)
    foreign = Authority()
    pair = foreign.server(["hook.example"])
    content = {"ca.crt": foreign.certificate, "tls.crt": pair.certificate, "tls.key": pair.key}
    good = {field: base64.b64encode(text).decode() for field, text in content.items()}
    other = {"ca.crt": base64.b64encode(Authority().certificate).decode()}
    for data in ({}, {"tls.crt": "QUJD"}, {**good, "tls.key": "QUJD"}, {**good, **other}, good):
        await place.create(SECRETS, {"metadata": {"name": SECRET}, "data": data})
        replica = Replica(client, place)
        await replica.upkeep.step()
        assert believed(replica.shows, await bundle(place))
        assert replica.shows != pair.certificate
        await place.delete(SECRETS, SECRET)


@scenario
async def test_a_configuration_with_a_url_is_served_under_its_name(place: Place, client: Client) -> None:
    await configure(place, url="https://192.0.2.7:8443/networking/v1/ingresses")
    replica = Replica(client, place)
    await replica.upkeep.step()
    assert names_in(replica.shows) == ["192.0.2.7"]


def test_it_goes_on_after_a_configuration_of_which_nothing_can_be_made(caplog: pytest.LogCaptureFixture) -> None:
    @scenario
    async def test(place: Place, client: Client) -> None:
        await place.create(WEBHOOK_CONFIGURATIONS, {"metadata": {"name": place.namespace}, "webhooks": []})
        replica = Replica(client, place)
        async with looking_after(replica):
            await until(lambda: replica.shown)
            await place.delete(WEBHOOK_CONFIGURATIONS, place.namespace)
            await configure(place, url="https://gäte.example:8443/")
            await until(lambda: "cannot be looked after: DNSName" in caplog.text)
            await place.delete(WEBHOOK_CONFIGURATIONS, place.namespace)
            await configure(place)
            await until(lambda: f"hook.{place.namespace}.svc" in names_in(replica.shows))

    test()


def test_it_waits_for_a_configuration_that_is_not_there_yet(caplog: pytest.LogCaptureFixture) -> None:
    @contract
    async def test(place: Place) -> None:
        async with Client(place.access) as client:
            replica = Replica(client, place)
            async with looking_after(replica):
                await until(lambda: "not found" in caplog.text)
                assert not replica.shown
                await configure(place)
                try:
                    await until(lambda: replica.shown)
                finally:
                    await place.delete(WEBHOOK_CONFIGURATIONS, place.namespace)

    test()


@scenario
async def test_the_rules_of_the_page_are_enough(place: Place, client: Client) -> None:
    async def is_made() -> bool:
        with suppress(ForbiddenError):
            await replica.upkeep.step()
        return bool(replica.shown)

    await configure(place)
    name = place.namespace
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "update"], "resourceNames": [SECRET]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]
    cluster_rule = {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingwebhookconfigurations"],
        "verbs": ["get", "update"],
        "resourceNames": [name],
    }
    async with Client(await place.account("gate")) as gate:
        replica = Replica(gate, place)
        await bind(place, ROLES, ROLE_BINDINGS, rules)
        await bind(place, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, [cluster_rule])
        try:
            # A real API server needs a moment before a new rule is in force everywhere.
            await until(is_made)
            for _ in range(2):
                await Replica(gate, place, valid=10 * YEAR).upkeep.step()
        finally:
            await place.delete(CLUSTER_ROLES, name)
            await place.delete(CLUSTER_ROLE_BINDINGS, name)


def test_a_key_is_never_shown_in_a_message() -> None:
    pair = Authority().server(["a.example"])
    assert "PRIVATE" not in repr(pair) + repr(msgspec.structs.asdict(Named("a/b", "c")))
