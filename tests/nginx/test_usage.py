import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sevengate.nginx.usage import Usage, usage

BUSY = "import time; end = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])\n"
READY = "print('ready', flush=True); time.sleep(600)"


@contextmanager
def group(code: str) -> Iterator[int]:
    """Run a program in a process group of its own, and go on when it says that it is ready."""
    command = [sys.executable, "-c", f"import time\n{code}\n{READY}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_what_a_group_of_processes_uses_is_added_up() -> None:
    more = "import os\nif os.fork() == 0: time.sleep(600)"
    with group("") as one, group(more) as two:
        alone, both = usage(one), usage(two)
    assert (alone.num_procs, both.num_procs) == (1, 2)
    assert both.resident_memory_bytes > alone.resident_memory_bytes > 1024 * 1024
    assert both.virtual_memory_bytes > both.resident_memory_bytes
    assert 0 < alone.oldest_start_time_seconds <= time.time() + 1


def test_cpu_time_of_children_that_ended_is_not_forgotten() -> None:
    with group(CHILD) as busy:
        assert usage(busy).cpu_seconds_total >= 0.1


def test_where_no_process_is_left_nothing_is_used() -> None:
    with group("") as gone:
        pass
    assert usage(gone) == Usage()
