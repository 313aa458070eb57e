"""Runs the lesson: `python -m tools.lesson`, and with `--once` it checks every answer and ends.

Starts a lab of its own in build/lesson, goes through the three ways, and then stays up until Ctrl-C with a kubeconfig
to play with. Gives 0 if every answer was right, else 1. In both cases, and after a failure too, nothing stays behind.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from io import TextIOWrapper
from typing import NoReturn

from tools.lesson.modes import WORK, Stage, balancer, host_network, node_port
from tools.lesson.transcript import ROOT, LessonError, Transcript

LAB = ROOT / WORK / "lab"


def play(transcript: Transcript, *, once: bool) -> None:
    """Go through the lesson on a lab of its own."""
    transcript.heading("A cluster on this machine")
    transcript.run("sevengate lab up --detach")
    try:
        status = json.loads(transcript.run("sevengate lab status --output json", shown=False) or "null")
        if status is None:
            raise LessonError("the lab did not come up")
        transcript.wait("kubectl get nodes -o wide", lambda said: said.count(" Ready ") == 3, "three nodes")
        if status["port_shift"]:
            transcript.tell(f"Without root, ports below 1024 are moved up by {status['port_shift']}: 80 is 8080.")
        stage = Stage(transcript, status["port_shift"])
        for way in (balancer, host_network, node_port):
            way(stage)
        if not once:
            stay()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind
        transcript.run("sevengate lab down")


def stay() -> NoReturn:
    """Go on until Ctrl-C."""
    print(f"\nThe cluster stays up until Ctrl-C. In another terminal:\n  export KUBECONFIG={LAB / 'kubeconfig'}")
    print("  .venv/bin/kubectl get ingress,services,pods --all-namespaces")
    while True:
        time.sleep(3600)


def interrupt(number: int, _frame: object) -> NoReturn:
    """Take a request to end as Ctrl-C, so that everything is cleared away."""
    raise KeyboardInterrupt(number)


def main() -> int:
    """Play; give 0 if everything was as it should be, else 1."""
    parser = argparse.ArgumentParser(description="Three ways into a cluster.")
    parser.add_argument("--once", action="store_true", help="verify every answer and end")
    once = parser.parse_args().once
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a reader at the end of a pipe waits for lines too
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    shutil.rmtree(ROOT / WORK, ignore_errors=True)
    (ROOT / WORK).mkdir(parents=True)
    transcript = Transcript(LAB)
    began = time.monotonic()
    try:
        play(transcript, once=once)
    except (LessonError, OSError) as error:
        transcript.failures.append(str(error))
    except KeyboardInterrupt:
        if once:
            transcript.failures.append("interrupted")
    if transcript.failures:
        print("\nNot as it should be:", *transcript.failures, sep="\n  ", file=sys.stderr)
    elif once:
        print(f"\nEvery answer was as it should be, {time.monotonic() - began:.0f} s.")
    return 1 if transcript.failures else 0


if __name__ == "__main__":
    sys.exit(main())
