"""The certificate that a TLS server of ours shows, which may change while it listens.

A Proof gives the TLS context to listen with; each handshake is done with the newest certificate, so a new one needs no
new socket and cuts no connection. It comes from `show`, or from two files, which are looked at when a client connects:
the kubelet swaps them when their Secret changes. A pair that cannot be read is said once, and the one before stays.
"""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from sevengate.cluster.access import load_pair
from sevengate.cluster.authority import Pair

log = logging.getLogger("sevengate.web")


class Proof:
    """What is shown; nothing at first, so that every handshake fails."""

    def __init__(self) -> None:
        self._newest: ssl.SSLContext | None = None
        self._look: Callable[[], None] = lambda: None
        self.context = _context()
        self.context.sni_callback = self._choose

    def show(self, pair: Pair) -> None:
        """Show this pair from now on; raise SSLError or ValueError, and change nothing, if it is none."""
        context = _context()
        load_pair(context, pair.certificate, pair.key)
        self._newest = context

    def follow(self, certificate: Path, key: Path) -> None:
        """Show what stands in two files, and what will stand there; raise OSError or ValueError if it is nothing."""
        files = _Files(certificate, key)
        self.show(files.read())

        def look() -> None:
            try:
                if files.have_changed():
                    self.show(files.read())
            except (OSError, ValueError) as error:  # an SSLError is an OSError
                log.warning("%s and %s cannot be used, the certificate before them stays: %s", certificate, key, error)

        self._look = look

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        """Take the newest certificate for one handshake."""
        self._look()
        if self._newest is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._newest
        return None


class _Files:
    def __init__(self, certificate: Path, key: Path) -> None:
        self._paths = (certificate, key)
        self._seen: tuple[object, ...] = ()

    def have_changed(self) -> bool:
        """Say whether they are others than those that were read or seen last."""
        seen, self._seen = self._seen, self._signature()
        return seen != self._seen

    def read(self) -> Pair:
        self._seen = self._signature()
        certificate, key = (path.read_bytes() for path in self._paths)
        return Pair(certificate, key)

    def _signature(self) -> tuple[object, ...]:
        stats = (path.stat() for path in self._paths)
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
