"""How a container of a pod is run on this machine: its program, environment, user and root folder together.

Takes a container, its pod and what the pod has (address, volumes, objects that it refers to); gives a Recipe. The parts
are decided in `images`, `environment`, `volumes` and `filesystem`; what is decided here is how they meet.
"""

from pathlib import Path
from typing import Final

import msgspec

from sevengate.lab.kubelet import bare
from sevengate.lab.kubelet.environment import Surroundings, environment, expand
from sevengate.lab.kubelet.filesystem import PATH, Mount, build_steps
from sevengate.lab.kubelet.images import Program, Wanted, find_program
from sevengate.lab.kubelet.machine import Machine
from sevengate.lab.kubelet.sandbox import Command, Sandbox
from sevengate.lab.kubelet.status import Addresses
from sevengate.lab.kubelet.volumes import Volumes
from sevengate.lab.mirror import Object

#: Where a program of ours listens if nobody says otherwise: all pods share one network.
BIND_ADDRESS: Final = "SEVENGATE_BIND_ADDRESS"
#: The file in a pod's folder that its containers see as /etc/hosts.
HOSTS: Final = "hosts"


class Recipe(msgspec.Struct, frozen=True):
    """What to run, and in what."""

    program: Program
    command: Command
    sandbox: Sandbox


class Place(msgspec.Struct, frozen=True):
    """Where a pod's containers run: on which machine, at which addresses, with which volumes, in which folder."""

    machine: Machine
    where: Addresses
    volumes: Volumes
    folder: Path


def recipe_of(container: Object, around: Surroundings, place: Place, run: str) -> Recipe | None:
    """Give the recipe for a run, None if the lab has no such image."""
    pod, machine = around.pod, place.machine
    variables = _own_variables(pod, place) | environment(container, around)
    program = find_program(_wanted(container, pod, place, variables), machine.tools)
    if program is None:
        return None
    mounts, hostname = place.volumes.mounts(container, variables), hostname_of(pod)
    root = place.folder / container["name"] / run
    directory = container.get("workingDir") or "/"
    if machine.isolation == "none":
        program = bare.moved(program, root)
        variables |= bare.variables(root, mounts, variables)
        steps, directory = bare.steps(program.layer), "/"
    else:
        names = Mount(str(place.folder / HOSTS), f"/etc/{HOSTS}")
        steps = build_steps(machine.isolation, program.layer, (names, *mounts), hostname)
        steps += [("folder", directory, 0o755)] if directory != "/" else []
    user, groups = _user(container, pod)
    command = Command(program.argv, {**program.environment, **variables}, directory, user, groups)
    sandbox = Sandbox(machine.isolation, root, hostname, steps, _frozen(container, program, machine))
    return Recipe(program, command, sandbox)


def _frozen(container: Object, program: Program, machine: Machine) -> tuple[str, ...]:
    """Give what is read-only for a container that wants so; its volumes are mounts of their own, and stay."""
    is_wished = (container.get("securityContext") or {}).get("readOnlyRootFilesystem")
    if not is_wished or machine.isolation == "none":
        return ()
    return ("/", "/usr", *program.layer.folders)


def _own_variables(pod: Object, place: Place) -> dict[str, str]:
    return {"PATH": PATH, "HOME": "/root", "HOSTNAME": hostname_of(pod), BIND_ADDRESS: place.where.pod}


def _wanted(container: Object, pod: Object, place: Place, variables: dict[str, str]) -> Wanted:
    metadata = pod["metadata"]
    return Wanted(
        container["image"],
        tuple(expand(word, variables) for word in container.get("command") or ()),
        tuple(expand(word, variables) for word in container.get("args") or ()),
        tuple(
            int(port["containerPort"]) for port in container.get("ports") or () if port.get("protocol", "TCP") == "TCP"
        ),
        place.where.pod,
        metadata["name"],
        metadata["namespace"],
        pod["spec"]["nodeName"],
        place.machine.plan.port_shift,
        is_bare=place.machine.isolation == "none",
        is_configured=place.machine.isolation != "none"
        and any(mount["mountPath"].startswith("/etc/nginx") for mount in container.get("volumeMounts") or ()),
    )


def hostname_of(pod: Object) -> str:
    """Give what a pod calls itself."""
    if pod["spec"].get("hostNetwork"):
        return str(pod["spec"]["nodeName"])
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def _user(container: Object, pod: Object) -> tuple[int, tuple[int, ...]]:
    """Give whom the process runs as; what the image's own user would be is not known, so it is root."""
    of_pod, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    user = own.get("runAsUser", of_pod.get("runAsUser", 0)) or 0
    group = own.get("runAsGroup", of_pod.get("runAsGroup", 0)) or 0
    others = [*(of_pod.get("supplementalGroups") or ()), *([of_pod["fsGroup"]] if of_pod.get("fsGroup") else [])]
    return user, (group, *others)
