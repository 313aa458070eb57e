"""A whole lab for a test, as `sevengate lab up` runs it: API server, controllers, kubelets and proxies, in a thread."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sevengate.lab.addresses import Plan
from sevengate.lab.home import Home
from sevengate.lab.serving import Wish, allowed, serving_lab
from tests.lab.plans import own_plan


class Whole(NamedTuple):
    """A lab that is up: how to reach it, and at which addresses."""

    kubeconfig: str
    plan: Plan

    def url(self, address: str, port: int = 80, path: str = "/") -> str:
        """Give the URL at which a port of a manifest is really reached."""
        return f"http://{address}:{self.plan.port(port)}{path}"


@contextmanager
def whole_lab(**wishes: Any) -> Iterator[Whole]:
    """Run a lab at addresses that no other test uses."""
    started: Future[Whole] = Future()
    stop = asyncio.Event()

    async def serve(plan: Plan, folder: Path) -> None:
        async with serving_lab(Wish(plan=plan, **wishes), Home(folder)) as lab:
            started.set_result(Whole(lab.kubeconfig, plan))
            await stop.wait()

    def run(plan: Plan, folder: Path) -> None:
        try:
            runner.run(serve(plan, folder))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            runner.close()

    # The paths of sockets must be short, and those that pytest makes are not.
    with own_plan() as plan, tempfile.TemporaryDirectory() as folder:
        runner = asyncio.Runner()
        loop = runner.get_loop()
        thread = threading.Thread(target=run, args=(allowed(plan), Path(folder, "lab")))
        thread.start()
        try:
            yield started.result(60)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(60)
