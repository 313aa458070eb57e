"""Both ends of a process' standard streams: pipes, or one terminal for all three.

Gives Ends: the file descriptors that the process is given, and ours on the other side. Who reads and writes is decided
in `containers` and `streams`.
"""

import asyncio
import os

from sevengate.lab.kubelet.sandbox import Streams


class Ends:
    """`streams` are the process's ends, `input` and `outputs` (by name) ours; no input is -1."""

    def __init__(self, streams: Streams, input_end: int, outputs: dict[str, int], *, is_terminal: bool) -> None:
        self.streams = streams
        self.input = input_end
        self.outputs = outputs
        self.is_terminal = is_terminal

    def close_given(self) -> None:
        """Close the process's ends on our side, when it has them."""
        for end in {self.streams.stdin, self.streams.stdout, self.streams.stderr} - {asyncio.subprocess.DEVNULL}:
            os.close(end)

    def close_input(self) -> None:
        """End the process's input."""
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def close(self) -> None:
        """Close all that is ours."""
        self.close_input()
        for end in self.outputs.values():
            os.close(end)


def open_pipes(*, has_input: bool) -> Ends:
    """Make a pipe for each stream; without input the process reads nothing."""
    stdin, own = os.pipe() if has_input else (asyncio.subprocess.DEVNULL, -1)
    (out, stdout), (err, stderr) = os.pipe(), os.pipe()
    return Ends(Streams(stdin, stdout, stderr), own, {"stdout": out, "stderr": err}, is_terminal=False)


def open_terminal() -> Ends:
    """Make a terminal."""
    own, other = os.openpty()
    return Ends(Streams(other, other, other), own, {"stdout": os.dup(own)}, is_terminal=True)
