"""Serve two small web servers through Sevengate, and show what it does with requests.

Starts the servers of examples/article on loopback addresses and `sevengate run` in front of them, on a copy of the
manifests that may be edited (`make folder`). Sends requests with curl, prints each with its answer, and checks it. Then
it stays up until Ctrl-C, or with --once ends at once: 0 if every answer was right, else 1. In both cases, and after a
failure too, no process stays behind. Everything is a real one: sockets, NGINX, curl, processes.
"""

import argparse
import ctypes
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import NamedTuple, NoReturn

from cryptography import x509

ROOT = Path(__file__).resolve().parent.parent
ARTICLE = ROOT / "examples" / "article"
WORK = ROOT / "build" / "folder"
MANIFESTS = WORK / "manifests"
LOG = WORK / "sevengate.log"
SEVENGATE = os.path.relpath(Path(sys.executable).with_name("sevengate"), ROOT)
ADDRESS = "127.0.0.1"
SERVERS = {"web01": "127.0.1.11", "web02": "127.0.1.12"}
PATIENCE = 30.0  # seconds until something that ought to happen counts as not happening

NEWS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: news
spec:
  ingressClassName: nginx
  rules:
    - host: news.kgc.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: web
                port:
                  name: http
"""


class DemoError(Exception):
    """Something without which the demo cannot go on."""


class Ports(NamedTuple):
    """Where Sevengate listens."""

    http: int
    https: int
    default_server: int
    healthz: int


# --- the stage


def can_listen(address: str, port: int) -> bool:
    """Say whether a server may listen there: the port is free and not reserved for root."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def free_port(wanted: int, addresses: tuple[str, ...] = (ADDRESS,), *, instead: int) -> int:
    """Give `wanted` if it is free on all addresses, else the first free port from `instead` on, and say so."""
    for port in chain((wanted,), range(instead, instead + 100)):
        if all(can_listen(address, port) for address in addresses):
            if port != wanted:
                print(f"Port {wanted} is taken or reserved for root, so {port} is used instead.")
            return port
    raise DemoError(f"no free port: neither {wanted} nor {instead} to {instead + 99}")


def prepare_manifests(web_port: int) -> None:
    """Copy the manifests to where they may be edited, with the port on which the web servers really listen."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(ARTICLE / "manifests", MANIFESTS)
    web = MANIFESTS / "web.yaml"
    web.write_text(web.read_text().replace("port: 8080", f"port: {web_port}"))


class Site(SimpleHTTPRequestHandler):
    """Serves files of a folder, and keeps quiet about it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: the transcript is the demo's."""


