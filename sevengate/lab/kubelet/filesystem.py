"""The root folder of a container, as the steps by which the launcher builds it.

Takes what the image brings, what the pod mounts, and where this Python lives; gives steps. A container sees the
machine's programs and libraries, and nothing else of the machine: no home, no keys, nothing that it could change.
What it writes stays with it. Where the isolation is `user`, the machine's folders cannot be written over, so only what
the image calls its own folders can be changed. The steps are carried out by `launcher`.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

import sevengate

#: One thing to do to a root folder: its name and what it takes (see launcher.py).
Step = tuple[str | int, ...]

#: Where images keep commands of their own.
IMAGE_COMMANDS: Final = "/opt/image/bin"
PATH: Final = f"{IMAGE_COMMANDS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What programs need of the machine's settings: names of users, libraries, certificates, the time zone.
_SETTINGS: Final = (
    "alternatives", "group", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "nsswitch.conf", "passwd",
    "protocols", "services", "ssl", "ca-certificates", "ca-certificates.conf", "terminfo", "mime.types",
)  # fmt: skip
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
#: Folders of the machine that hold programs; on most machines all but the first are links into it.
_LOCAL: Final = "/usr/local"
_PROGRAMS: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


class File(msgspec.Struct, frozen=True):
    """A file that an image brings."""

    text: str
    mode: int = 0o644


class Mount(msgspec.Struct, frozen=True):
    """A folder or file of the machine that a container sees at a path of its own."""

    source: str
    path: str
    read_only: bool = False


class Layer(msgspec.Struct, frozen=True):
    """What an image adds to the machine's programs: `folders` are its own, so that they can be changed."""

    files: Mapping[str, File] = {}
    folders: tuple[str, ...] = ()


def build_steps(isolation: str, layer: Layer, mounts: Iterable[Mount], hostname: str) -> list[Step]:
    """Give the steps for one container, in the order in which they must be done."""
    mounts = sorted(mounts, key=lambda one: one.path)
    return [
        *_programs(isolation),
        *_plain_folders(),
        *_devices(),
        *(("bind", f"/etc/{name}", f"/etc/{name}", 1) for name in _SETTINGS if Path("/etc", name).exists()),
        ("file", "/etc/hostname", hostname + "\n", 0o644),
        ("file", "/etc/resolv.conf", "", 0o644),
        *(("bind", folder, folder, 1) for folder in python_folders()),
        *(("tmpfs", folder, "755") for folder in layer.folders),
        *(("file", path, file.text, file.mode) for path, file in layer.files.items()),
        # A mount below another one comes after it.
        *(("bind", mount.source, mount.path, int(mount.read_only)) for mount in mounts),
        *(("bind", folder, folder, 1) for folder in python_folders() if _is_hidden(folder, mounts)),
    ]


def _is_hidden(folder: str, mounts: Iterable[Mount]) -> bool:
    """Say whether a mount lies over a folder, as one at /tmp does over a checkout that was made there."""
    return any(Path(folder).is_relative_to(mount.path) for mount in mounts if not mount.read_only)


def python_folders() -> list[str]:
    """Give the folders of this Python and of the house, so that a container can run both."""
    package = Path(sevengate.__file__).resolve().parent
    wanted = sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), package})
    kept: list[Path] = []
    for folder in wanted:
        if not any(folder.is_relative_to(other) for other in (Path("/usr"), *kept)):
            kept.append(folder)
    return [str(folder) for folder in kept]


def _programs(isolation: str) -> Iterator[Step]:
    for name in _PROGRAMS:
        path = Path(name)
        if path.is_symlink():
            yield "symlink", str(path.readlink()), name
        elif path.is_dir():
            yield ("overlay", name, name) if isolation == "root" else ("bind", name, name, 1)
    if isolation != "root" and Path(_LOCAL).is_dir():
        # Manifests mount things here, so at least this folder takes new ones.
        yield "tmpfs", _LOCAL, "755"
        yield from (("bind", str(path), str(path), 1) for path in Path(_LOCAL).iterdir() if path.exists())


def _plain_folders() -> Iterator[Step]:
    for name, mode in (("/tmp", 0o1777), ("/run", 0o755), ("/root", 0o711), ("/home", 0o755), ("/opt", 0o755)):  # noqa: S108
        yield "folder", name, mode
    yield "folder", "/var/tmp", 0o1777  # noqa: S108
    for name in ("/var/log/nginx", "/var/lib/nginx", "/var/cache/nginx", "/etc", "/mnt", "/srv"):
        yield "folder", name, 0o755
    yield "symlink", "../run", "/var/run"
    yield "proc", "/proc"


def _devices() -> Iterator[Step]:
    yield "tmpfs", "/dev", "755"
    for name in _DEVICES:
        yield "bind", f"/dev/{name}", f"/dev/{name}", 0
    yield "tmpfs", "/dev/shm", "1777"  # noqa: S108
    for target, name in (("fd", "fd"), ("fd/0", "stdin"), ("fd/1", "stdout"), ("fd/2", "stderr")):
        yield "symlink", f"/proc/self/{target}", f"/dev/{name}"
