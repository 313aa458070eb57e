"""What the lab runs for an image: the table of images, and for each the program that stands in for it.

Takes a Wanted (image, command, args, ports and who the pod is); gives a Program, or None for an image that the lab
cannot run, which the kubelet reports as a failed pull with `WHAT_RUNS`. Pure: programs of the machine are given in
Tools. As in a real image, `command` takes the place of the entrypoint and `args` that of its arguments.
"""

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

import sevengate
from sevengate.lab.kubelet import certgen, echo, nginx_image
from sevengate.lab.kubelet.filesystem import IMAGE_COMMANDS, File, Layer

WHAT_RUNS: Final = (
    "the lab pulls no images; it runs nginx, sevengate, ingress-nginx (as Sevengate), echo servers (agnhost netexec, "
    "echoserver, echo-basic, traefik/whoami, hashicorp/http-echo, ealen/echo-server), and commands of busybox, alpine, "
    "debian, ubuntu and curl images with this machine's programs"
)


class Wanted(msgspec.Struct, frozen=True):
    """What a container asks for, and the address that its pod has."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    address: str = ""
    pod: str = ""
    namespace: str = ""
    node: str = ""
    #: How far ports below 1024 move on a machine where the lab may not listen on them.
    port_shift: int = 0
    #: Whether the pod puts files of its own among the image's configuration.
    is_configured: bool = False
    #: Whether the image's files lie among the machine's, below a folder that only its owner may enter.
    is_bare: bool = False


class Tools(msgspec.Struct, frozen=True):
    """Programs of the machine; "" where one is missing."""

    nginx: str = ""


class Program(msgspec.Struct, frozen=True):
    """What to run: words, what the image brings, and environment that the pod may overrule."""

    argv: tuple[str, ...]
    layer: Layer = Layer()
    environment: Mapping[str, str] = {}
    #: By which signal it ends in peace.
    stop: signal.Signals = signal.SIGTERM
    #: Ports at which it will surely listen: the container runs as soon as they are open.
    listens: tuple[int, ...] = ()


class ImageError(Exception):
    """The lab knows the image and cannot run it here; the text says why."""


def find_program(wanted: Wanted, tools: Tools) -> Program | None:
    """Give what runs for an image, or None; raise ImageError where this machine lacks something."""
    name = repository(wanted.image)
    for pattern, row in _ROWS:
        if pattern.fullmatch(name):
            return row(wanted, tools)
    return None


def repository(image: str) -> str:
    """Give an image's name without tag, digest and Docker's own registry."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name


def _tag(image: str) -> str:
    """Give an image's version, without the v that some put in front."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2].removeprefix("v")


def _entry(wanted: Wanted, entrypoint: tuple[str, ...], arguments: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Put command and args in the place of what the image has of them."""
    if wanted.command:
        return (*wanted.command, *wanted.args)
    return (*entrypoint, *(wanted.args or arguments))


# --- Sevengate, and what it replaces

_SEVENGATE: Final = (sys.executable, "-m", "sevengate")
_GATE_PORTS: Final = {"--http-port": 80, "--https-port": 443}
_PREDECESSOR: Final = "/nginx-ingress-controller"
#: The predecessor waits here for its NGINX to end. Ours drains on the SIGTERM that follows anyway.
_WAIT_SHUTDOWN: Final = File("#!/bin/sh\nexit 0\n", 0o755)


