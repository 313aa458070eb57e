"""What kubectl prints: cells of the common types, ages, and JSON paths of custom columns."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.columns import COLUMNS
from sevengate.lab.apiserver.durations import age, short
from sevengate.lab.apiserver.tables import cells, definitions, find

NOW = datetime(2026, 1, 2, tzinfo=UTC)
META = {"name": "x", "creationTimestamp": "2026-01-01T22:00:00Z"}
RESOURCES = Api().resources


def shown(api_version: str, kind: str, **rest: Any) -> dict[str, Any]:
    group, _, version = api_version.rpartition("/")
    resource = next(one for one in RESOURCES if (one.group, one.version, one.kind) == (group, version, kind))
    titles = [column["name"] for column in definitions(resource)]
    return dict(zip(titles, cells({"metadata": META, **rest}, resource, NOW), strict=True))


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        (
            {"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [{"port": 80}]},
            {},
            ("10.96.0.1", "<none>", "80/TCP"),
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]},
            {},
            ("<none>", "<none>", "80:30080/TCP,53/UDP"),
        ),
        ({"type": "LoadBalancer"}, {}, ("<none>", "<pending>", "<none>")),
        (
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb"}]}},
            ("<none>", "192.0.2.1,lb", "<none>"),
        ),
        ({"type": "ExternalName", "externalName": "a.example"}, {}, ("<none>", "a.example", "<none>")),
        ({"type": "ClusterIP", "externalIPs": ["192.0.2.9"]}, {}, ("<none>", "192.0.2.9", "<none>")),
    ],
)
def test_a_service_shows_its_addresses_and_ports(spec: Any, status: Any, expected: tuple[str, str, str]) -> None:
    row = shown("v1", "Service", spec=spec, status=status)
    assert (row["Cluster-IP"], row["External-IP"], row["Port(s)"]) == expected
    assert row["Age"] == "120m"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"running": {}}, "Running"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, "CrashLoopBackOff"),
        ({"waiting": {"reason": "ErrImagePull"}}, "ErrImagePull"),
        ({"terminated": {"reason": "Completed"}}, "Completed"),
        ({"terminated": {"exitCode": 3}}, "ExitCode:3"),
    ],
)
def test_a_pod_shows_why_it_does_not_run(state: Any, expected: str) -> None:
    status = {"phase": "Running", "containerStatuses": [{"ready": False, "restartCount": 2, "state": state}]}
    row = shown("v1", "Pod", spec={"containers": [{"name": "a"}]}, status=status)
    assert (row["Ready"], row["Status"], row["Restarts"]) == ("0/1", expected, "2")


def status(name: str, state: Any = None, *, ready: bool = False, **more: Any) -> Any:
    return {"name": name, "ready": ready, "restartCount": 0, "state": state or {"running": {}}, **more}


def word(spec: Any, **statuses: Any) -> tuple[str, str]:
    row = shown("v1", "Pod", spec=spec, status={"phase": "Running", **statuses})
    return row["Ready"], row["Status"]


INIT = [{"name": "first"}, {"name": "second"}]
DONE, WAITS = {"terminated": {"exitCode": 0, "reason": "Completed"}}, {"waiting": {"reason": "PodInitializing"}}
CRASHES = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"running": {}}, WAITS, "Init:0/2"),
        (DONE, {"running": {}}, "Init:1/2"),
        (DONE, CRASHES, "Init:CrashLoopBackOff"),
        ({"terminated": {"exitCode": 3, "reason": "Error"}}, WAITS, "Init:Error"),
        (DONE, DONE, "PodInitializing"),
    ],
)
def test_a_pod_shows_how_far_its_init_containers_are(first: Any, second: Any, expected: str) -> None:
    spec = {"initContainers": INIT, "containers": [{"name": "web"}]}
    statuses = [status("first", first), status("second", second)]
    assert word(spec, initContainerStatuses=statuses, containerStatuses=[status("web", WAITS)]) == ("0/1", expected)


def test_a_sidecar_counts_as_a_container() -> None:
    spec = {"initContainers": [{"name": "beside", "restartPolicy": "Always"}], "containers": [{"name": "web"}]}
    beside = status("beside", ready=True, started=True)
    main = [status("web", ready=True)]
    assert word(spec, initContainerStatuses=[beside], containerStatuses=main) == ("2/2", "Running")


def test_the_first_container_that_something_is_wrong_with_is_named() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    three = [status("a", ready=True), status("b", CRASHES), status("c", {"waiting": {"reason": "ErrImagePull"}})]
    assert word(spec, containerStatuses=three) == ("1/3", "CrashLoopBackOff")
    assert word(spec, containerStatuses=[status("a", ready=True), status("b", DONE)]) == ("1/3", "NotReady")


def test_a_pod_shows_when_it_was_restarted() -> None:
    last = {"terminated": {"finishedAt": "2026-01-01T23:59:30Z"}}
    crashed = {**status("a"), "restartCount": 2, "lastState": last}
    row = shown("v1", "Pod", spec={"containers": [{"name": "a"}]}, status={"containerStatuses": [crashed]})
    assert row["Restarts"] == "2 (30s ago)"


def test_a_budget_shows_what_it_allows() -> None:
    row = shown("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1}, status={"disruptionsAllowed": 2})
    assert [row[title] for title in ("Min Available", "Max Unavailable", "Allowed Disruptions")] == ["1", "N/A", 2]


def test_an_ingress_shows_hosts_class_and_ports() -> None:
    rules = [{"host": f"h{number}"} for number in range(4)]
    row = shown("networking.k8s.io/v1", "Ingress", spec={"rules": rules, "tls": [{}]})
    assert (row["Class"], row["Hosts"], row["Ports"]) == ("<none>", "h0,h1,h2 + 1 more...", "80, 443")
    assert shown("networking.k8s.io/v1", "Ingress", spec={"defaultBackend": {}})["Hosts"] == "*"


def test_an_event_shows_the_same_under_both_of_its_names() -> None:
    about = {"kind": "Ingress", "name": "shop"}
    said = {"type": "Warning", "reason": "Odd", "eventTime": "2026-01-01T23:00:00Z"}
    core = shown("v1", "Event", involvedObject=about, message="no port", reportingComponent="gate", **said)
    new = shown("events.k8s.io/v1", "Event", regarding=about, note="no port", reportingController="gate", **said)
    assert new == core
    assert [new[title] for title in ("Object", "Message", "Source")] == ["ingress/shop", "no port", "gate"]


def test_a_node_shows_its_roles_and_state() -> None:
    resource = next(one for one in RESOURCES if one.kind == "Node")
    metadata = META | {"labels": {"node-role.kubernetes.io/control-plane": ""}}
    node = {
        "metadata": metadata,
        "spec": {"unschedulable": True},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert cells(node, resource, NOW)[:3] == ["x", "Ready,SchedulingDisabled", "control-plane"]


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_every_row_has_a_cell_for_each_column(kind: str) -> None:
    resource = next(one for one in RESOURCES if one.kind == kind)
    thing = {"metadata": META, "spec": {"schedule": ""}, "roleRef": {"kind": "Role", "name": "r"}}
    assert len(cells(thing, resource, NOW)) == len(definitions(resource))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"),
        (600, "10m"), (10799, "179m"), (10800, "3h"), (3 * 3600 + 120, "3h2m"), (8 * 3600, "8h"),
        (47 * 3600, "47h"), (48 * 3600, "2d"),
        (50 * 3600, "2d2h"), (8 * 86400, "8d"), (700 * 86400, "700d"), (3 * 365 * 86400, "3y"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_a_duration_is_written_as_kubectl_does(seconds: int, text: str) -> None:
    assert short(seconds) == text


def test_an_age_that_is_not_known_is_told_so() -> None:
    assert (age(None, NOW), age("yesterday", NOW)) == ("<unknown>", "<invalid>")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]),
        (".spec['a.b']", [1]),
        (".spec.list[1].n", [2]),
        (".spec.list[*].n", [1, 2]),
        ('.spec.list[?(@.t=="y")].n', [2]),
        (".spec.nothing.at.all", []),
        (".spec.list[9].n", []),
    ],
)
def test_a_path_finds_its_values(path: str, found: list[Any]) -> None:
    assert find({"spec": {"size": 3, "a.b": 1, "list": [{"t": "x", "n": 1}, {"t": "y", "n": 2}]}}, path) == found
