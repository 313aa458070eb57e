"""What the API server says where no kubelet is asked; that kubelets are asked is proved in tests/lab/kubelet."""

from tests.lab.apiserver.serving import PODS, Lab, connected, in_lab, pod

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
SPDY = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade"}


async def running_pod(lab: Lab) -> None:
    await lab.create(PODS, pod("web", node="node01"))
    one = {"name": "web", "image": "nginx", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}
    changed = await lab.merge(f"{PODS}/web/status", {"status": {"phase": "Running", "containerStatuses": [one]}})
    assert changed.code == 200


async def made_node(lab: Lab, **status: object) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node01"}}
    await lab.create("/api/v1/nodes", node)
    await lab.merge("/api/v1/nodes/node01/status", {"status": status})


@in_lab
async def test_a_log_that_nobody_can_give_is_refused_with_the_reason(lab: Lab) -> None:
    assert (await lab.get(f"{PODS}/none/log")).code == 404
    await lab.create(PODS, pod("lost"))
    unbound = await lab.get(f"{PODS}/lost/log")
    assert (unbound.code, unbound.body["message"]) == (400, "pod lost does not have a host assigned")
    await running_pod(lab)
    assert (await lab.get(f"{PODS}/web/log")).body["message"] == 'nodes "node01" not found'
    assert "container other is not valid" in (await lab.get(f"{PODS}/web/log", container="other")).body["message"]
    await made_node(lab)
    assert "does not say where its kubelet is" in (await lab.get(f"{PODS}/web/log")).body["message"]
    bad = await lab.get(f"{PODS}/web/log", tailLines="many")
    assert bad.code == 400


@in_lab
async def test_a_kubelet_that_does_not_answer_is_said(lab: Lab) -> None:
    await running_pod(lab)
    addresses, port = [{"type": "InternalIP", "address": "127.0.0.1"}], {"kubeletEndpoint": {"Port": 1}}
    await made_node(lab, addresses=addresses, daemonEndpoints=port)
    answer = await lab.get(f"{PODS}/web/log")
    assert (answer.code, "kubelet cannot be reached" in answer.body["message"]) == (500, True)


@in_lab
async def test_a_client_that_knows_no_websockets_is_told_what_to_do(lab: Lab) -> None:
    await running_pod(lab)
    await made_node(
        lab,
        addresses=[{"type": "InternalIP", "address": "127.0.0.1"}],
        daemonEndpoints={"kubeletEndpoint": {"Port": 1}},
    )
    refused = await lab.ask("POST", f"{PODS}/web/exec", query={"command": "sh"}, headers=SPDY)
    assert "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true" in refused.body["message"]
    assert "forwards no ports" in (await lab.ask("POST", f"{PODS}/web/portforward", headers=SPDY)).body["message"]


@in_lab
async def test_a_command_in_a_pod_takes_the_right_to_create_and_its_log_the_right_to_read(lab: Lab) -> None:
    await running_pod(lab)
    await lab.create(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})
    rules = [{"apiGroups": [""], "resources": ["pods/exec", "pods/log"], "verbs": ["get"]}]
    group = "rbac.authorization.k8s.io"
    await lab.create(
        f"{ROLES}/roles", {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": rules}
    )
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader"}],
    }
    await lab.create(f"{ROLES}/rolebindings", binding)
    token = (await lab.create(f"{ACCOUNTS}/reader/token", {"spec": {}})).body["status"]["token"]
    async with connected(lab.running, token=token) as reader:
        assert (await reader.get(f"{PODS}/web/exec", command="sh")).code == 403
        assert (await reader.get(f"{PODS}/web/log")).body["message"] == 'nodes "node01" not found'


@in_lab
async def test_it_is_published_whose_certificate_the_api_server_shows(lab: Lab) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    assert (await lab.get(path)).body["data"] == {"client-ca-file": lab.running.authority.decode()}
