"""What a pod's volumes hold, and where they lie on the machine.

Takes a pod, the objects that it refers to and its tokens; writes files below the pod's folder and gives Mounts. Files
of ConfigMaps, Secrets, the downward API and tokens are written beside the old ones and put in place by one rename, as
a real kubelet does, so that a reader never sees half an update. A hostPath is a folder of the node, and each node of a
lab has its own, so that nothing of the machine is read or changed. What a volume of another kind would be is refused
with VolumeError. Source: Kubernetes, "Volumes", "Projected Volumes".
"""

import base64
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from sevengate.lab.kubelet.downward import field_of, resource_of
from sevengate.lab.kubelet.environment import Find, ReferenceMissingError, expand, require
from sevengate.lab.kubelet.filesystem import Mount
from sevengate.lab.mirror import Object

SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
#: Files of the machine that every node has as well; they can be read and not changed.
_SHARED: Final = ("/etc/localtime", "/usr/share/zoneinfo", "/etc/ssl/certs")
_NUMBERS: Final = count(1)


class VolumeError(Exception):
    """A volume cannot be had; the text says why."""


class TokenWish(msgspec.Struct, frozen=True):
    """A service account's token that a pod wants: for whom, and for how many seconds."""

    audience: str
    seconds: int


class Entry(msgspec.Struct, frozen=True):
    """A file of a volume."""

    content: bytes
    mode: int


class Sources(msgspec.Struct, frozen=True):
    """What volumes are made from: the pod, the objects of its namespace, its tokens."""

    pod: Object
    find: Find
    tokens: Mapping[TokenWish, str] = {}


def token_wishes(volumes: Iterable[Object]) -> Iterator[TokenWish]:
    """Give the tokens that volumes hold."""
    for volume in volumes:
        for source in (volume.get("projected") or {}).get("sources") or ():
            if token := source.get("serviceAccountToken"):
                yield _wish(token)


def _wish(token: Object) -> TokenWish:
    return TokenWish(token.get("audience") or "", max(600, int(token.get("expirationSeconds") or 3600)))


# --- what files hold


def entries(volume: Object, sources: Sources) -> dict[str, Entry] | None:
    """Give the files of a volume by path; None for a volume that has none of its own."""
    for kind, read in _KINDS.items():
        if kind in volume:
            return read(volume[kind], sources, _mode(volume[kind].get("defaultMode"), 0o644))
    return None


def _projected(volume: Object, sources: Sources, mode: int) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for source in volume.get("sources") or ():
        for kind, read in _PROJECTIONS.items():
            if kind in source:
                found |= read(source[kind], sources, mode)
    return found


def _object_of(kind: str) -> Callable[[Object, Sources, int], dict[str, Entry]]:
    def read(volume: Object, sources: Sources, mode: int) -> dict[str, Entry]:
        held = require(sources.find, kind, volume)
        items = volume.get("items")
        if not items:
            return {name: Entry(content, mode) for name, content in held.items()}
        found = {}
        for item in items:
            if item["key"] in held:
                found[_inside(item["path"])] = Entry(held[item["key"]], _mode(item.get("mode"), mode))
            elif not volume.get("optional"):
                raise ReferenceMissingError(f"references non-existent {kind.lower()} key: {item['key']}")
        return found

    return read


def _downward(volume: Object, sources: Sources, mode: int) -> dict[str, Entry]:
    found = {}
    for item in volume.get("items") or ():
        if reference := item.get("fieldRef"):
            text = field_of(sources.pod, reference["fieldPath"])
        else:
            text = resource_of(sources.pod, item["resourceFieldRef"], None)
        found[_inside(item["path"])] = Entry(text.encode(), _mode(item.get("mode"), mode))
    return found


def _token(volume: Object, sources: Sources, mode: int) -> dict[str, Entry]:
    return {_inside(volume.get("path") or "token"): Entry(sources.tokens[_wish(volume)].encode(), mode)}


def _inside(path: str) -> str:
    """Give a path within a volume; raise VolumeError for one that leads out of it."""
    if path.startswith("/") or ".." in path.split("/"):
        raise VolumeError(f"the path {path!r} leads out of its volume")
    return path


def _mode(mode: int | None, default: int) -> int:
    return default if mode is None else mode


_KINDS: Final[dict[str, Callable[[Object, Sources, int], dict[str, Entry]]]] = {
    "configMap": _object_of("ConfigMap"),
    "downwardAPI": _downward,
    "projected": _projected,
    "secret": _object_of("Secret"),
}
_PROJECTIONS: Final = {**_KINDS, "serviceAccountToken": _token}


# --- where they lie