def _script(*words: str) -> File:
    return File(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', 0o755)


_GATE_LAYER: Final = Layer(
    {
        f"{IMAGE_COMMANDS}/sevengate": _script(*_SEVENGATE),
        _PREDECESSOR: _script(*_SEVENGATE, "run"),
        "/wait-shutdown": _WAIT_SHUTDOWN,
    }
)


def _gate(wanted: Wanted, _tools: Tools) -> Program:
    argv = _entry(wanted, ("sevengate",))
    if argv[0] == "sevengate":
        argv = (*_SEVENGATE, *_with_own_ports(argv[1:], wanted))
    return Program(argv, _GATE_LAYER, _of_python())


def _predecessor(wanted: Wanted, _tools: Tools) -> Program:
    words = [*wanted.command, *wanted.args]
    # Their manifests begin the arguments with what dumb-init starts; later ones leave that to the image.
    while words and words[0] in {"/usr/bin/dumb-init", "--", _PREDECESSOR}:
        words.pop(0)
    if _tag(wanted.image).startswith("0."):
        # Before version 1.0 it served what named no class, unless it was given a class of its own, and its rights knew
        # no Leases. Those who are not elected write the same addresses.
        is_general = not any(word.startswith("--ingress-class") for word in words)
        words += ["--watch-ingress-without-class"] if is_general else []
        words.append("--disable-leader-election")
    return Program((*_SEVENGATE, *_with_own_ports(("run", *words), wanted)), _GATE_LAYER, _of_python())


def _with_own_ports(words: tuple[str, ...], wanted: Wanted) -> tuple[str, ...]:
    """Move the gate's ports up where the lab may not have low ones; what it says of its ports goes before ours."""
    if not wanted.port_shift or words[:1] not in {("run",), ("dataplane",)}:
        return words
    ports = {
        option: port for option, port in _GATE_PORTS.items() if not any(_is_option(word, option) for word in words)
    }
    return (words[0], *(f"{option}={_moved(port, wanted)}" for option, port in ports.items()), *words[1:])


def _is_option(word: str, option: str) -> bool:
    return word.partition("=")[0] == option


def _certgen(wanted: Wanted, _tools: Tools) -> Program:
    return Program(_entry(wanted, (sys.executable, "-m", certgen.__name__)), environment=_of_python())


def _of_python() -> dict[str, str]:
    checkout = Path(sevengate.__file__).resolve().parents[1]
    return {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(checkout)}


# --- web servers


def _nginx(wanted: Wanted, tools: Tools) -> Program:
    if not tools.nginx:
        raise ImageError("nginx is not installed on this machine; on Debian or Ubuntu: apt-get install nginx")
    ports = wanted.ports or ((8080,) if "unprivileged" in wanted.image else (80,))
    listens = tuple(_moved(port, wanted) for port in ports)
    # Workers that are nobody could not enter that folder.
    user = "root" if wanted.is_bare and os.geteuid() == 0 else ""
    layer = nginx_image.layer(wanted.address, listens, user)
    start = nginx_image.start(tools.nginx, wanted.address, is_configured=wanted.is_configured)
    if wanted.command and wanted.command[0] == "nginx":
        return Program((*start, *wanted.command[1:], *wanted.args), layer, stop=signal.SIGQUIT)
    is_plain = not (wanted.command or wanted.args or wanted.is_configured)
    argv = _entry(wanted, start, nginx_image.FOREGROUND)
    return Program(argv, layer, stop=signal.SIGQUIT, listens=listens if is_plain else ())


def _moved(port: int, wanted: Wanted) -> int:
    return port + wanted.port_shift if port < 1024 else port


def _echo(kind: str, *ports: int) -> Callable[[Wanted, Tools], Program]:
    def row(wanted: Wanted, _tools: Tools) -> Program:
        listens = tuple(_moved(port, wanted) for port in wanted.ports or ports)
        numbers = ",".join(map(str, listens))
        own = (sys.executable, "-I", "-S", str(Path(echo.__file__)), kind, wanted.address, numbers)
        # An image's own command would be a program that is not here; what it says still decides what is answered.
        arguments = (*wanted.command, *wanted.args)
        who = {"LAB_POD": wanted.pod, "LAB_NAMESPACE": wanted.namespace, "LAB_NODE": wanted.node}
        return Program((*own, *arguments), environment=who, listens=() if arguments else listens)

    return row


# --- commands of the machine


def _commands(*entrypoint: str) -> Callable[[Wanted, Tools], Program]:
    def row(wanted: Wanted, _tools: Tools) -> Program:
        if entrypoint and not wanted.command and wanted.args:
            return Program((*entrypoint, *wanted.args))
        return Program(_entry(wanted, (), ("sh",)))

    return row


def _pause(_wanted: Wanted, _tools: Tools) -> Program:
    return Program(("sh", "-c", "trap 'exit 0' TERM INT; sleep infinity & wait"))


_Row = Callable[[Wanted, Tools], Program]


def _rows(rows: Mapping[str, _Row]) -> tuple[tuple[re.Pattern[str], _Row], ...]:
    return tuple((re.compile(pattern), row) for pattern, row in rows.items())


#: The first pattern that fits the whole name decides.
_ROWS: Final = _rows(
    {
        r"(.*/)?(nginx-ingress-controller|ingress-nginx/controller)(-chroot|-[a-z0-9]+)?": _predecessor,
        r"(.*/)?kube-webhook-certgen": _certgen,
        r"(.*/)?sevengate": _gate,
        r"(.*/)?(e2e-test-images/agnhost|agnhost)": _echo("agnhost", 8080),
        r"(.*/)?(e2e-test-images/echoserver|echoserver|echo-basic|gateway-api/echo-basic)": _echo("echo", 8080),
        r"(.*/)?(echo-server|http-https-echo|jmalloc/echo-server)": _echo("echo", 80),
        r"(.*/)?whoami": _echo("whoami", 80),
        r"(.*/)?http-echo": _echo("text", 5678),
        r"(.*/)?pause": _pause,
        r"(.*/)?(nginx|nginx-unprivileged)": _nginx,
        r"(.*/)?curl": _commands("curl"),
        r"(.*/)?(busybox|alpine|debian|ubuntu|bash|netshoot)": _commands(),
    }
)
