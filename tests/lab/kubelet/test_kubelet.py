"""Pods as real processes, seen through real kubectl and real requests."""

import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.kubelet.nodes import Nodes, Object, pod, running_nodes, shell, state, waits_for

PAGE = "/usr/share/nginx/html/index.html"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with running_nodes() as running:
        yield running


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def test_a_page_that_was_changed_by_exec_is_served_by_that_pod_alone(nodes: Nodes) -> None:
    nodes.apply(pod("web01"), pod("web02", node="node02"))
    nodes.until_ready("web01", "web02")
    nodes.kubectl("exec", "web01", "--", "sh", "-c", f"echo this is web01 > {PAGE}")
    assert ask(f"http://{nodes.address('web01')}/") == "this is web01\n"
    assert "Welcome to nginx" in ask(f"http://{nodes.address('web02')}/")


def test_an_exec_gives_output_errors_and_exit_status(nodes: Nodes) -> None:
    nodes.apply(shell("tool", "sleep 1000"))
    nodes.until_ready("tool")
    assert nodes.kubectl("exec", "-i", "tool", "--", "cat", given="hello\n") == "hello\n"
    assert nodes.kubectl("exec", "tool", "--", "hostname") == "tool\n"
    failed = nodes.kubectl("exec", "tool", "--", "sh", "-c", "echo oh no >&2; exit 7", fails=True)
    assert "oh no" in failed
    assert "exit code 7" in failed
    assert "executable file not found" in nodes.kubectl("exec", "tool", "--", "no-such-program", fails=True)


def test_an_exec_with_a_terminal_is_one(nodes: Nodes) -> None:
    nodes.apply(shell("terminal", "sleep 1000"))
    nodes.until_ready("terminal")
    command = " ".join(nodes.command("exec", "-it", "terminal", "--", "sh", "-c", "'tty && echo it is'"))
    # script(1) gives kubectl a terminal, without which it asks for none.
    run = subprocess.run(
        ["script", "-qec", command, "/dev/null"], env=nodes.environment, capture_output=True, text=True, check=True
    )
    assert "/dev/pts/" in run.stdout
    assert "it is" in run.stdout


def test_who_attaches_to_a_container_speaks_with_it(nodes: Nodes) -> None:
    nodes.apply(
        shell("asking", "read name; echo hello $name", stdin=True, stdinOnce=True, spec={"restartPolicy": "Never"})
    )
    nodes.until_ready("asking")
    assert "hello world" in nodes.kubectl("attach", "-i", "asking", given="world\n")
    nodes.until("asking", lambda found: found["status"]["phase"] == "Succeeded")


def test_a_shell_in_a_pod_of_its_own_has_a_terminal(nodes: Nodes) -> None:
    nodes.apply(pod("shell", "busybox", stdin=True, tty=True))
    nodes.until_ready("shell")
    command = " ".join(nodes.command("attach", "-it", "shell"))
    run = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env=nodes.environment,
        input="tty; exit\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "/dev/pts/" in run.stdout


def test_logs_are_shown_followed_and_kept_from_the_run_before(nodes: Nodes) -> None:
    nodes.apply(shell("talker", "echo one; echo two; sleep 1; echo three; exit 1"))
    nodes.until("talker", lambda found: "running" in state(found))
    assert nodes.kubectl("logs", "-f", "talker") == "one\ntwo\nthree\n"
    nodes.until("talker", lambda found: found["status"]["containerStatuses"][0]["restartCount"])
    assert nodes.kubectl("logs", "talker", "--previous", "--tail", "1") == "three\n"
    assert nodes.kubectl("logs", "talker", "-p", "--timestamps").startswith("20")
    assert nodes.kubectl("logs", "talker", "-p", "--limit-bytes", "5") == "one\nt"


def test_a_user_who_is_not_root_writes_to_its_log_by_name_and_runs_the_gate_beside_a_folder_of_its_own(
    nodes: Nodes,
) -> None:
    volume = {"volumes": [{"name": "tmp", "emptyDir": {}}], "securityContext": {"runAsUser": 101}}
    script = "echo by name > /dev/stdout; touch /tmp/mine; sevengate version"
    mount = [{"name": "tmp", "mountPath": "/tmp"}]
    nodes.apply(pod("gate", "sevengate:0.1.0", command=["sh", "-c", script], volumeMounts=mount, spec=volume))
    nodes.until_true(lambda: "by name\nsevengate " in nodes.kubectl("logs", "gate"))


def test_a_container_that_ends_is_started_again_with_back_off_and_its_last_words_in_an_event(nodes: Nodes) -> None:
    nodes.apply(shell("crashing", "echo cannot go on; exit 3"))
    found = nodes.until("crashing", waits_for("CrashLoopBackOff"))
    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
    nodes.until_true(
        lambda: "restarting failed container web in pod crashing: cannot go on" in nodes.events("crashing")
    )


def test_an_image_that_the_lab_has_not_says_what_it_has(nodes: Nodes) -> None:
    nodes.apply(pod("database", "mysql:8"))
    nodes.until("database", waits_for("ErrImagePull", "ImagePullBackOff"))
    nodes.until_true(lambda: "it runs nginx, sevengate" in nodes.events("database"))


