"""A snapshot holds every object, and a new lab goes on from it."""

import pytest

from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.snapshot import SnapshotError, restore, save
from tests.lab.apiserver.serving import CONFIG_MAPS, Lab, config_map, in_lab


@in_lab
async def test_objects_come_back_and_revisions_never_go_back(lab: Lab) -> None:
    await lab.create(CONFIG_MAPS, config_map("kept", a="b"))
    old = lab.running.storage
    api = Api()
    restore(api.storage, save(old))
    kept = api.storage.get(("", "configmaps"), ("default", "kept"))
    assert kept is not None
    assert kept.object["data"] == {"a": "b"}
    assert kept.revision > old.revision


def test_what_the_server_made_itself_stays() -> None:
    before, after = Api(), Api()
    shelf, key = ("", "namespaces"), ("", "default")
    own = after.storage.get(shelf, key)
    restore(after.storage, save(before.storage))
    assert after.storage.get(shelf, key) is own


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "other", "revision": 1, "shelves": []}', b"\\xff"])
def test_anything_else_is_no_snapshot(content: bytes) -> None:
    with pytest.raises(SnapshotError):
        restore(Api().storage, content)
