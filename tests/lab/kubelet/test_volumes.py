"""What volumes hold, and where they lie."""

import base64
from pathlib import Path
from typing import Any

import pytest

from sevengate.lab.kubelet.environment import ReferenceMissingError
from sevengate.lab.kubelet.volumes import Sources, TokenWish, VolumeError, Volumes, token_wishes

Object = dict[str, Any]
POD: Object = {"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}}, "spec": {}}


class World:
    """A pod's volumes below a folder, and what they are made from."""

    def __init__(self, folder: Path, *listed: Object, **spec: Any) -> None:
        self.held: dict[tuple[str, str], Object] = {}
        self.tokens: dict[TokenWish, str] = {}
        self.folder = folder / "pods" / "uid" / "volumes"
        self.volumes = Volumes(listed, {**POD, "spec": spec}, self.folder, folder / "nodes" / "node01")

    def write(self) -> None:
        self.volumes.write(Sources(POD, lambda kind, name: self.held.get((kind, name)), self.tokens))

    def source(self, volume: str, **mount: Any) -> Path:
        wanted = {"name": volume, "mountPath": "/data", **mount}
        return Path(self.volumes.mounts({"volumeMounts": [wanted]}, {"WHO": "me"})[0].source)


def test_entries_are_files_that_change_all_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "v", "configMap": {"name": "c"}})
    world.held["ConfigMap", "c"] = {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}}
    world.write()
    assert (world.source("v") / "a").read_text() == "1"
    inside = (world.source("v") / "..data").readlink()
    world.held["ConfigMap", "c"] = {"kind": "ConfigMap", "data": {"a": "3"}}
    world.write()
    assert [path.name for path in world.source("v").iterdir() if not path.name.startswith("..")] == ["a"]
    assert (world.source("v") / "a").read_text() == "3"
    assert not (world.source("v") / inside).exists()


def test_items_choose_names_and_modes(tmp_path: Path) -> None:
    items = [{"key": "door", "path": "deep/key", "mode": 0o400}]
    world = World(tmp_path, {"name": "v", "secret": {"secretName": "s", "items": items}})
    world.held["Secret", "s"] = {"kind": "Secret", "data": {"door": base64.b64encode(b"1234").decode()}}
    world.write()
    file = world.source("v") / "deep" / "key"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"1234", 0o400)


def test_a_projected_volume_holds_token_certificate_and_fields(tmp_path: Path) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    volume = {"name": "v", "projected": {"sources": sources}}
    world = World(tmp_path, volume)
    assert list(token_wishes([volume])) == [TokenWish("", 3607)]
    world.tokens = {TokenWish("", 3607): "secret"}
    world.held["ConfigMap", "ca"] = {"kind": "ConfigMap", "data": {"ca.crt": "PEM"}}
    world.write()
    found = {name: (world.source("v") / name).read_text() for name in ("token", "ca.crt", "namespace")}
    assert found == {"token": "secret", "ca.crt": "PEM", "namespace": "shop"}


def test_what_is_missing_is_named_unless_it_is_optional(tmp_path: Path) -> None:
    with pytest.raises(ReferenceMissingError, match='secret "s" not found'):
        World(tmp_path, {"name": "v", "secret": {"secretName": "s"}}).write()
    world = World(tmp_path, {"name": "v", "secret": {"secretName": "s", "optional": True}})
    world.write()
    assert [path for path in world.source("v").iterdir() if not path.name.startswith("..")] == []


def test_parts_of_a_volume_can_be_mounted(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "v", "emptyDir": {}})
    world.write()
    assert world.source("v", subPathExpr="of/$(WHO)") == world.folder / "v" / "of" / "me"


@pytest.mark.parametrize("path", ["../out", "/etc", "a/../../b"])
def test_no_path_leads_out_of_its_volume(tmp_path: Path, path: str) -> None:
    world = World(
        tmp_path,
        {"name": "v", "emptyDir": {}},
        {"name": "c", "configMap": {"name": "c", "items": [{"key": "a", "path": path}]}},
    )
    world.held["ConfigMap", "c"] = {"kind": "ConfigMap", "data": {"a": "1"}}
    with pytest.raises(VolumeError, match="leads out"):
        world.write()
    with pytest.raises(VolumeError, match="leads out"):
        world.source("v", subPath=path)


def test_a_host_path_is_the_nodes_own_and_never_the_machines(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "v", "hostPath": {"path": "/etc", "type": "DirectoryOrCreate"}})
    world.write()
    assert world.source("v") == tmp_path / "nodes" / "node01" / "etc"
    with pytest.raises(VolumeError, match="/root is not a directory of this node"):
        World(tmp_path, {"name": "v", "hostPath": {"path": "/root", "type": "Directory"}}).write()
    with pytest.raises(VolumeError, match="not an absolute path"):
        World(tmp_path, {"name": "v", "hostPath": {"path": "/a/../../etc"}}).write()


def test_no_link_that_a_pod_has_put_leads_to_the_machine(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "v", "emptyDir": {}}, {"name": "h", "hostPath": {"path": "/data/link"}})
    world.write()
    (world.source("v") / "link").symlink_to("/etc")
    with pytest.raises(VolumeError, match="leads out of its volume"):
        world.source("v", subPath="link")
    (world.source("h") / "away").symlink_to("/etc")
    with pytest.raises(VolumeError, match="leads out of its volume"):
        World(tmp_path, {"name": "h", "hostPath": {"path": "/data/link/away"}}).write()


def test_a_volume_that_the_lab_has_not_is_said(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="is a persistentVolumeClaim, which the lab has not"):
        World(tmp_path, {"name": "v", "persistentVolumeClaim": {"claimName": "disk"}}).write()
