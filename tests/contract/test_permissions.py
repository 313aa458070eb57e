"""What docs/cluster.md lists is enough, and where a rule of it is missing, the diagnostic names it."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from sevengate.cluster.access import Access
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ForbiddenError, NotFoundError
from sevengate.cluster.plan import Scope, plan
from sevengate.cluster.resources import CONFIG_MAPS, INGRESSES, LEASES, SERVICES, Resource
from sevengate.kube.snapshot import Snapshot
from tests.contract.clusters import Place, Plain, contract, play
from tests.contract.following import following, watching
from tests.contract.objects import ingress
from tests.contract.test_publishing import ADDRESSES, addresses, publishing, told_of
from tests.waiting import until

RBAC = "rbac.authorization.k8s.io/v1"
ROLES = Resource(RBAC, "Role", "roles")
ROLE_BINDINGS = Resource(RBAC, "RoleBinding", "rolebindings")
CLUSTER_ROLES = Resource(RBAC, "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"


class Rule(msgspec.Struct, frozen=True):
    """Verbs on one resource of one API group."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def plain(self) -> Plain:
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}


READ = ("list", "watch")
IN_A_NAMESPACE = (
    Rule("networking.k8s.io", "ingresses", ("get", *READ)),
    Rule("", "services", READ),
    Rule("discovery.k8s.io", "endpointslices", READ),
    Rule("", "secrets", READ),
    Rule("", "configmaps", READ),
    Rule("", "pods", READ),
    Rule("networking.k8s.io", "ingresses/status", ("patch",)),
    Rule("events.k8s.io", "events", ("create",)),
    Rule("coordination.k8s.io", "leases", ("get", "create", "update")),
)
IN_THE_CLUSTER = (
    Rule("networking.k8s.io", "ingressclasses", READ),
    Rule("", "nodes", READ),
)
FOLLOWED = [rule.resource for rule in (*IN_A_NAMESPACE, *IN_THE_CLUSTER) if set(READ) <= set(rule.verbs)]


def scope_of(place: Place) -> Scope:
    """Give a Scope that needs all the rules for reading."""
    return Scope(
        namespace=place.namespace,
        config_map=f"{place.namespace}/settings",
        pod=f"{place.namespace}/gate-1",
        nodes=True,
    )


async def bind(place: Place, role: Resource, binding: Resource, rules: Iterable[Plain]) -> str:
    """Give the ServiceAccount `gate` these rules; the name is one that nobody else in the cluster has."""
    name = place.namespace
    subject = {"kind": "ServiceAccount", "name": "gate", "namespace": place.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role.kind, "name": name}
    await place.create(role, {"metadata": {"name": name}, "rules": list(rules)})
    await place.create(binding, {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})
    return name


@asynccontextmanager
async def gate_account(place: Place, without: str = "") -> AsyncIterator[Access]:
    """Be a ServiceAccount with all the rules but one."""

    def but(rules: Sequence[Rule]) -> list[Plain]:
        return [rule.plain() for rule in rules if rule.resource != without]

    access = await place.account("gate")
    async with AsyncExitStack() as undo:
        client = await undo.enter_async_context(Client(access))
        if not await is_refused(client, place):
            pytest.skip("this API server lets everybody do everything")
        await bind(place, ROLES, ROLE_BINDINGS, but(IN_A_NAMESPACE))
        name = await bind(place, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, but(IN_THE_CLUSTER))
        undo.push_async_callback(place.delete, CLUSTER_ROLES, name)
        undo.push_async_callback(place.delete, CLUSTER_ROLE_BINDINGS, name)
        await until(partial(is_allowed, client, place))
        yield access


async def is_refused(client: Client, place: Place) -> bool:
    """Say whether no rule is in force; every account that is bound may read Leases."""
    try:
        await client.get(place.path(LEASES, "none"))
    except ForbiddenError:
        return True
    except NotFoundError:
        return False
    raise AssertionError("there is a Lease that nobody made")


async def is_allowed(client: Client, place: Place) -> bool:
    return not await is_refused(client, place)


@contract
async def test_the_rules_are_enough_to_follow_everything(place: Place) -> None:
    await place.create(INGRESSES, ingress("shop"))
    await place.create(CONFIG_MAPS, {"metadata": {"name": "settings"}, "data": {"use-gzip": "true"}})
    async with (
        gate_account(place) as access,
        Client(access) as client,
        watching(client, scope_of(place)) as world,
    ):
        await until(lambda: f"{place.namespace}/settings" in world.snapshot.config_maps)
        assert f"{place.namespace}/shop" in world.snapshot.ingresses
        await place.create(SERVICES, {"metadata": {"name": "shop"}, "spec": {"ports": [{"port": 80}]}})
        await until(lambda: world.snapshot.services)
        # A real API server needs a moment before a new rule is in force everywhere.
        await until(lambda: world.state and world.state.diagnostics == ())


@contract
async def test_the_rules_are_enough_to_lead_and_to_write(place: Place) -> None:
    async def is_written() -> bool:
        return await addresses(place, "shop") == ADDRESSES and bool(await told_of(place, "shop"))

    await place.create(INGRESSES, ingress("shop"))
    async with gate_account(place) as access, Client(access) as client, publishing(place, client):
        await until(is_written)
        assert (await place.read(LEASES, "ingress-controller-leader"))["spec"]["holderIdentity"] == "gate-1"


@pytest.mark.parametrize("resource", FOLLOWED)
def test_a_rule_that_is_missing_is_named(resource: str) -> None:
    async def scenario(place: Place) -> None:
        async with gate_account(place, without=resource) as access, Client(access) as client:
            [selection] = (one for one in plan(scope_of(place), Snapshot()) if one.resource.plural == resource)
            async with following(client, selection) as one:
                await until(lambda: [*one.reflector.diagnostics])
                [diagnostic] = one.reflector.diagnostics
                assert diagnostic.code == "cluster/forbidden"
                assert f"no RBAC rule gives verbs list and watch on {resource} of apiGroup" in diagnostic.message
                assert one.reflector.is_synced is not selection.required

    play(scenario)


def test_the_page_lists_each_rule() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rule in (*IN_A_NAMESPACE, *IN_THE_CLUSTER):
        row = next(line for line in page.splitlines() if line.startswith("|") and f"`{rule.resource}`" in line)
        assert all(re.search(rf"\b{verb}\b", row) for verb in rule.verbs), row
