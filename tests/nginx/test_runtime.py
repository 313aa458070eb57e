import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sevengate.nginx.installation import NginxError
from sevengate.nginx.runtime import Runtime


@pytest.fixture
def runtime(temporary: str) -> Iterator[Runtime]:
    made = Runtime(Path(temporary) / "gate")
    made.make()
    made.claim()
    yield made
    made.remove()


def test_the_private_part_is_for_its_owner_only(runtime: Runtime) -> None:
    path = runtime.write("key.pem", b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert runtime.private.stat().st_mode & 0o777 == 0o700
    runtime.write("key.pem", b"newer")
    assert path.read_bytes() == b"newer"
    assert sorted(entry.name for entry in runtime.private.iterdir()) == ["key.pem", "lock"]


def test_a_directory_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NginxError, match="too long for the path of a socket"):
        Runtime(tmp_path / ("x" * 100))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_volume_that_is_somebody_elses_is_left_as_it_is(temporary: str) -> None:
    volume = Path(temporary) / "volume"
    volume.mkdir()
    volume.chmod(0o2777)
    os.chown(volume, 65534, 65534)
    runtime = Runtime(volume)
    runtime.make()
    modes = [oct(folder.stat().st_mode & 0o7777) for folder in (volume, runtime.private)]
    assert modes == ["0o2777", "0o700"]


def test_a_folder_that_cannot_be_written_is_named(temporary: str) -> None:
    file = Path(temporary) / "file"
    file.touch()
    with pytest.raises(NginxError, match=rf"cannot write {file}/gate: Not a directory"):
        Runtime(file / "gate").make()


def test_one_works_in_a_directory_and_only_its_own_is_taken_away(runtime: Runtime) -> None:
    other = Runtime(runtime.directory)
    with pytest.raises(NginxError, match="another Sevengate works in"):
        other.claim()
    other.remove()
    assert runtime.private.is_dir()
    (runtime.directory / "of the user").touch()
    runtime.remove()
    assert [entry.name for entry in runtime.directory.iterdir()] == ["of the user"]