@contextmanager
def web_server(name: str, address: str, port: int) -> Iterator[None]:
    """Serve the folder `name` of the example at an address."""
    server = ThreadingHTTPServer((address, port), partial(Site, directory=str(ARTICLE / name)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent dies, so that none escapes (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def descendants() -> dict[int, str]:
    """Give our children, their children and so on, as long as they live: pid and command line (proc(5))."""
    parents, commands = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            command = (stat.parent / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        if state != "Z":
            pid = int(stat.parent.name)
            parents[pid], commands[pid] = int(parent), command
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: commands[pid] for pid in found - {os.getpid()}}


def stop(sevengate: "subprocess.Popen[bytes]") -> None:
    """End Sevengate gently, then whatever is left of it; raise DemoError if that was needed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind
    sevengate.terminate()
    try:
        sevengate.wait(PATIENCE)
        wait_until(lambda: not descendants(), "every process to end")
    except (subprocess.TimeoutExpired, DemoError):
        left = descendants()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise DemoError(f"processes had to be killed: {left}") from None


@contextmanager
def sevengate_run(ports: Ports) -> Iterator["subprocess.Popen[bytes]"]:
    """Run Sevengate in a session of its own, so that Ctrl-C reaches only us and we end it and all its children."""
    command = [
        SEVENGATE, "run", "--manifests", str(MANIFESTS.relative_to(ROOT)), "--watch", "--bind-address", ADDRESS,
        "--http-port", str(ports.http), "--https-port", str(ports.https),
        "--default-server-port", str(ports.default_server), "--healthz-port", str(ports.healthz),
    ]  # fmt: skip
    print(f"\n$ {shlex.join(command)}")
    command = ["setpriv", "--pdeathsig", "TERM", *command]
    with LOG.open("ab") as log:  # NGINX opens it a second time, and both only ever append
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_until(lambda: is_healthy(ports) or process.poll() is not None, "Sevengate to become healthy")
        if process.poll() is not None:
            raise DemoError(f"sevengate run ended with exit code {process.returncode}")
        yield process
    finally:
        stop(process)


def is_healthy(ports: Ports) -> bool:
    """Say whether /healthz answers 200, which it does once the first push is live."""
    connection = HTTPConnection(ADDRESS, ports.healthz, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again until it is so; raise DemoError when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)


# --- the play


class Transcript:
    """Prints commands and what they answered, and remembers what was not as it should be."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def heading(self, text: str) -> None:
        """Begin a new part."""
        print(f"\n# {text}")

    def run(self, command: list[str], *, shown: bool = True) -> str:
        """Run a command as a user would type it, and give what it printed."""
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if shown:
            print(f"$ {shlex.join(command)}\n{(done.stdout + done.stderr).rstrip()}")
        return done.stdout

    def expect(self, is_so: bool, claim: str) -> None:
        """Remember a claim that does not hold."""
        if not is_so:
            self.failures.append(claim)
            print(f"! this should be so: {claim}")


def url(scheme: str, host: str, port: int) -> str:
    """Give a URL, without the port where it is the scheme's own."""
    return f"{scheme}://{host}/" if port == {"http": 80, "https": 443}[scheme] else f"{scheme}://{host}:{port}/"


def show_alternation(transcript: Transcript, ports: Ports) -> None:
    """Six requests: each of the two servers answers three."""
    transcript.heading("One host, two endpoints: the answers alternate")
    command = ["curl", "-s", "-H", "Host: www.kgc.com", url("http", ADDRESS, ports.http)]
    answers = [transcript.run(command).strip() for _ in range(6)]
    for name in SERVERS:
        transcript.expect(answers.count(f"this is {name}") == 3, f"3 of 6 answers are from {name}")


def show_unknown_host(transcript: Transcript, ports: Ports) -> None:
    """A host that no Ingress names gets the default backend's answer."""
    transcript.heading("A host that nobody asked for: the default backend's 404")
    answer = transcript.run(["curl", "-s", "-i", "-H", "Host: other.kgc.com", url("http", ADDRESS, ports.http)])
    transcript.expect(" 404 " in answer.splitlines()[0] if answer else False, "an unknown host is answered 404")


def show_https(transcript: Transcript, ports: Ports) -> None:
    """HTTPS works without any Secret, with a certificate that Sevengate made itself."""
    transcript.heading("HTTPS, with the default certificate")
    resolve = f"www.kgc.com:{ports.https}:{ADDRESS}"
    answer = transcript.run(["curl", "-s", "-k", "--resolve", resolve, url("https", "www.kgc.com", ports.https)])
    transcript.expect(answer.strip() in {f"this is {name}" for name in SERVERS}, "HTTPS reaches a web server")
    certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate((ADDRESS, ports.https)).encode())
    print(f"  certificate: {certificate.subject.rfc4514_string()}")


def show_explain(transcript: Transcript) -> None:
    """Ask why a URL goes where it goes, without sending a request."""
    transcript.heading("Why does it go there? No cluster and no NGINX is needed to answer")
    manifests = str(MANIFESTS.relative_to(ROOT))
    answer = transcript.run([SEVENGATE, "explain", manifests, "http://www.kgc.com/index.html"])
    transcript.expect("default/www" in answer and "127.0.1.12" in answer, "explain names the Ingress and the endpoints")


def show_edit(transcript: Transcript, ports: Ports) -> None:
    """Write a new manifest, and see it live while the same NGINX workers go on serving."""
    transcript.heading("A new Ingress is written to the folder: live, with 0 reloads")
    command = ["curl", "-s", "-H", "Host: news.kgc.com", url("http", ADDRESS, ports.http)]
    answers = {f"this is {name}" for name in SERVERS}
    workers = nginx_workers()
    transcript.expect(transcript.run(command).strip() not in answers, "news.kgc.com is not served yet")

    started = time.monotonic()
    (MANIFESTS / "news.yaml").write_text(NEWS)
    print(f"$ cat > {(MANIFESTS / 'news.yaml').relative_to(ROOT)}   # host news.kgc.com, Service web")
    wait_until(lambda: transcript.run(command, shown=False).strip() in answers, "the new Ingress to be served")
    elapsed = time.monotonic() - started
    transcript.expect(transcript.run(command).strip() in answers, "news.kgc.com is served")

    same = bool(workers) and nginx_workers() == workers
    transcript.expect(same, "the same NGINX workers serve as before, so nothing was reloaded")
    if same:
        print(f"  live {elapsed:.1f} s after it was written; the same {len(workers)} NGINX workers serve: 0 reloads")


def nginx_workers() -> set[int]:
    """Give the pids of NGINX's worker processes: a reload replaces them all."""
    return {pid for pid, command in descendants().items() if command.startswith("nginx: worker process")}


def play(*, once: bool) -> list[str]:
    """Set the stage, show everything, stay up unless once; give what was not as it should be."""
    transcript = Transcript()
    web_port = free_port(8080, tuple(SERVERS.values()), instead=18080)
    ports = Ports(
        http=free_port(80, instead=8080),
        https=free_port(443, instead=8443),
        default_server=free_port(8181, instead=18181),
        healthz=free_port(10254, instead=20254),
    )
    prepare_manifests(web_port)
    with ExitStack() as stage:
        for name, address in SERVERS.items():
            stage.enter_context(web_server(name, address, web_port))
            print(f"{name} listens on {address}:{web_port}")
        sevengate = stage.enter_context(sevengate_run(ports))
        show_alternation(transcript, ports)
        show_unknown_host(transcript, ports)
        show_https(transcript, ports)
        show_explain(transcript)
        show_edit(transcript, ports)
        if not once:
            stay(sevengate)
    return transcript.failures


def stay(sevengate: "subprocess.Popen[bytes]") -> None:
    """Go on serving until Ctrl-C."""
    print(f"\nServing until Ctrl-C. Edit the files in {MANIFESTS.relative_to(ROOT)}/ and send requests of your own.")
    print(f"What Sevengate says stands in {LOG.relative_to(ROOT)}.")
    try:
        code = sevengate.wait()
    except KeyboardInterrupt:
        print()
    else:
        raise DemoError(f"sevengate run ended with exit code {code}")


def interrupt(number: int, _frame: object) -> NoReturn:
    """Take a request to end as Ctrl-C, so that everything is cleared away."""
    raise KeyboardInterrupt(number)


def main() -> int:
    """Play; give 0 if everything was as it should be, else 1 with the end of Sevengate's log."""
    parser = argparse.ArgumentParser(description="Two web servers behind Sevengate.")
    parser.add_argument("--once", action="store_true", help="verify every answer and end")
    once = parser.parse_args().once
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a reader at the end of a pipe waits for lines too
    adopt_orphans()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        failures = play(once=once)
    except (DemoError, OSError) as error:
        failures = [str(error)]
    except KeyboardInterrupt:
        failures = ["interrupted"]
    if failures:
        print("\nNot as it should be:", *failures, sep="\n  ", file=sys.stderr)
        if LOG.exists():
            print("The end of Sevengate's log:", *LOG.read_text().splitlines()[-20:], sep="\n  ", file=sys.stderr)
    elif once:
        print("\nEvery answer was as it should be.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
