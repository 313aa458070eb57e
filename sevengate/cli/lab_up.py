"""`sevengate lab up`: a lab in the foreground until Ctrl-C, or detached from the terminal.

Takes what kind of lab is asked for; runs it, and prints where it is and, on a terminal, what goes on in it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sevengate.cli.lab import folder_option, shift_note
from sevengate.cli.lab_view import show
from sevengate.cli.output import Status, remark, say

if TYPE_CHECKING:
    from sevengate.lab.home import Home
    from sevengate.lab.serving import Wish

#: Seconds in which a detached lab has to come up.
_PATIENCE: Final = 60.0


@click.command()
@click.option("--api-only", is_flag=True, help="Serve the API, without nodes and controllers.")
@click.option("--port", type=click.IntRange(0, 65535), help="The API's port; 6443, or with --api-only a free one.")
@click.option("--legacy-apis", is_flag=True, help="Serve Ingress and RBAC of v1beta1 as well, for old manifests.")
@click.option(
    "--network",
    type=click.Choice(["loopback", "namespace"]),
    default="loopback",
    show_default=True,
    help="Addresses of 127.0.0.0/8, or those of a real cluster in a network of its own, which takes root.",
)
@click.option(
    "--shift",
    type=click.IntRange(0, 60),
    default=0,
    help="Use other addresses of 127.0.0.0/8, for a lab beside another.",
)
@click.option(
    "--snapshot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Begin with the objects of this file, if it is there, and keep them in it.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Bring nodes, pods and controllers to the cluster of this file, which has none.",
)
@click.option("--detach", is_flag=True, help="Go on in the background; `sevengate lab down` ends it.")
@folder_option
def up(folder: Path, *, network: str, shift: int, detach: bool, **flags: Any) -> None:
    """Run a cluster until Ctrl-C; then everything in it is gone."""
    from sevengate.lab.addresses import LOOPBACK, NAMESPACE
    from sevengate.lab.apiserver.schemas import SchemasMissingError
    from sevengate.lab.apiserver.snapshot import SnapshotError
    from sevengate.lab.home import Home, HomeTakenError
    from sevengate.lab.network import leave_machine
    from sevengate.lab.serving import Wish, allowed

    home = Home(folder.absolute())
    plan = NAMESPACE if network == "namespace" else LOOPBACK.shifted(shift) if shift else LOOPBACK
    try:
        if detach:
            _detached(home)
            return
        if network == "namespace":
            leave_machine(plan)
        wish = Wish(plan=allowed(plan), has_network=network == "namespace", **flags)
        asyncio.run(_serve(wish, home))
    except PermissionError as error:
        remark(
            f"error: --network namespace takes root: {error.strerror}" if network == "namespace" else f"error: {error}"
        )
        sys.exit(Status.UNAVAILABLE)
    except SnapshotError as error:
        remark(f"error: {flags['snapshot']}: {error}")
        sys.exit(Status.USAGE)
    except (HomeTakenError, SchemasMissingError, OSError) as error:
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)
    except BaseExceptionGroup as group:
        # A part of the lab has failed, and the rest was ended for that.
        for failure in group.exceptions:
            remark(f"error: {failure}")
        sys.exit(Status.UNAVAILABLE)


async def _serve(wish: "Wish", home: "Home") -> None:
    from sevengate.lab.serving import serving_lab

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving_lab(wish, home) as lab:
        if lab.view:
            await show(lab.view, _where(lab.url, home, wish.plan.port_shift), stop)
        else:
            _say_where(lab.url, home, wish.plan.port_shift)
            await stop.wait()


def _where(url: str, home: "Home", port_shift: int) -> tuple[str, ...]:
    return (f"serving {url}", f"export KUBECONFIG={home.kubeconfig}", *shift_note(port_shift))


def _say_where(url: str, home: "Home", port_shift: int) -> None:
    for line in _where(url, home, port_shift):
        say(line)
    sys.stdout.flush()


def _detached(home: "Home") -> None:
    """Start the same lab as a process of its own, and wait until it is up."""
    arguments = [one for one in sys.argv[1:] if one != "--detach"]
    home.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A lab that does not come up takes its folder away, and what it said with it: so we keep that open.
    with home.log.open("wb") as log, home.log.open("rb") as said:
        started = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "sevengate", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + _PATIENCE
        while not ((running := home.running()) and running.pid == started.pid):
            if started.poll() is not None or time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(started.pid, signal.SIGTERM)
                remark(said.read().decode(errors="replace").rstrip() or "error: the lab did not come up")
                sys.exit(Status.UNAVAILABLE)
            time.sleep(0.02)
    _say_where(running.url, home, running.port_shift)
