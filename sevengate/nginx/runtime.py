"""The directory that one NGINX works in, and who may work in it.

It holds nginx.conf, the certificate of last resort, NGINX's temporary files, and the sockets at which NGINX takes
documents and its supervisor takes Blueprints. `claim` makes sure that one supervisor works there. What cannot be
written (no permission, a full disk) is an NginxError that names the file. What the files say is left to their writers.
"""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sevengate.nginx.installation import NginxError

_MAX_SOCKET_PATH: Final = 100  # sun_path holds 108 bytes, and NGINX adds `unix:` to what it prints


class Runtime:
    """The directory that one NGINX works in. Its workers may pass through it; `private` is for its owner alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.private = directory / "private"
        self.temporary = directory / "temporary"
        self.conf = self.private / "nginx.conf"
        self.pid = self.private / "nginx.pid"
        self.control = self.private / "control.sock"
        self.supervisor = self.private / "supervisor.sock"
        self._claim: int | None = None
        if len(os.fsencode(self.supervisor)) > _MAX_SOCKET_PATH:
            raise NginxError(f"{self.supervisor} is too long for the path of a socket; choose a shorter directory")

    def make(self) -> None:
        """Make the directory; an NGINX that runs as root lets its workers, who are nobody, pass to the temporaries."""
        with _named_errors():
            self.directory.mkdir(parents=True, exist_ok=True)
            self.temporary.mkdir(exist_ok=True)
            self.private.mkdir(exist_ok=True)
            for folder in (self.directory, self.temporary):
                if folder.stat().st_uid == os.geteuid():  # a volume that is mounted there is root's
                    folder.chmod(0o711)
            self.private.chmod(0o700)

    def claim(self) -> None:
        """Be the only one who works here until `remove`, or our death; raise NginxError if another does."""
        if self._claim is not None:
            return
        with _named_errors():
            lock = os.open(self.private / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise NginxError(f"another Sevengate works in {self.directory}") from None
        self._claim = lock

    def write(self, name: str, content: bytes) -> Path:
        """Put a file for NGINX into the private part, readable by its owner only, whole or not at all."""
        path = self.private / name
        half = path.with_name(path.name + ".new")
        with _named_errors(half):
            half.unlink(missing_ok=True)
            with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            half.replace(path)
        return path

    def sweep(self) -> None:
        """Remove the socket and the pid file of an NGINX that is gone; raise NginxError if it is still there."""
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.control)) == 0:
                raise NginxError(f"another NGINX works in {self.directory}: it answers at {self.control.name}")
        with _named_errors():
            self.control.unlink(missing_ok=True)
            self.pid.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take away what was made, and the directory if nothing else is in it."""
        if self._claim is None:
            return
        for folder in (self.temporary, self.private):
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            self.directory.rmdir()
        os.close(self._claim)
        self._claim = None


@contextmanager
def _named_errors(path: Path | None = None) -> Iterator[None]:
    """Raise NginxError for OSError, with the file that it is about."""
    try:
        yield
    except OSError as error:
        if path:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise NginxError(f"cannot write {error.filename or path}: {error.strerror}") from error
