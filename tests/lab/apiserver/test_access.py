"""Who gets in, and what they may do: certificates, tokens, RBAC and its reviews."""

import pytest

from sevengate.lab.apiserver.rbac import AUTHENTICATED, MASTERS, Attributes, User, allowed
from sevengate.lab.apiserver.running import serving_api
from sevengate.lab.apiserver.storage import Storage
from tests.lab.apiserver.serving import CONFIG_MAPS, Lab, Object, config_map, connected, in_lab

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}


def role(rule: Object) -> Object:
    return {"kind": "Role", "metadata": {"name": "reader"}, "rules": [rule]}


def binding(*subjects: Object) -> Object:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    return {"kind": "RoleBinding", "metadata": {"name": "reader"}, "roleRef": reference, "subjects": list(subjects)}


async def token_of(lab: Lab, name: str) -> str:
    answer = await lab.create(f"{ACCOUNTS}/{name}/token", {"spec": {"expirationSeconds": 600}})
    return str(answer.body["status"]["token"])


@in_lab
async def test_who_is_not_known_gets_nothing(lab: Lab) -> None:
    for token in ("", "nonsense", "a.b.c", "é"):
        async with connected(lab.running, token=token) as stranger:
            for path in ("/version", "/api", CONFIG_MAPS):
                assert (await stranger.get(path)).code == 401


@in_lab
async def test_a_service_account_may_do_what_its_roles_say_where_they_say_it(lab: Lab) -> None:
    await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
    await lab.create(CONFIG_MAPS, config_map("a"))
    async with connected(lab.running, token=await token_of(lab, "bob")) as bob:
        refused = await bob.get(CONFIG_MAPS)
        assert refused.code == 403
        assert 'User "system:serviceaccount:default:bob" cannot list resource "configmaps"' in refused.body["message"]
        await lab.create(f"{RBAC}/namespaces/default/roles", role(READ))
        subject = {"kind": "ServiceAccount", "name": "bob", "namespace": "default"}
        await lab.create(f"{RBAC}/namespaces/default/rolebindings", binding(subject))
        assert (await bob.get(CONFIG_MAPS)).code == 200
        assert (await bob.get(CONFIG_MAPS, watch="true")).code == 403
        assert (await bob.create(CONFIG_MAPS, config_map("b"))).code == 403
        assert (await bob.get("/api/v1/configmaps")).code == 403
        assert (await bob.get("/api/v1/namespaces/kube-system/configmaps")).code == 403
        assert (await bob.get("/lab/faults")).code == 403
        assert (await bob.get("/version")).code == 200


#: What they may do in the namespace in which they are bound: read secrets, write, give rights.
POWERS = {"view": (403, 403, 403), "edit": (200, 201, 403), "admin": (200, 201, 201), "cluster-admin": (200, 201, 201)}


@in_lab
async def test_the_roles_that_every_cluster_has_are_there(lab: Lab) -> None:
    for name, (reads, writes, gives) in POWERS.items():
        await lab.create(ACCOUNTS, {"metadata": {"name": name}})
        bound = binding({"kind": "ServiceAccount", "name": name})
        bound["metadata"]["name"] = name
        bound["roleRef"] |= {"kind": "ClusterRole", "name": name}
        assert (await lab.create(f"{RBAC}/namespaces/default/rolebindings", bound)).code == 201
        async with connected(lab.running, token=await token_of(lab, name)) as user:
            assert (await user.get(CONFIG_MAPS)).code == 200
            assert (await user.get("/api/v1/namespaces/default/secrets")).code == reads
            assert (await user.create(CONFIG_MAPS, config_map(name))).code == writes
            given = {**role(READ), "metadata": {"name": name}}
            assert (await user.create(f"{RBAC}/namespaces/default/roles", given)).code == gives
            assert (await user.get("/api/v1/namespaces/kube-system/configmaps")).code == 403


@in_lab
async def test_a_rule_for_a_name_lets_that_one_be_listed_and_no_other(lab: Lab) -> None:
    await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
    await lab.create(CONFIG_MAPS, config_map("a"))
    await lab.create(f"{RBAC}/namespaces/default/roles", role({**READ, "resourceNames": ["a"]}))
    await lab.create(f"{RBAC}/namespaces/default/rolebindings", binding({"kind": "ServiceAccount", "name": "bob"}))
    async with connected(lab.running, token=await token_of(lab, "bob")) as bob:
        listed = await bob.get(CONFIG_MAPS, fieldSelector="metadata.name=a")
        assert [one["metadata"]["name"] for one in listed.body["items"]] == ["a"]
        for selector in ("metadata.name=b", "metadata.name!=a", "metadata.namespace=default", ""):
            assert (await bob.get(CONFIG_MAPS, fieldSelector=selector)).code == 403


@in_lab
async def test_a_token_ends_with_its_account(lab: Lab) -> None:
    await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
    async with connected(lab.running, token=await token_of(lab, "bob")) as bob:
        assert (await bob.get("/version")).code == 200
        await lab.delete(f"{ACCOUNTS}/bob")
        await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
        assert (await bob.get("/version")).code == 401


