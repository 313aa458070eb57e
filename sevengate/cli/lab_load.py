"""`sevengate lab load`: many manifests into the lab that is up, at once."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevengate.cli.lab import enter, folder_option, running_lab
from sevengate.cli.output import Status, paths_argument, remark, say

if TYPE_CHECKING:
    from sevengate.lab.loading import Manifest, Refusal


@click.command()
@paths_argument
@folder_option
def load(paths: tuple[str, ...], folder: Path) -> None:
    """Create the objects of manifests in the lab, or merge them into those that are there. Thousands take seconds."""
    home, running = running_lab(folder)
    manifests = _read(paths)
    enter(running)
    began = time.monotonic()
    refused = asyncio.run(_load(home.kubeconfig, manifests))
    for one in refused:
        say(f"{one.origin}: error: {one.message}", "error")
    count = len(manifests) - len(refused)
    remark(f"{count} object{'' if count == 1 else 's'} loaded in {time.monotonic() - began:.1f} s")
    sys.exit(Status.FAILED if refused else Status.FINE)


def _read(paths: Sequence[str]) -> "tuple[Manifest, ...]":
    """Read all objects; end the program where a file cannot be read, for half of a set is none."""
    from sevengate.diagnostics import Report
    from sevengate.files import texts
    from sevengate.kube.manifest import chunks, items
    from sevengate.lab.loading import Manifest

    report = Report()
    manifests = tuple(
        Manifest(plain if isinstance(plain, dict) else {}, chunk.document, inside)
        for file, text in texts(paths, sys.stdin, report)
        for chunk in chunks(text, file, report)
        for inside, plain in items(chunk.plain)
    )
    for diagnostic in report:
        say(f"{diagnostic.where.origin}: error: {diagnostic.message}", "error")
    if len(report):
        sys.exit(Status.USAGE)
    return manifests


async def _load(kubeconfig: Path, manifests: "Sequence[Manifest]") -> "tuple[Refusal, ...]":
    from sevengate.cluster.client import Client
    from sevengate.cluster.kubeconfig import load_kubeconfig
    from sevengate.lab.loading import Loader

    async with Client(load_kubeconfig([kubeconfig]), manager="sevengate-lab-load") as client:
        return await Loader(client).load(manifests)