def test_volumes_show_what_they_are_made_from_and_follow_it(nodes: Nodes) -> None:
    nodes.kubectl("create", "configmap", "colors", "--from-literal=sky=blue")
    volumes = [{"name": "colors", "configMap": {"name": "colors"}}, {"name": "shared", "emptyDir": {}}]
    mounts = [{"name": "colors", "mountPath": "/etc/colors"}, {"name": "shared", "mountPath": "/data/shared"}]
    second = {"name": "other", "image": "busybox", "command": ["sleep", "1000"], "volumeMounts": mounts[1:]}
    first = pod("mounted", volumeMounts=mounts, spec={"volumes": volumes})
    first["spec"]["containers"].append(second)
    nodes.apply(first)
    nodes.until_ready("mounted")
    inside = ("exec", "mounted", "-c", "web", "--", "sh", "-c")
    assert nodes.kubectl(*inside, "cat /etc/colors/sky; echo from web > /data/shared/note") == "blue"
    assert nodes.kubectl("exec", "mounted", "-c", "other", "--", "cat", "/data/shared/note") == "from web\n"
    assert "Read-only" in nodes.kubectl(*inside, "echo red > /etc/colors/sky", fails=True)
    nodes.kubectl("patch", "configmap", "colors", "-p", '{"data": {"sky": "red"}}')
    nodes.until_true(lambda: nodes.kubectl(*inside, "cat /etc/colors/sky") == "red")


def test_a_pod_finds_services_by_their_names_as_they_come_and_go(nodes: Nodes) -> None:
    nodes.apply(shell("asking-names", "sleep 1000"))
    nodes.until_ready("asking-names")
    ask_name = ("exec", "asking-names", "--", "getent", "hosts", "late.default.svc.cluster.local")
    nodes.kubectl(*ask_name, fails=True)
    nodes.kubectl("create", "service", "clusterip", "late", "--tcp=80")
    address = nodes.get("service", "late")["spec"]["clusterIP"]
    nodes.until_true(lambda: address in nodes.kubectl("exec", "asking-names", "--", "cat", "/etc/hosts"))
    assert nodes.kubectl(*ask_name).split()[0] == address
    nodes.kubectl("delete", "service", "late")
    nodes.until_true(lambda: address not in nodes.kubectl("exec", "asking-names", "--", "cat", "/etc/hosts"))


def test_a_container_that_wants_nothing_to_write_to_has_its_volumes_only(nodes: Nodes) -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    mounts = [{"name": "v", "mountPath": "/tmp"}]
    nodes.apply(
        shell("frozen", "sleep 1000", volumeMounts=mounts, spec=spec, securityContext={"readOnlyRootFilesystem": True})
    )
    nodes.until_ready("frozen")
    nodes.kubectl("exec", "frozen", "--", "touch", "/tmp/mine")
    for path in ("/mine", "/usr/mine", "/etc/mine", "/run/mine"):
        assert "Read-only file system" in nodes.kubectl("exec", "frozen", "--", "touch", path, fails=True)


def test_a_pod_waits_for_what_it_refers_to(nodes: Nodes) -> None:
    nodes.apply(pod("waiting", env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]))
    nodes.until("waiting", waits_for("CreateContainerConfigError"))
    nodes.kubectl("create", "configmap", "late", "--from-literal=a=there")
    nodes.until_ready("waiting")
    assert nodes.kubectl("exec", "waiting", "--", "printenv", "A") == "there\n"


def test_a_pod_is_ready_as_long_as_its_probe_succeeds(nodes: Nodes) -> None:
    probe = {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    nodes.apply(shell("probed", "sleep 1000", readinessProbe=probe))
    nodes.until("probed", lambda found: "running" in state(found))
    assert not nodes.get("pod", "probed")["status"]["containerStatuses"][0]["ready"]
    nodes.kubectl("exec", "probed", "--", "touch", "/tmp/ready")
    nodes.until_ready("probed")
    nodes.kubectl("exec", "probed", "--", "rm", "/tmp/ready")
    nodes.until("probed", lambda found: not found["status"]["containerStatuses"][0]["ready"])


def test_a_container_that_fails_its_liveness_probe_is_started_again(nodes: Nodes) -> None:
    probe = {"httpGet": {"path": "/missing", "port": 80}, "periodSeconds": 1, "failureThreshold": 1}
    nodes.apply(pod("sick", livenessProbe=probe))
    nodes.until("sick", lambda found: found["status"]["containerStatuses"][0]["restartCount"])
    nodes.until_true(lambda: "failed liveness probe, will be restarted" in nodes.events("sick"))


def test_nginx_listens_at_its_pod_alone_whatever_a_mounted_configuration_says(nodes: Nodes) -> None:
    server = "server { listen 80 default_server; listen [::]:80; return 200 'my own $hostname'; }"
    things: list[Object] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"default.conf": server}}
    ]
    volumes = {"volumes": [{"name": "conf", "configMap": {"name": "conf"}}]}
    mounts = [{"name": "conf", "mountPath": "/etc/nginx/conf.d"}]
    things += [pod(name, volumeMounts=mounts, spec=volumes) for name in ("own-1", "own-2")]
    nodes.apply(*things)
    for name in ("own-1", "own-2"):
        nodes.until_true(lambda: answers(nodes, name))  # noqa: B023


