"""Runs commands as a reader would type them, prints them with what they answer, and remembers what was not so.

Everything that is printed has happened: no output is written here. Commands are printed in their short form (`kubectl`,
`sevengate`), and run with the programs of the virtual environment against the lab that the Transcript was made for.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
#: Seconds until something that ought to happen counts as not happening.
PATIENCE: Final = 60.0
_SHORT: Final = {name: str(Path(sys.executable).with_name(name)) for name in ("kubectl", "sevengate")}


class LessonError(Exception):
    """Something without which the lesson cannot go on."""


class Transcript:
    """Prints what is done, and keeps account of what was expected in vain."""

    def __init__(self, lab: Path) -> None:
        self.failures: list[str] = []
        unset = {name for name in os.environ if name.lower().endswith("_proxy")}
        own = {
            "SEVENGATE_LAB": str(lab),
            "KUBECONFIG": str(lab / "kubeconfig"),
            "KUBECACHEDIR": str(lab.parent / "cache"),
        }
        self._environment = {name: value for name, value in os.environ.items() if name not in unset} | own

    def heading(self, text: str) -> None:
        """Begin a new part."""
        print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}")

    def tell(self, text: str) -> None:
        """Say something to the reader."""
        print(f"\n{text}")

    def run(self, line: str, *, shown: bool = True, fails: bool = False) -> str:
        """Run a command line and give what it printed; whether it fails is remembered if that was not expected."""
        words = shlex.split(line)
        done = subprocess.run(
            [_SHORT.get(words[0], words[0]), *words[1:]],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if shown:
            print(f"\n$ {line}\n{done.stdout}".rstrip())
        self.expect(bool(done.returncode) == fails, f"`{line}` {'fails' if fails else 'succeeds'}: {done.stdout}")
        return done.stdout

    def expect(self, is_so: object, claim: str) -> None:
        """Remember a claim that does not hold."""
        if not is_so:
            self.failures.append(claim)
            print(f"! this should be so: {claim}")

    def expect_in(self, wanted: str, answer: str, claim: str) -> None:
        """Remember that an answer does not hold what it should."""
        self.expect(wanted in answer, f"{claim}: {wanted!r} in {answer!r}")

    def wait(self, line: str, reached: Callable[[str], object], what: str) -> str:
        """Run a command line again and again, unseen, until its output is as it should be; then show it."""
        deadline = time.monotonic() + PATIENCE
        while not reached(output := self._quietly(line)):
            if time.monotonic() > deadline:
                raise LessonError(f"waited {PATIENCE:.0f} s in vain for {what}; `{line}` says: {output}")
            time.sleep(0.2)
        print(f"\n$ {line}\n{output.rstrip()}")
        return output

    def _quietly(self, line: str) -> str:
        words = shlex.split(line)
        done = subprocess.run(
            [_SHORT.get(words[0], words[0]), *words[1:]],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr
