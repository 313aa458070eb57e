"""A lab's folder: one lab at a time has it, a dead one is known to be dead, and nothing stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sevengate.lab.home import Home, HomeTakenError, Record, started_at, write_private


def record(pid: int) -> Record:
    return Record(pid, started_at(pid) or 0, "https://127.0.0.1:6443", "loopback")


def test_a_lab_that_is_up_is_found_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    home = Home(tmp_path / "lab")
    with home.claimed():
        write_private(home.kubeconfig, "a kubeconfig")
        home.announce(record(os.getpid()))
        assert home.running() == record(os.getpid())
        assert home.kubeconfig.read_text() == "a kubeconfig"
        assert home.kubeconfig.stat().st_mode & 0o077 == 0
    assert home.running() is None
    assert not home.folder.exists()


def test_another_process_under_a_dead_labs_number_is_not_taken_for_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.announce(Record(os.getpid(), 1))
    assert home.running() is None


def test_a_folder_belongs_to_one_lab_at_a_time(tmp_path: Path) -> None:
    home = Home(tmp_path / "lab")
    with home.claimed():
        home.announce(record(os.getpid()))
        with pytest.raises(HomeTakenError, match=f"process {os.getpid()}"), Home(home.folder).claimed():
            pass
        assert home.running()


def test_what_a_killed_lab_has_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib, time; from sevengate.lab.home import *\n"
        "home = Home(pathlib.Path(sys.argv[1]))\n"
        "with home.claimed():\n"
        "    write_private(home.kubeconfig, 'old'); home.announce(Record(os.getpid(), started_at(os.getpid())))\n"
        "    (home.work / 'nodes').mkdir(parents=True); print('up', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"up\n"
        killed.send_signal(signal.SIGKILL)
    home = Home(tmp_path)
    assert home.kubeconfig.exists()
    assert home.running() is None
    with home.claimed():
        assert not home.kubeconfig.exists()
    assert not tmp_path.exists()


def test_a_folder_with_a_long_path_leads_to_a_short_one_for_sockets_which_goes_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path / ("long" * 20))
    with home.claimed():
        work = home.work
        (work / "kubelet").mkdir()
        assert len(str(work)) < 60
        assert work.stat().st_mode & 0o077 == 0
    assert not work.exists()
    assert not home.folder.exists()


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with Home(tmp_path).claimed():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_process_that_is_gone_or_a_zombie_has_not_started() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as gone:
        assert gone.stdout is not None
        gone.stdout.read()
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
        assert started_at(gone.pid) is None
    assert started_at(gone.pid) is None
