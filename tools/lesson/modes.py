"""The three ways in: what is typed, what is asked, and what has to be answered.

Each function takes the Stage, on which a lab is up, and leaves it without a controller for the next one. Order matters
within each; what the lesson explains at length stands in docs/lesson.md.
"""

import re
import shutil
from typing import Final

from tools.lesson.transcript import ROOT, LessonError, Transcript

LESSON: Final = "examples/lesson"
WORK: Final = "build/lesson"
GATE: Final = "--namespace sevengate"
_PAGE: Final = "/usr/share/nginx/html/index.html"


class Stage:
    """A lab that is up, and where its nodes are."""

    def __init__(self, transcript: Transcript, port_shift: int) -> None:
        self.play = transcript
        self._port_shift = port_shift
        where = r"{range .items[*]}{.metadata.name}={.status.addresses[0].address}{'\n'}{end}"
        lines = transcript.run(f'kubectl get nodes -o jsonpath="{where}"', shown=False).split()
        self.nodes = dict(line.split("=") for line in lines)

    def url(self, address: str, port: int = 80, path: str = "") -> str:
        """Give a URL at which a port of the manifests is really reached."""
        port += self._port_shift if port < 1024 else 0
        return f"http://{address}{'' if port == 80 else f':{port}'}/{path}"

    def curl(self, host: str, url: str) -> str:
        """Ask for a host at an address."""
        return self.play.run(f"curl -s -H 'Host: {host}' '{url}'")


def balancer(stage: Stage) -> None:
    """First way: a Deployment, and a Service to which the cloud gives an address."""
    play = stage.play
    play.heading("1. LoadBalancer: the cloud gives the controller an address")
    play.run("kubectl apply -f deploy/load-balancer.yaml")
    play.run(f"kubectl {GATE} rollout status deployment/sevengate-controller --timeout=60s")
    play.run(f"kubectl {GATE} get pods -o wide")
    services = play.run(f"kubectl {GATE} get service sevengate-controller")
    address = _external(services)
    play.tell("EXTERNAL-IP is an address of the lab's pool. Now an application, its Service, and an Ingress:")
    play.run(f"kubectl apply -f {LESSON}/hello.yaml")
    play.run("kubectl rollout status deployment/hello --timeout=60s")
    _published(stage, "hello", address)
    pods = play.run("kubectl get pods -l app=hello -o wide")
    pod = _hostname(stage.curl("hello.kgc.com", stage.url(address)))
    play.expect_in(pod, pods, "the answer names a pod of the application")
    play.tell(f"The request went to {address}, from there to a pod of the controller, and to {pod}.")
    _old_form(stage, "hello", is_first=True)
    play.expect_in(_hostname(stage.curl("hello.kgc.com", stage.url(address))), pods, "it is served as before")
    play.run(f"kubectl {GATE} delete deployment sevengate-controller")


def host_network(stage: Stage) -> None:
    """Second way: a DaemonSet in the network of chosen nodes."""
    play, node = stage.play, stage.nodes["node02"]
    play.heading("2. DaemonSet, hostNetwork, nodeSelector: the controller listens on a chosen node")
    play.run(f"kubectl apply -f {LESSON}/port-80.yaml")
    play.run("kubectl wait --for=condition=Ready pod/port-80 --timeout=60s")
    play.run("kubectl label node node02 ingress=true")
    play.run("kubectl apply -f deploy/host-network.yaml")
    play.tell("Somebody else has port 80 of node02, so our pod cannot have it, and is started again and again:")
    pods = f"kubectl {GATE} get pods -l app.kubernetes.io/component=controller -o wide"
    play.wait(pods, lambda said: "CrashLoopBackOff" in said and "node02" in said, "the pod on node02 to crash")
    log = f"kubectl {GATE} logs daemonset/sevengate-controller -c dataplane --previous"
    play.wait(log, lambda said: f"{node}:" in said and "taken" in said, "the reason in the log")
    play.run("kubectl delete pod port-80")
    play.run(f"kubectl {GATE} rollout status daemonset/sevengate-controller --timeout=60s")
    play.run(f"kubectl {GATE} get daemonset,pods -o wide")
    _ports(stage)
    play.run(f"kubectl apply -f {LESSON}/nginx-app.yaml")
    play.run("kubectl rollout status deployment/nginx-app --timeout=60s")
    _published(stage, "nginx-app-ingress", node)
    play.expect_in("Welcome to nginx", stage.curl("www.kgc.com", stage.url(node)), "the application answers")
    play.tell("A host that no Ingress names gets the default backend; that is what port 8181 answers, too:")
    for url in (stage.url(node), stage.url(node, 8181)):
        answer = play.run(f"curl -s -i -H 'Host: other.kgc.com' '{url}'")
        play.expect_in(" 404 ", answer.partition("\n")[0], f"{url} is not found")
    _old_form(stage, "nginx-app")
    play.expect_in("Welcome to nginx", stage.curl("www.kgc.com", stage.url(node)), "the application still answers")
    play.run(f"kubectl {GATE} delete daemonset sevengate-controller")


