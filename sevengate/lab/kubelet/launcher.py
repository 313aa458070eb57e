"""Becomes one container: a program that the kubelet runs as a script, with the standard library alone.

It takes a Spec as JSON in an open file (argv: `run` or `enter`, the file's number, the number of a pipe to report to)
and gives the exit status of the command that it ran. `run` puts the command into namespaces of its own (processes,
mounts, host name), in a root folder that is built by the steps of the Spec; `enter` joins those of a running container.
Where neither root nor user namespaces allow that, the command runs among the machine's own files. On the pipe it says
`pid N`, and `error ...` if the command could not be started. What stands in the Spec is decided in `filesystem` and
`sandbox`; this file imports nothing of the house, because it must start within a few milliseconds.

Nothing outlives the kubelet: it dies with its parent, its child with it, and with the first process of a namespace of
processes all others (prctl(2) PR_SET_PDEATHSIG, pid_namespaces(7)).
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import stat
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID = 0x10000000, 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 1, 8, 24
_PR_SET_CHILD_SUBREAPER, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 36, 47, 2
#: What a container's root may do, as container engines grant it: files, users, signals and low ports, no devices.
_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31}
_NET_BIND_SERVICE = 10
_CAPABILITY_VERSION = 0x20080522
#: Where the machine's own root is seen while a container's is built.
_HOST = "/.host"
_LAYERS = "/.layers"
#: Seconds that processes without a namespace get to end when the lab is gone.
_LAST_GRACE = 3

Spec = dict[str, Any]


def main() -> int:
    """Run or enter; give the command's exit status."""
    verb, spec_file, report = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with os.fdopen(spec_file, "rb") as file:
        spec: Spec = json.load(file)
    os.set_inheritable(report, False)  # noqa: FBT003 - its only argument
    kill = signal.SIGTERM if spec["isolation"] == "none" else signal.SIGKILL
    _die_with_parent(kill, spec["parent"])
    leash, held = os.pipe()
    if verb == "enter":
        _join(spec)
    else:
        _leave(spec)
    pid = os.fork()
    if pid == 0:
        os.close(held)
        _become(spec, verb, leash, report)
    os.close(leash)
    with contextlib.suppress(BrokenPipeError):
        os.write(report, f"pid {pid}\n".encode())
    os.close(report)
    return _attend(pid, spec)


def _leave(spec: Spec) -> None:
    """Leave the namespaces of the machine; those of mounts and names are left by the child, who needs them."""
    if spec["isolation"] == "none":
        _checked("prctl", _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        return
    user, group = os.geteuid(), os.getegid()
    is_mapped = spec["isolation"] == "user"
    _checked("unshare", _LIBC.unshare(_CLONE_NEWPID | (_CLONE_NEWUSER if is_mapped else 0)))
    if is_mapped:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def _join(spec: Spec) -> None:
    if spec["isolation"] == "none":
        return
    spaces = _CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC
    spaces |= _CLONE_NEWUSER if spec["isolation"] == "user" else 0
    _checked("setns", _LIBC.setns(spec["pidfd"], spaces))
    os.close(spec["pidfd"])


def _become(spec: Spec, verb: str, leash: int, report: int) -> NoReturn:
    """Be the container's process; what goes wrong is reported and ends it as a shell would."""
    status = 128
    try:
        _die_with_parent(signal.SIGTERM if spec["isolation"] == "none" else signal.SIGKILL)
        if verb == "run":
            _build(spec)
        _take_terminal(spec)
        os.chdir(spec["directory"])
        if spec["isolation"] == "root":
            _become_user(spec["user"], spec["groups"])
        _die_with_parent(signal.SIGTERM if spec["isolation"] == "none" else signal.SIGKILL)
        # The launcher may have died before this process could ask to die with it.
        if select.select([leash], [], [], 0)[0]:
            os._exit(status)
        _reset_signals()
        status = 127
        os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])  # noqa: S606 - this is what it is for
    except FileNotFoundError as error:
        missing = spec["argv"][0] if status == 127 else error.filename
        why = f'exec: "{missing}": executable file not found in $PATH' if status == 127 else str(error)
        os.write(report, f"error {why}\n".encode())
    except BaseException as error:
        os.write(report, f"error {type(error).__name__}: {error}\n".encode())
    os._exit(status)


def _take_terminal(spec: Spec) -> None:
    if spec["terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _reset_signals() -> None:
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)


# --- the container's root folder


def _build(spec: Spec) -> None:
    if spec["isolation"] != "none":
        _leave_mounts(spec)
    os.umask(0o022)
    for step in spec["steps"]:
        _STEPS[step[0]](*step[1:])
    if spec["isolation"] != "none":
        for folder in (_LAYERS, _HOST):
            _checked(f"umount {folder}", _LIBC.umount2(folder.encode(), _MNT_DETACH))
            Path(folder).rmdir()
    for folder in spec["frozen"]:
        _freeze(folder)