def answers(nodes: Nodes, name: str) -> bool:
    address = (nodes.get("pod", name).get("status") or {}).get("podIP")
    try:
        return bool(address) and ask(f"http://{address}/") == f"my own {name}"
    except OSError:
        return False


def test_a_sidecar_is_there_before_the_others_and_does_not_keep_a_pod_from_its_end(nodes: Nodes) -> None:
    mount = [{"name": "shared", "mountPath": "/shared"}]
    helper = {
        "name": "helper",
        "image": "busybox",
        "restartPolicy": "Always",
        "command": ["sh", "-c", "echo ready > /shared/word; sleep 1000"],
        "startupProbe": {"exec": {"command": ["test", "-f", "/shared/word"]}, "periodSeconds": 1},
        "volumeMounts": mount,
    }
    spec = {"initContainers": [helper], "volumes": [{"name": "shared", "emptyDir": {}}], "restartPolicy": "Never"}
    nodes.apply(shell("helped", "cat /shared/word", volumeMounts=mount, spec=spec))
    nodes.until("helped", lambda found: found["status"]["phase"] == "Succeeded")
    assert nodes.kubectl("logs", "helped", "-c", "web") == "ready\n"


def test_init_containers_run_first_and_one_after_the_other(nodes: Nodes) -> None:
    mount = [{"name": "work", "mountPath": "/steps"}]
    init = [
        {
            "name": name,
            "image": "busybox",
            "command": ["sh", "-c", f"sleep 0.1; echo {name} >> /steps/order"],
            "volumeMounts": mount,
        }
        for name in ("first", "second")
    ]
    spec = {"initContainers": init, "volumes": [{"name": "work", "emptyDir": {}}], "restartPolicy": "Never"}
    nodes.apply(shell("ordered", "cat /steps/order", volumeMounts=mount, spec=spec))
    nodes.until("ordered", lambda found: found["status"]["phase"] == "Succeeded")
    assert nodes.kubectl("logs", "ordered") == "first\nsecond\n"


def test_a_deleted_pod_ends_in_peace_if_it_does_in_time(nodes: Nodes) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /proc/1/fd/1"]}}}
    script = "trap 'echo bye; sleep 0.3; exit 0' TERM; while true; do sleep 0.05; done"
    nodes.apply(shell("polite", script, lifecycle=hook))
    nodes.until_ready("polite")
    following = subprocess.Popen(
        nodes.command("logs", "-f", "polite"), env=nodes.environment, stdout=subprocess.PIPE, text=True
    )
    nodes.kubectl("delete", "pod", "polite")
    assert following.communicate(timeout=20)[0] == "hook\nbye\n"
    assert "not found" in nodes.kubectl("get", "pod", "polite", fails=True)


def test_a_pod_on_the_nodes_network_crashes_while_its_port_is_taken(nodes: Nodes) -> None:
    nodes.apply(pod("holder", node="node02", spec={"hostNetwork": True}))
    nodes.until_ready("holder")
    assert nodes.address("holder") == nodes.plan.node_address("node02")
    nodes.apply(pod("late", "traefik/whoami", node="node02", spec={"hostNetwork": True}))
    nodes.until("late", waits_for("CrashLoopBackOff"))
    assert "Address already in use" in nodes.kubectl("logs", "late", "-p")
    nodes.until_true(lambda: "Address already in use" in nodes.events("late"))
    nodes.kubectl("delete", "pod", "holder")
    nodes.until_ready("late")


def test_pods_without_a_process_are_ready_and_cheap(nodes: Nodes) -> None:
    plain = {"lab.sevengate.io/process": "none"}
    nodes.apply(*(pod(f"plain-{number}", "any", annotations=plain) for number in range(25)))

    def addresses() -> list[str]:
        return nodes.kubectl(
            "get", "pods", "-o", "jsonpath={.items[?(@.spec.containers[0].image=='any')].status.podIP}"
        ).split()

    nodes.until_true(lambda: len(addresses()) == 25)
    assert len(set(addresses())) == 25
    nodes.until_ready("plain-0", "plain-24")
    assert "has no process here" in nodes.kubectl("logs", "plain-1", fails=True)


def test_many_execs_at_once_do_not_mix(nodes: Nodes) -> None:
    nodes.apply(shell("busy", "sleep 1000"))
    nodes.until_ready("busy")
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda word: nodes.kubectl("exec", "busy", "--", "echo", word), map(str, range(4))))
    assert said == [f"{number}\n" for number in range(4)]


def test_ports_are_not_forwarded_and_it_is_said_why(nodes: Nodes) -> None:
    nodes.apply(pod("forwarded"))
    nodes.until_ready("forwarded")
    assert "the lab forwards no ports" in nodes.kubectl("port-forward", "forwarded", "8080:80", fails=True)