def node_port(stage: Stage) -> None:
    """Third way: a Deployment, and a Service with a port of every node."""
    play = stage.play
    play.heading("3. NodePort: a port of every node leads to the controller")
    play.run("kubectl apply -f deploy/node-port.yaml")
    play.run(f"kubectl {GATE} rollout status deployment/sevengate-controller --timeout=60s")
    services = play.run(f"kubectl {GATE} get service sevengate-controller")
    opened = re.search(r"80:(3\d{4})/TCP,443:(3\d{4})/TCP", services)
    if opened is None:
        raise LessonError(f"no node ports are shown: {services}")
    play.run(f"kubectl apply -f {LESSON}/in-ng.yaml")
    play.run("kubectl rollout status deployment/in-ng --timeout=60s")
    play.tell("Two pods of NGINX, whose pages we change to tell them apart:")
    names = play.run("kubectl get pods -l name=in-ng -o name").split()
    for number, name in enumerate(names, 1):
        play.run(f"kubectl exec {name} -- sh -c 'echo this is web0{number} > {_PAGE}'")
    play.tell("Six requests over one connection to node01, where perhaps none of all these pods runs:")
    answer = stage.curl("www.china.com", stage.url(stage.nodes["node01"], int(opened[1]), "?[1-6]")).split("\n")
    for number in (1, 2):
        play.expect(answer.count(f"this is web0{number}") == 3, f"three of six answers are from web0{number}: {answer}")
    play.tell(
        "Two Services had a part in it: one leads from the nodes to the controller, one tells it where the pods are."
    )
    play.run(f"kubectl {GATE} get service,endpointslices -l app.kubernetes.io/component=controller")
    play.run("kubectl get service in-ng-svc")
    play.run("kubectl get endpointslices -l kubernetes.io/service-name=in-ng-svc")
    _published(stage, "in-ng", "")
    _old_form(stage, "in-ng")
    for name, address in stage.nodes.items():
        url = stage.url(address, int(opened[1]))
        play.expect_in("this is web0", stage.curl("www.china.com", url), f"{name} leads to the application, too")


def _hostname(answer: str) -> str:
    """Give the pod that an answer of whoami names."""
    found = re.search(r"^Hostname: (\S+)$", answer, re.MULTILINE)
    return found[1] if found else f"no pod in {answer!r}"


def _external(services: str) -> str:
    address = services.split("\n")[1].split()[3]
    if not re.fullmatch(r"[0-9.]+", address):
        raise LessonError(f"no external address is shown: {services}")
    return address


def _published(stage: Stage, ingress: str, address: str) -> None:
    """See that the controller has written where the Ingress is reached."""
    stage.play.tell("The controller says at which address it serves the Ingress:")

    def is_published(said: str) -> bool:
        cells = said.split("\n")[-2].split() if said.count("\n") > 1 else []
        return len(cells) >= 6 and address in cells[3]

    stage.play.wait(f"kubectl get ingress {ingress}", is_published, f"the address {address} in the Ingress")


def _ports(stage: Stage) -> None:
    """Show that 80, 443 and 8181 are open on the chosen node, and on no other."""
    stage.play.tell("Ports 80, 443 and 8181 are open on node02, and closed (000) on node01:")
    for name, is_open in (("node02", True), ("node01", False)):
        for port in (80, 443, 8181):
            url = stage.url(stage.nodes[name], port)
            stage.play.run(f"curl -s -o /dev/null -w '%{{http_code}}' '{url}'", fails=not is_open)


def _old_form(stage: Stage, name: str, *, is_first: bool = False) -> None:
    """Show how an old tutorial writes the same Ingress, and have it rewritten."""
    play = stage.play
    shutil.copy(ROOT / LESSON / "old" / f"{name}.yaml", ROOT / WORK / f"{name}.yaml")
    file = f"{WORK}/{name}.yaml"
    play.tell("Tutorials of before 2020 write the same Ingress so that no cluster of today takes it:")
    if is_first:
        refused = play.run(f"sevengate lab kubectl apply -f {file}", fails=True)
        play.expect_in('no matches for kind "Ingress" in version "extensions/v1beta1"', refused, "it is refused")
    play.run(f"sevengate check --fix {file}")
    play.run(f"kubectl apply -f {file}")