def _leave_mounts(spec: Spec) -> None:
    """Begin an empty root folder; the machine's own is still seen at _HOST."""
    _checked("unshare", _LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC))
    socket.sethostname(spec["hostname"])
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    root = spec["root"]
    _mount("tmpfs", root, "tmpfs", _MS_NODEV | _MS_NOSUID, "mode=755")
    for folder in (_HOST, _LAYERS):
        Path(root + folder).mkdir(0o700)
    _checked("pivot_root", _LIBC.pivot_root(root.encode(), (root + _HOST).encode()))
    os.chdir("/")
    _mount("tmpfs", _LAYERS, "tmpfs", _MS_NODEV, "mode=755")


def _folder(path: str, mode: int) -> None:
    if not Path(path).is_dir():
        Path(path).mkdir(parents=True)
        Path(path).chmod(mode)


def _symlink(target: str, path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).symlink_to(target)


def _file(path: str, content: str, mode: int) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    Path(path).write_text(content, encoding="utf-8")
    Path(path).chmod(mode)


def _tmpfs(path: str, mode: str) -> None:
    Path(path).mkdir(parents=True, exist_ok=True)
    _mount("tmpfs", path, "tmpfs", _MS_NODEV | _MS_NOSUID, f"mode={mode}")


def _proc(path: str) -> None:
    """Show the container's own processes; what the kernel lets root change there is read-only."""
    Path(path).mkdir(parents=True, exist_ok=True)
    _mount("proc", path, "proc", _MS_NODEV | _MS_NOSUID)
    for name in ("sys", "sysrq-trigger", "irq", "bus"):
        if Path(path, name).exists():
            _mount(f"{path}/{name}", f"{path}/{name}", "", _MS_BIND | _MS_REC)
            _freeze(f"{path}/{name}")


def _bind(source: str, path: str, is_frozen: int) -> None:
    source = _HOST + source
    if Path(source).is_dir():
        Path(path).mkdir(parents=True, exist_ok=True)
    elif not os.path.lexists(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    _mount(source, path, "", _MS_BIND | _MS_REC)
    if is_frozen:
        _freeze(path)


def _freeze(path: str) -> None:
    """Make a mount read-only; flags that it has must be named again, or a user namespace may not do it."""
    flags = os.statvfs(path).f_flag & (_MS_RDONLY | _MS_NOSUID | _MS_NODEV | 8 | 1024 | 2048 | (1 << 21))
    # statvfs has its own numbers for the last ones (statvfs(3)): relatime is 4096 there and 1 << 21 for mount(2).
    flags |= (1 << 21) if os.statvfs(path).f_flag & 4096 else 0
    _mount("none", path, "", _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags)


def _overlay(source: str, path: str) -> None:
    """Show a folder of the machine, in which every change stays with the container."""
    layer = f"{_LAYERS}/{path.strip('/').replace('/', '-')}"
    for folder in (layer, f"{layer}/upper", f"{layer}/work"):
        Path(folder).mkdir(0o755)
    Path(path).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={_HOST}{source},upperdir={layer}/upper,workdir={layer}/work"
    try:
        _mount("overlay", path, "overlay", _MS_NODEV, options)
    except OSError:  # a user namespace may not use trusted attributes
        _mount("overlay", path, "overlay", _MS_NODEV, options + ",userxattr")


_STEPS: dict[str, Callable[..., None]] = {
    "bind": _bind,
    "file": _file,
    "folder": _folder,
    "overlay": _overlay,
    "proc": _proc,
    "symlink": _symlink,
    "tmpfs": _tmpfs,
}


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    done = _LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(f"mount {source} at {target}", done)


# --- who the process is


def _become_user(user: int, groups: list[int]) -> None:
    for number in range(64):
        if number not in _CAPABILITIES:
            _LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    for stream in (1, 2):
        # Who opens /dev/stdout anew, as NGINX does for its logs, must own the pipe.
        if stat.S_ISFIFO(os.fstat(stream).st_mode):
            os.fchown(stream, user, groups[0])
    os.setgroups(groups)
    os.setgid(groups[0])
    if user:
        # Container engines let every user listen on low ports (net.ipv4.ip_unprivileged_port_start of the pod).
        _checked("prctl", _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setuid(user)
    if user:
        _keep(_NET_BIND_SERVICE)


def _keep(capability: int) -> None:
    """Keep one capability, across exec as well (capabilities(7), "Ambient")."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    mask = 1 << capability
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _checked("capset", _LIBC.capset(header, sets))
    _checked("prctl", _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


# --- life and death


def _die_with_parent(number: int, parent: int = 0) -> None:
    _checked("prctl", _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0))
    if parent and os.getppid() != parent:
        os._exit(1)


def _attend(pid: int, spec: Spec) -> int:
    """Pass signals on to the child until it ends; then end as it did."""
    is_alone = spec["isolation"] == "none"

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if is_alone and os.getppid() != spec["parent"]:
            signal.alarm(_LAST_GRACE)

    def end(_number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH):
        signal.signal(number, pass_on)
    signal.signal(signal.SIGALRM, end)
    _, status = os.waitpid(pid, 0)
    if is_alone:
        _end_orphans()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_orphans() -> None:
    """End what the command left behind, where no namespace ends with it."""
    while True:
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        for child in children.read_text(encoding="ascii").split() if children.exists() else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _checked(what: str, result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main())