@in_lab
async def test_a_token_that_was_tampered_with_is_worth_nothing(lab: Lab) -> None:
    await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
    token = await token_of(lab, "bob")
    head, claims, signature = token.split(".")
    for forged in (f"{head}.{claims}x.{signature}", f"{head}.{claims}.{signature[:-2]}AA", f"{head}.{claims}."):
        async with connected(lab.running, token=forged) as stranger:
            assert (await stranger.get("/version")).code == 401


@in_lab
async def test_a_token_of_another_lab_is_worth_nothing(lab: Lab) -> None:
    async with serving_api() as other:
        owner = other.client("owner", MASTERS)
        async with connected(other, owner) as elsewhere:
            await elsewhere.create(ACCOUNTS, {"metadata": {"name": "bob"}})
            token = await token_of(elsewhere, "bob")
    async with connected(lab.running, token=token) as stranger:
        assert (await stranger.get("/version")).code == 401


@in_lab
async def test_a_review_says_what_would_be_allowed(lab: Lab) -> None:
    await lab.create(f"{RBAC}/namespaces/default/roles", role(READ))
    await lab.create(f"{RBAC}/namespaces/default/rolebindings", binding({"kind": "Group", "name": "readers"}))
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    for verb, groups, expected in (("get", ["readers"], True), ("get", [], False), ("delete", ["readers"], False)):
        wanted = {"verb": verb, "resource": "configmaps", "namespace": "default"}
        answer = await lab.create(reviews, {"spec": {"user": "ann", "groups": groups, "resourceAttributes": wanted}})
        assert answer.body["status"]["allowed"] is expected


@in_lab
async def test_a_token_review_names_its_owner(lab: Lab) -> None:
    await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    known = await lab.create(reviews, {"spec": {"token": await token_of(lab, "bob")}})
    assert known.body["status"]["user"]["username"] == "system:serviceaccount:default:bob"
    unknown = await lab.create(reviews, {"spec": {"token": "x"}})
    assert unknown.body["status"] == {"authenticated": False}


@in_lab
async def test_only_who_may_impersonate_acts_as_another(lab: Lab) -> None:
    await lab.create(ACCOUNTS, {"metadata": {"name": "bob"}})
    as_ann = {"Impersonate-User": "ann"}
    assert (await lab.ask("GET", CONFIG_MAPS, headers=as_ann)).code == 403
    async with connected(lab.running, token=await token_of(lab, "bob")) as bob:
        for headers in ({"Impersonate-User": "lab-owner", "Impersonate-Group": MASTERS}, as_ann):
            refused = await bob.ask("GET", "/version", headers=headers)
            assert (refused.code, "cannot impersonate" in refused.body["message"]) == (403, True)


def stored(rule: Object) -> Storage:
    storage = Storage()
    metadata = {"name": "reader", "uid": "u"}
    storage.put(("rbac.authorization.k8s.io", "clusterroles"), ("", "reader"), {"metadata": metadata, "rules": [rule]})
    bound = {"metadata": {"name": "b", "uid": "v"}, "subjects": [{"kind": "User", "name": "ann"}]}
    bound["roleRef"] = {"kind": "ClusterRole", "name": "reader"}
    storage.put(("rbac.authorization.k8s.io", "clusterrolebindings"), ("", "b"), bound)
    return storage


@pytest.mark.parametrize(
    ("rule", "wanted", "expected"),
    [
        (READ, Attributes("get", "", "configmaps"), True),
        (READ, Attributes("get", "apps", "configmaps"), False),
        (READ, Attributes("get", "", "configmaps", "status"), False),
        ({**READ, "resources": ["configmaps/status"]}, Attributes("get", "", "configmaps", "status"), True),
        ({**READ, "resources": ["configmaps/status"]}, Attributes("get", "", "configmaps"), False),
        ({**READ, "resources": ["*/status"]}, Attributes("get", "", "configmaps", "status"), True),
        ({**READ, "resources": ["*"]}, Attributes("get", "", "configmaps", "status"), True),
        ({**READ, "resourceNames": ["a"]}, Attributes("get", "", "configmaps", name="a"), True),
        ({**READ, "resourceNames": ["a"]}, Attributes("get", "", "configmaps", name="b"), False),
        ({**READ, "resourceNames": ["a"]}, Attributes("list", "", "configmaps"), False),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, Attributes("get", path="/metrics"), True),
        ({"nonResourceURLs": ["/logs/*"], "verbs": ["get"]}, Attributes("get", path="/logs/a"), True),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, Attributes("get", path="/metrics/a"), False),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, Attributes("get", path="/metrics"), False),
    ],
)
def test_a_rule_covers_what_it_says_and_nothing_more(rule: Object, wanted: Attributes, expected: bool) -> None:
    assert allowed(stored(rule), User("ann", (AUTHENTICATED,)), wanted) is expected
    assert not allowed(stored(rule), User("bob", (AUTHENTICATED,)), wanted)
    assert allowed(stored(rule), User("root", (MASTERS,)), wanted)
