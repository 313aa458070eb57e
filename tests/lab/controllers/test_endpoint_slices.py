from typing import Any

from sevengate.cluster.resources import ENDPOINT_SLICES, PODS, SERVICES
from sevengate.lab.mirror import Object
from sevengate.lab.resources import ENDPOINTS
from tests.lab.controllers.clusters import SICK, Cluster, in_cluster, pod
from tests.waiting import until


def service(name: str, **spec: Any) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec}
    return {"metadata": {"name": name, "labels": {"team": "shop"}}, "spec": spec}


def slices(one: Cluster, name: str) -> list[Object]:
    found = one.all(ENDPOINT_SLICES).values()
    return [each for each in found if each["metadata"]["labels"]["kubernetes.io/service-name"] == name]


def endpoints(one: Cluster, name: str) -> dict[str, Object]:
    """The endpoints of a Service by the name of their pod."""
    found = [each for part in slices(one, name) for each in part.get("endpoints") or ()]
    return {each["targetRef"]["name"]: each for each in found}


def conditions(one: Cluster, name: str) -> dict[str, str]:
    """Which of ready, serving and terminating each endpoint is."""
    return {
        pod_: " ".join(kind for kind, holds in each["conditions"].items() if holds)
        for pod_, each in endpoints(one, name).items()
    }


def old_form(one: Cluster, name: str) -> dict[str, list[str]]:
    """The names of the pods in a Service's Endpoints, by readiness."""
    kinds = ("addresses", "notReadyAddresses")
    subsets = (one.get(ENDPOINTS, name) or {}).get("subsets") or ()
    return {kind: [each["targetRef"]["name"] for part in subsets for each in part.get(kind, ())] for kind in kinds}


@in_cluster
async def test_a_service_has_the_pods_that_it_selects(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(SERVICES, service("web"))
    await until(lambda: slices(one, "web"))
    for name, labels in {"a": {"app": "web"}, "b": {"app": "web", SICK: "yes"}, "c": {"app": "other"}}.items():
        await one.create(PODS, pod(name, labels))
    await until(lambda: conditions(one, "web") == {"a": "ready serving", "b": ""})
    [part] = slices(one, "web")
    assert part["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert part["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert part["metadata"]["labels"]["team"] == "shop"
    only = endpoints(one, "web")["a"]
    assert only["nodeName"] == "node01"
    assert only["addresses"] == [one.status(PODS, "a")["podIP"]]
    await until(lambda: old_form(one, "web") == {"addresses": ["a"], "notReadyAddresses": ["b"]})


@in_cluster
async def test_endpoints_follow_labels_readiness_and_the_end_of_pods(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(SERVICES, service("web"))
    await one.create(PODS, pod("a", {"app": "web"}))
    await until(lambda: conditions(one, "web") == {"a": "ready serving"})
    await one.merge(PODS, "a", {"metadata": {"labels": {"app": "other"}}})
    await until(lambda: conditions(one, "web") == {} and slices(one, "web"))
    await one.merge(PODS, "a", {"metadata": {"labels": {"app": "web"}}})
    await until(lambda: conditions(one, "web") == {"a": "ready serving"})
    await one.merge(PODS, "a", {"status": {"phase": "Failed"}}, "status")
    await until(lambda: conditions(one, "web") == {})


@in_cluster(kubelets=False)
async def test_a_pod_that_is_going_serves_on_but_is_not_ready(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(SERVICES, service("web"))
    await one.create(SERVICES, service("eager", selector={"app": "web"}, publishNotReadyAddresses=True))
    made = await one.create(PODS, pod("a", {"app": "web"}, nodeName="node01"))
    ready = {"podIP": "127.244.1.9", "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await one.merge(PODS, "a", {"status": ready}, "status")
    await until(lambda: conditions(one, "web") == {"a": "ready serving"})
    await one.work.writer.delete(PODS, made, grace=60)
    await until(lambda: conditions(one, "web") == {"a": "serving terminating"})
    await until(lambda: conditions(one, "eager") == {"a": "ready serving terminating"})
    await until(lambda: not (one.get(ENDPOINTS, "web") or {}).get("subsets"))


@in_cluster
async def test_a_named_port_is_looked_up_in_each_pod(one: Cluster) -> None:
    await one.nodes("node01")
    for name, number in {"old": 8080, "new": 9090}.items():
        container = {"name": "web", "image": "nginx", "ports": [{"name": "http", "containerPort": number}]}
        await one.create(PODS, pod(name, {"app": "web"}, containers=[container]))
    await one.create(SERVICES, service("web", ports=[{"port": 80, "targetPort": "http"}]))

    def held() -> set[tuple[int, str]]:
        return {
            (port["port"], each["targetRef"]["name"])
            for part in slices(one, "web")
            for port in part["ports"]
            for each in part["endpoints"]
        }

    await until(lambda: held() == {(8080, "old"), (9090, "new")})


@in_cluster
async def test_a_headless_service_has_endpoints_too_and_one_without_selector_none(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(PODS, pod("a", {"app": "web"}))
    await one.create(SERVICES, service("web", clusterIP="None"))
    await one.create(SERVICES, service("bare", selector=None))
    await until(lambda: conditions(one, "web") == {"a": "ready serving"})
    assert "service.kubernetes.io/headless" in slices(one, "web")[0]["metadata"]["labels"]
    assert slices(one, "bare") == []
    assert "bare" not in one.all(ENDPOINTS)


@in_cluster
async def test_slices_hold_a_hundred_endpoints_and_go_with_their_service(one: Cluster) -> None:
    await one.nodes("node01")
    made = await one.create(SERVICES, service("web"))
    for number in range(150):
        await one.create(PODS, pod(f"p{number}", {"app": "web"}))
    await until(lambda: list(conditions(one, "web").values()).count("ready serving") == 150)
    assert max(len(part["endpoints"]) for part in slices(one, "web")) == 100
    await one.work.writer.delete(SERVICES, made)
    await until(lambda: slices(one, "web") == [] and "web" not in one.all(ENDPOINTS))


@in_cluster
async def test_what_others_write_into_our_slices_is_put_right_and_their_own_are_left_alone(one: Cluster) -> None:
    await one.nodes("node01")
    await one.create(SERVICES, service("web"))
    await one.create(PODS, pod("a", {"app": "web"}))
    await until(lambda: conditions(one, "web") == {"a": "ready serving"})
    metadata = {"name": "theirs", "labels": {"kubernetes.io/service-name": "web"}}
    await one.create(ENDPOINT_SLICES, {"metadata": metadata, "addressType": "IPv4", "endpoints": [], "ports": []})
    [ours] = [each for each in slices(one, "web") if each["metadata"]["name"] != "theirs"]
    await one.merge(ENDPOINT_SLICES, ours["metadata"]["name"], {"endpoints": []})
    await until(lambda: conditions(one, "web") == {"a": "ready serving"})
    assert "theirs" in one.all(ENDPOINT_SLICES)
