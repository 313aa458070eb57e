"""A switch and machines at it, each a network namespace of its own, on this one kernel; root alone can make them.

`Network.add("a", "10.77.0.1/24")` gives a Machine, in which programs are started; everything is gone afterwards, and
nothing of this machine's own network is touched. What a program prints is collected line by line.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Program:
    """A program that runs in a machine, in a process group of its own, and the lines that it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    def said(self, text: str) -> int:
        return sum(text in line for line in list(self.lines))

    def output(self) -> str:
        """Wait for its end and give all that it printed; raise if it failed."""
        assert self._process.wait(60) == 0
        self._reader.join(10)
        return "".join(f"{line}\n" for line in self.lines)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it and its children, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(10)


class Machine:
    """One network namespace with an interface `eth0`."""

    def __init__(self, space: str) -> None:
        self.space = space
        self._programs: list[Program] = []

    def start(self, *command: str | Path, **environment: str) -> Program:
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.space, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        program = Program(process)
        self._programs.append(program)
        return program

    def unplug(self) -> None:
        """Pull the cable."""
        ip("-n", self.space, "link", "set", "dev", "eth0", "down")

    def power_off(self) -> None:
        """Kill whatever runs here."""
        for program in self._programs:
            program.kill()


class Network:
    """A switch; machines are added to it."""

    def __init__(self) -> None:
        self._name = f"sevengate-{secrets.token_hex(4)}"
        self._switch = f"{self._name}-switch"
        self._machines: list[Machine] = []

    def add(self, name: str, address: str) -> Machine:
        machine = Machine(f"{self._name}-{name}")
        ip("netns", "add", machine.space)
        self._machines.append(machine)
        ip(
            "-n",
            self._switch,
            "link",
            "add",
            "name",
            name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            machine.space,
        )
        ip("-n", self._switch, "link", "set", "dev", name, "master", "bridge", "up")
        ip("-n", machine.space, "address", "add", address, "dev", "eth0")
        for interface in ("lo", "eth0"):
            ip("-n", machine.space, "link", "set", "dev", interface, "up")
        return machine

    def _start(self) -> None:
        ip("netns", "add", self._switch)
        ip("-n", self._switch, "link", "add", "name", "bridge", "type", "bridge")
        ip("-n", self._switch, "link", "set", "dev", "bridge", "up")

    def _end(self) -> None:
        for machine in self._machines:
            machine.power_off()
        for space in [*(machine.space for machine in self._machines), self._switch]:
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)

    @classmethod
    @contextmanager
    def made(cls) -> Iterator["Network"]:
        """Make a network, and take it away again."""
        network = cls()
        try:
            network._start()
            yield network
        finally:
            network._end()
