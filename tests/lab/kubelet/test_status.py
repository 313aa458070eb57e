"""What a pod's status says, from what its containers do."""

from typing import Any

import pytest

from sevengate.lab.kubelet.status import Addresses, Exit, State, pod_status

Object = dict[str, Any]
WHERE = Addresses("127.244.1.2", "127.168.217.66")
GOOD, BAD = (Exit(code, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z") for code in (0, 1))


def state(name: str = "web", **more: Any) -> State:
    return State(name, "nginx", **more)


def running(name: str = "web", *, is_ready: bool = True) -> State:
    return state(name, running_since="2026-01-01T00:00:00Z", is_ready=is_ready, is_started=True)


def pod(policy: str = "Always", **status: Any) -> Object:
    return {
        "metadata": {"name": "web"},
        "spec": {"restartPolicy": policy, "containers": [{"name": "web"}]},
        "status": status,
    }


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [state()], "Pending"),
        ("Always", [running()], "Running"),
        ("Always", [state(last=BAD, reason="CrashLoopBackOff")], "Running"),
        ("OnFailure", [state(exit=GOOD)], "Succeeded"),
        ("OnFailure", [state(exit=BAD)], "Running"),
        ("Never", [state(exit=GOOD), state(exit=BAD)], "Failed"),
        ("Never", [state(exit=GOOD), running()], "Running"),
    ],
)
def test_the_phase_follows_from_containers_and_policy(policy: str, states: list[State], phase: str) -> None:
    assert pod_status(pod(policy), [], states, WHERE)["phase"] == phase


def test_a_pod_whose_first_container_failed_for_good_has_failed() -> None:
    assert pod_status(pod("Never"), [state("first", exit=BAD)], [state()], WHERE)["phase"] == "Failed"
    assert pod_status(pod("OnFailure"), [state("first", exit=BAD)], [state()], WHERE)["phase"] == "Pending"


def conditions(status: Object) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    unready = pod_status(pod(), [], [running("a"), running("b", is_ready=False)], WHERE)
    assert conditions(unready)["Ready"] == "False"
    assert (
        next(one["message"] for one in unready["conditions"] if one["type"] == "Ready")
        == "containers with unready status: [b]"
    )
    assert conditions(pod_status(pod(), [], [running("a"), running("b")], WHERE))["Ready"] == "True"


def test_a_readiness_gate_holds_a_pod_back_until_somebody_opens_it() -> None:
    gated = pod(conditions=[{"type": "example.com/open", "status": "False"}])
    gated["spec"]["readinessGates"] = [{"conditionType": "example.com/open"}]
    found = conditions(pod_status(gated, [], [running()], WHERE))
    assert (found["ContainersReady"], found["Ready"], found["example.com/open"]) == ("True", "False", "False")
    gated["status"]["conditions"][0]["status"] = "True"
    assert conditions(pod_status(gated, [], [running()], WHERE))["Ready"] == "True"


def test_a_condition_keeps_its_moment_as_long_as_it_stays() -> None:
    since = "2020-01-01T00:00:00Z"
    held = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    found = {one["type"]: one for one in pod_status(pod(conditions=held), [], [running()], WHERE)["conditions"]}
    assert found["Ready"]["lastTransitionTime"] == since
    assert found["Initialized"]["lastTransitionTime"] != since


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_the_quality_of_service_follows_from_resources(resources: Object, quality: str) -> None:
    thing = pod()
    thing["spec"]["containers"][0]["resources"] = resources
    assert pod_status(thing, [], [running()], WHERE)["qosClass"] == quality