class Volumes:
    """The volumes of one pod, below `folder`; `node_folder` holds what the node's hostPaths are."""

    def __init__(self, listed: Iterable[Object], pod: Object, folder: Path, node_folder: Path) -> None:
        self._volumes: dict[str, Object] = {one["name"]: one for one in listed}
        self._group: int | None = (pod["spec"].get("securityContext") or {}).get("fsGroup")
        self._folder = folder
        self._node_folder = node_folder
        self._written: dict[str, dict[str, Entry]] = {}

    def write(self, sources: Sources) -> None:
        """Write what is not there yet or has changed; raise ReferenceMissingError or VolumeError."""
        for name, volume in self._volumes.items():
            found = entries(volume, sources)
            if found is None:
                self._source(name)
            elif found != self._written.get(name):
                _write(self._folder / name, found, self._group)
                self._written[name] = found

    def mounts(self, container: Object, variables: Mapping[str, str]) -> list[Mount]:
        """Give what a container sees of them; its variables may stand in subPathExpr."""
        return [self._mount(one, variables) for one in container.get("volumeMounts") or ()]

    def remove(self) -> None:
        """Take them away with all that is in them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _mount(self, wanted: Object, variables: Mapping[str, str]) -> Mount:
        name = wanted["name"]
        source, inside = (
            self._source(name),
            _inside(expand(wanted.get("subPathExpr") or "", variables) or wanted.get("subPath") or ""),
        )
        path = source / inside
        if inside and not path.exists():
            if name in self._written:
                raise VolumeError(f"volume {name!r} has no file {inside!r}, which subPath names")
            path.mkdir(parents=True)
        frozen = (
            bool(wanted.get("readOnly")) or name in self._written or not source.is_relative_to(self._folder.parents[2])
        )
        return Mount(str(_led(path, source)), wanted["mountPath"], frozen)

    def _source(self, name: str) -> Path:
        volume = self._volumes[name]
        if "hostPath" in volume:
            return self._of_node(volume["hostPath"])
        if "emptyDir" not in volume and not _KINDS.keys() & volume.keys():
            kind = next((key for key in volume if key != "name"), "nothing")
            raise VolumeError(f"volume {name!r} is a {kind}, which the lab has not; it has emptyDir and hostPath")
        folder = self._folder / name
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o777)
            _give(folder, self._group)
        return folder

    def _of_node(self, volume: Object) -> Path:
        path, kind = _normal(volume["path"]), volume.get("type") or ""
        if path in _SHARED and Path(path).exists():
            return Path(path).resolve()
        own = self._node_folder / path.lstrip("/")
        if kind in {"", "DirectoryOrCreate"}:
            own.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            own.parent.mkdir(parents=True, exist_ok=True)
            own.touch()
        elif not own.exists():
            raise VolumeError(f"hostPath type check failed: {path} is not a {kind.lower()} of this node")
        return _led(own, self._node_folder)


def _led(path: Path, home: Path) -> Path:
    """Follow links; raise VolumeError for one that leads out of `home`, where a pod may have put it."""
    path = path.resolve()
    if not path.is_relative_to(home.resolve()):
        raise VolumeError(f"{path.name!r} is a link that leads out of its volume")
    return path


def _normal(path: str) -> str:
    if ".." in path.split("/") or not path.startswith("/"):
        raise VolumeError(f"hostPath {path!r} is not an absolute path without '..'")
    return os.path.normpath(path)


def _write(folder: Path, files: Mapping[str, Entry], group: int | None) -> None:
    """Write files into a new folder, lead `..data` to it, and a link beside it for each name on top."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"..{next(_NUMBERS)}"
    fresh.mkdir()
    for path, entry in files.items():
        file = fresh / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.content)
        file.chmod(entry.mode | (0o440 if group is not None else 0))
        _give(file, group)
    data, half = folder / "..data", folder / "..half"
    old = folder / data.readlink() if data.is_symlink() else None
    half.unlink(missing_ok=True)
    half.symlink_to(fresh.name)
    half.replace(data)
    names = {path.split("/")[0] for path in files}
    for link in [link for link in folder.iterdir() if not link.name.startswith("..") and link.name not in names]:
        link.unlink()
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _give(path: Path, group: int | None) -> None:
    if group is not None and os.geteuid() == 0:
        os.chown(path, -1, group)
        if path.is_dir():
            path.chmod(0o2777)


def default_token_volume(pod: Object) -> Object:
    """Give the volume that an API server adds to a pod for its service account (ServiceAccount admission)."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    suffix = base64.b32encode(pod["metadata"]["uid"].encode())[:5].decode().lower()
    return {
        "name": f"kube-api-access-{suffix}",
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
        },
    }
