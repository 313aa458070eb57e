"""One container of a pod: pulled, started, started again, stopped.

Takes the container's spec and a Site, what its pod gives it; keeps a State for the pod's status and a Log for each run.
A container that ends is started again as its policy says, at once the first time and then after 1, 2, 4 ... 10 seconds
(a real kubelet begins with 10 and ends with 300). What runs for an image is decided in `images`, what the process sees
in `filesystem`, how it is started in `sandbox`, how its health is looked after in `health`.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from sevengate.lab.kubelet import bare
from sevengate.lab.kubelet.ends import Ends, open_pipes, open_terminal
from sevengate.lab.kubelet.environment import ReferenceMissingError
from sevengate.lab.kubelet.health import watch_health
from sevengate.lab.kubelet.images import WHAT_RUNS, ImageError, Program
from sevengate.lab.kubelet.logs import Log
from sevengate.lab.kubelet.probes import Target, Verdict, act
from sevengate.lab.kubelet.recipes import Recipe
from sevengate.lab.kubelet.sandbox import Command, Isolation, Process, StartError, Streams, enter, start
from sevengate.lab.kubelet.status import Exit, State
from sevengate.lab.kubelet.volumes import VolumeError
from sevengate.lab.mirror import Object

#: Seconds before each further start; a run of HEALTHY seconds begins anew with the first.
PAUSES: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 10.0)
HEALTHY: Final = 10.0
#: Seconds between two tries to get what a container waits for.
RETRY: Final = 0.5
#: Seconds that a server may take until its port is open before the container counts as running all the same.
OPEN_LIMIT: Final = 5.0
_LONGEST_OUTPUT: Final = 10 * 1024


class Site(Protocol):
    """What a pod gives to its containers."""

    @property
    def pod(self) -> Object:
        """The pod as it is now."""

    @property
    def address(self) -> str:
        """Where it is reached."""

    @property
    def isolation(self) -> Isolation:
        """How its processes are kept apart."""

    @property
    def notes(self) -> Path:
        """Where its processes are noted."""

    def log(self, container: str, restarts: int) -> Path:
        """Give the file for the log of a run."""

    def prepare(self, container: Object, run: str) -> Recipe | None:
        """Say how a container is run, None if the lab has no such image; raise ReferenceMissingError and others."""

    def moved(self, port: int) -> int:
        """Give the port that is really listened on."""

    def tell(self, reason: str, message: str, kind: str = "Normal", container: str = "") -> None:
        """Write an Event of the pod."""

    def changed(self) -> None:
        """Take note that a State has changed."""


class Container:
    """One container; `run` lasts until it is not to be started any more."""

    def __init__(self, spec: Object, site: Site, policy: str, state: State) -> None:
        self.spec = spec
        self.state = state
        self.log: Log | None = None
        self.previous: Log | None = None
        self.process: Process | None = None
        #: Our ends of its streams, while it runs.
        self.ends: Ends | None = None
        self._site = site
        self._policy = policy
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    def begin(self) -> asyncio.Task[None]:
        """Run in the background."""
        self._task = asyncio.create_task(self._run())
        return self._task

    async def stop(self, grace: float) -> None:
        """End it for good: the hook before the end, SIGTERM, and after `grace` seconds SIGKILL."""
        self._is_stopping = True
        is_waiting = self.process is None
        if self.process and self.process.running:
            self.tell("Killing", f"Stopping container {self.name}")
            await self._end_process(grace)
        if self._task and not self._task.done():
            if is_waiting:
                self._task.cancel()
            await asyncio.wait([self._task])

    async def run_inside(self, argv: Sequence[str]) -> tuple[int, str]:
        """Run a command in the container; give its exit status and the beginning of what it wrote."""
        reading, writing = os.pipe()
        try:
            process = await self.enter(argv, Streams(asyncio.subprocess.DEVNULL, writing, writing))
        except StartError as error:
            os.close(reading)
            return 126, str(error)
        finally:
            os.close(writing)
        try:
            with os.fdopen(reading, "rb") as output:
                said = await asyncio.to_thread(output.read, _LONGEST_OUTPUT)
            return await process.wait(), said.decode(errors="replace")
        except asyncio.CancelledError:
            process.signal(signal.SIGKILL)
            raise

    async def enter(self, argv: Sequence[str], streams: Streams, *, terminal: bool = False) -> Process:
        """Start a command in the container; raise StartError if the container does not run."""
        if self.process is None or not self.process.running:
            raise StartError(f"container {self.name} is not running")
        own = self._recipe.command
        command = Command(tuple(argv), own.environment, own.directory, own.user, own.groups, terminal)
        return await enter(self.process, self._site.isolation, command, streams)

    def refuse_strangers(self) -> None:
        """Raise StartError where a command from outside would find the machine's files instead of the container's."""
        if self.process and self._site.isolation == "none":
            raise StartError(bare.why_no_exec(self._recipe.sandbox.root))

    # --- one run after the other

    async def _run(self) -> None:
        while not self._is_stopping:
            began = time.monotonic()
            over = await self._once()
            self.process = None
            self.state.running_since, self.state.is_ready, self.state.is_started = "", False, False
            self.state.exit = over
            self.changed()
            if not self._is_to_run_again(over):
                return
            self._failures = 0 if time.monotonic() - began >= HEALTHY else self._failures
            await self._back_off(over)

    def _is_to_run_again(self, over: Exit) -> bool:
        if self._is_stopping:
            return False
        return self._policy == "Always" or (self._policy == "OnFailure" and not over.is_good)

    async def _back_off(self, over: Exit) -> None:
        pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        if pause:
            about = f"restarting failed container {self.name} in pod {self._site.pod['metadata']['name']}"
            last = self.log.last_line() if self.log else ""
            self.tell("BackOff", f"Back-off {about}" + (f": {last}" if last else ""), "Warning")
            self._wait_for("CrashLoopBackOff", f"back-off {pause:g}s {about}")
        self.state.last, self.state.exit = over, None
        self.changed()
        await asyncio.sleep(pause)
        self.state.restarts += 1

    async def _once(self) -> Exit:
        """Run it once and give how that ended."""
        started = _now()
        recipe = self._recipe = await self._find_recipe()
        if self.previous:
            self.previous.path.unlink(missing_ok=True)
        self.previous, self.log = self.log, Log(self._site.log(self.name, self.state.restarts))
        self.state.id = f"lab://{uuid4().hex}"
        try:
            self.tell("Created", f"Created container: {self.name}")
            process, pumps = await self._start(recipe, self.log)
        except StartError as error:
            self.tell("Failed", f"Error: {error}", "Warning")
            self.log.write("stderr", [f"cannot start: {error}".encode()])
            self.log.close()
            return Exit(128, started, _now(), "StartError", str(error), self.state.id)
        except BaseException:
            self.log.close()
            raise
        self.process = process
        await self._open(recipe.program, process)
        self.tell("Started", f"Started container {self.name}")
        self.state.running_since, self.state.exit = _now(), None
        health = asyncio.create_task(watch_health(self))
        self.changed()
        try:
            code = await process.wait()
            await asyncio.gather(*pumps)
        finally:
            health.cancel()
            process.signal(signal.SIGKILL)
            self.log.close()
            if self.ends:
                self.ends.close_input()
            shutil.rmtree(recipe.sandbox.root, ignore_errors=True)
        return Exit(code, self.state.running_since, _now(), message=self._last_words(code), id=self.state.id)

    async def _find_recipe(self) -> Recipe:
        """Wait until there is all that the container needs."""
        image, failures = self.spec["image"], 0
        while True:
            try:
                recipe = self._site.prepare(self.spec, uuid4().hex)
            except ReferenceMissingError as error:
                self._wait_for("CreateContainerConfigError", str(error))
                self.tell("Failed", f"Error: {error}", "Warning")
            except VolumeError as error:
                self._wait_for("CreateContainerError", str(error))
                self.tell("Failed", f"Error: {error}", "Warning")
            except ImageError as error:
                self._cannot_pull(image, str(error), failures)
            else:
                if recipe is not None:
                    present = f'Container image "{image}" already present on machine'
                    self.tell("Pulled", present)
                    return recipe
                self._cannot_pull(image, WHAT_RUNS, failures)
            failures += 1
            await asyncio.sleep(min(RETRY * failures, PAUSES[-1]))

    def _cannot_pull(self, image: str, why: str, failures: int) -> None:
        if failures == 0:
            self.tell("Pulling", f'Pulling image "{image}"')
            self.tell("Failed", f'Failed to pull image "{image}": {why}', "Warning")
            self.tell("Failed", "Error: ErrImagePull", "Warning")
            self._wait_for("ErrImagePull", why)
        else:
            self.tell("BackOff", f'Back-off pulling image "{image}"', "Warning")
            self._wait_for("ImagePullBackOff", f'Back-off pulling image "{image}": {why}')

    async def _start(self, recipe: Recipe, log: Log) -> tuple[Process, list[asyncio.Task[None]]]:
        own = open_terminal() if self.spec.get("tty") else open_pipes(has_input=bool(self.spec.get("stdin")))
        command = msgspec.structs.replace(recipe.command, terminal=own.is_terminal)
        try:
            process = await start(command, recipe.sandbox, own.streams, self._site.notes)
        except BaseException:
            own.close()
            raise
        finally:
            own.close_given()
        self.ends = own
        return process, [asyncio.create_task(log.take(end, name)) for name, end in own.outputs.items()]

    async def _open(self, program: Program, process: Process) -> None:
        """Wait until the ports are open at which the program surely listens."""
        deadline = time.monotonic() + OPEN_LIMIT
        for port in program.listens:
            while process.running and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(self._site.address, port)
                    writer.close()
                    break
                await asyncio.sleep(0.01)

    def _last_words(self, code: int) -> str:
        wanted = self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return self.log.last_line() if code and wanted and self.log else ""

    def _wait_for(self, reason: str, message: str) -> None:
        self.state.reason, self.state.message = reason, message
        self.changed()

    # --- what looks after its health asks for

    def target(self) -> Target:
        """Say how it is asked."""
        ports = {port["name"]: int(port["containerPort"]) for port in self.spec.get("ports") or () if port.get("name")}
        return Target(self._site.address, ports, self._site.moved, self.run_inside)

    def tell(self, reason: str, message: str, kind: str = "Normal") -> None:
        """Write an Event of it."""
        self._site.tell(reason, message, kind, self.name)

    def changed(self) -> None:
        """Take note that its State has changed."""
        self._site.changed()

    async def give_up(self) -> None:
        """End its process, in peace if it goes."""
        await self._end_process(float(self._site.pod["spec"].get("terminationGracePeriodSeconds", 30)))

    # --- its end

    async def _end_process(self, grace: float) -> None:
        process = self.process
        if process is None:
            return
        deadline = time.monotonic() + grace
        if grace > 0 and (hook := (self.spec.get("lifecycle") or {}).get("preStop")):
            await self._before_end(hook, grace)
        process.signal(self._recipe.program.stop)
        while process.running and time.monotonic() < deadline:  # noqa: ASYNC110 - its end is awaited in _once
            await asyncio.sleep(0.01)
        process.signal(signal.SIGKILL)

    async def _before_end(self, hook: Object, grace: float) -> None:
        try:
            async with asyncio.timeout(grace):
                verdict = await act(hook, self.target())
        except TimeoutError:
            verdict = Verdict(is_good=False, said="it took longer than the grace period")
        if not verdict.is_good:
            self.tell("FailedPreStopHook", f"PreStopHook failed: {verdict.said}", "Warning")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
