"""How objects go: at once, after their finalizers, with or without what they own, and with their namespace."""

from typing import Any

from tests.lab.apiserver.serving import CONFIG_MAPS, DEPLOYMENTS, PODS, Answer, Lab, config_map, deployment, in_lab, pod


def owned_by(body: dict[str, Any], *owners: Answer, blocks: bool = True) -> dict[str, Any]:
    references = [
        {
            "apiVersion": owner.body["apiVersion"],
            "kind": owner.body["kind"],
            "name": owner.body["metadata"]["name"],
            "uid": owner.body["metadata"]["uid"],
            "blockOwnerDeletion": blocks,
        }
        for owner in owners
    ]
    return body | {"metadata": {**body["metadata"], "ownerReferences": references}}


async def names(lab: Lab, path: str) -> list[str]:
    return [one["metadata"]["name"] for one in (await lab.get(path)).body["items"]]


@in_lab
async def test_what_holds_nothing_back_is_gone_at_once(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    gone = await lab.delete(f"{CONFIG_MAPS}/a")
    assert (gone.code, gone.body["status"]) == (200, "Success")
    assert (await lab.get(f"{CONFIG_MAPS}/a")).code == 404
    assert (await lab.delete(f"{CONFIG_MAPS}/a")).code == 404


@in_lab
async def test_a_finalizer_holds_an_object_back(lab: Lab) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["example.com/wait"]
    await lab.create(CONFIG_MAPS, body)
    held = await lab.delete(f"{CONFIG_MAPS}/a")
    assert held.body["metadata"]["deletionTimestamp"]
    await lab.merge(f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": None}})
    assert (await lab.get(f"{CONFIG_MAPS}/a")).code == 404


@in_lab
async def test_a_pod_on_a_node_has_grace_until_its_kubelet_ends_it(lab: Lab) -> None:
    await lab.create(PODS, pod("one", "node01"))
    ending = await lab.delete(f"{PODS}/one", {"gracePeriodSeconds": 5})
    assert ending.body["metadata"]["deletionGracePeriodSeconds"] == 5
    assert (await lab.get(f"{PODS}/one")).code == 200
    await lab.delete(f"{PODS}/one", {"gracePeriodSeconds": 0})
    assert (await lab.get(f"{PODS}/one")).code == 404


@in_lab
async def test_a_pod_on_no_node_is_gone_at_once(lab: Lab) -> None:
    await lab.create(PODS, pod("one"))
    await lab.delete(f"{PODS}/one")
    assert (await lab.get(f"{PODS}/one")).code == 404


@in_lab
async def test_what_an_object_owns_goes_with_it(lab: Lab) -> None:
    owner = await lab.create(DEPLOYMENTS, deployment("shop"))
    child = await lab.create(CONFIG_MAPS, owned_by(config_map("child"), owner))
    await lab.create(CONFIG_MAPS, owned_by(config_map("grandchild"), child))
    await lab.delete(f"{DEPLOYMENTS}/shop")
    assert await names(lab, CONFIG_MAPS) == []


@in_lab
async def test_what_others_own_too_stays_and_loses_one_owner(lab: Lab) -> None:
    owners = [await lab.create(DEPLOYMENTS, deployment(name)) for name in ("one", "two")]
    await lab.create(CONFIG_MAPS, owned_by(config_map("child"), *owners))
    await lab.delete(f"{DEPLOYMENTS}/one")
    child = await lab.get(f"{CONFIG_MAPS}/child")
    assert [one["name"] for one in child.body["metadata"]["ownerReferences"]] == ["two"]


@in_lab
async def test_an_orphan_stays_without_its_owner(lab: Lab) -> None:
    owner = await lab.create(DEPLOYMENTS, deployment("shop"))
    await lab.create(CONFIG_MAPS, owned_by(config_map("child"), owner))
    await lab.delete(f"{DEPLOYMENTS}/shop", {"propagationPolicy": "Orphan"})
    assert (await lab.get(f"{CONFIG_MAPS}/child")).body["metadata"]["ownerReferences"] == []


@in_lab
async def test_in_the_foreground_the_owner_waits_for_what_it_owns(lab: Lab) -> None:
    owner = await lab.create(DEPLOYMENTS, deployment("shop"))
    child = owned_by(config_map("child"), owner)
    child["metadata"]["finalizers"] = ["example.com/wait"]
    await lab.create(CONFIG_MAPS, child)
    waiting = await lab.delete(f"{DEPLOYMENTS}/shop", {"propagationPolicy": "Foreground"})
    assert waiting.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await lab.merge(f"{CONFIG_MAPS}/child", {"metadata": {"finalizers": None}})
    assert (await lab.get(f"{DEPLOYMENTS}/shop")).code == 404
    assert await names(lab, CONFIG_MAPS) == []


@in_lab
async def test_what_is_owned_by_nobody_that_exists_does_not_stay(lab: Lab) -> None:
    owner = await lab.create(DEPLOYMENTS, deployment("shop"))
    await lab.delete(f"{DEPLOYMENTS}/shop")
    await lab.create(CONFIG_MAPS, owned_by(config_map("late"), owner))
    assert await names(lab, CONFIG_MAPS) == []


@in_lab
async def test_a_namespace_goes_when_it_is_empty(lab: Lab) -> None:
    await lab.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "away"}})
    path = "/api/v1/namespaces/away/configmaps"
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    await lab.create(path, held)
    await lab.create(path, config_map("free"))
    ending = await lab.delete("/api/v1/namespaces/away")
    assert ending.body["status"]["phase"] == "Terminating"
    assert await names(lab, path) == ["held"]
    assert (await lab.create(path, config_map("late"))).code == 403
    await lab.merge(f"{path}/held", {"metadata": {"finalizers": None}})
    assert (await lab.get("/api/v1/namespaces/away")).code == 404


@in_lab
async def test_a_precondition_saves_another_object_of_the_name(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    refused = await lab.delete(f"{CONFIG_MAPS}/a", {"preconditions": {"uid": "another"}})
    assert (refused.code, (await lab.get(f"{CONFIG_MAPS}/a")).code) == (409, 200)


@in_lab
async def test_many_are_deleted_by_a_selector(lab: Lab) -> None:
    for name in ("a", "b", "c"):
        body = config_map(name)
        body["metadata"]["labels"] = {"go": "yes" if name != "b" else "no"}
        await lab.create(CONFIG_MAPS, body)
    await lab.delete(CONFIG_MAPS, labelSelector="go=yes")
    assert await names(lab, CONFIG_MAPS) == ["b"]


@in_lab
async def test_an_eviction_deletes_a_pod(lab: Lab) -> None:
    await lab.create(PODS, pod("one"))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one"}}
    assert (await lab.create(f"{PODS}/one/eviction", eviction)).code == 201
    assert await names(lab, PODS) == []


@in_lab
async def test_options_that_make_no_sense_delete_nothing(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("a"))
    odd: tuple[dict[str, Any], ...] = (
        {"gracePeriodSeconds": "soon"},
        {"propagationPolicy": "Sideways"},
        {"preconditions": []},
    )
    for options in odd:
        assert (await lab.delete(f"{CONFIG_MAPS}/a", options)).code in {400, 422}
    assert await names(lab, CONFIG_MAPS) == ["a"]
