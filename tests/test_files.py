"""Manifests are found wherever they are, every complaint has its line, and edits are followed without losing the last
good state.
"""

import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sevengate import files
from sevengate.diagnostics import ObjectRef, Origin, Where
from sevengate.files import ManifestFiles, Manifests, load, watch
from sevengate.kube.snapshot import Changes


def config_map(name: str, value: str = "v") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  k: {value}\n"


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def names(found: Manifests) -> list[str]:
    return [config_map.metadata.name for config_map in found.snapshot.config_maps.values()]


def codes(found: Manifests) -> list[str]:
    return [diagnostic.code for diagnostic in found.diagnostics]


def keys(*names: str) -> Changes:
    return Changes(config_maps=frozenset(f"default/{name}" for name in names))


# --- finding and reading


def test_a_folder_is_searched_however_deep_for_yaml_and_json(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", config_map("b"))
    write(tmp_path / "a.yml", config_map("a"))
    write(tmp_path / "deep" / "er" / "c.json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}')
    write(tmp_path / "README.md", "not: [a manifest")
    write(tmp_path / ".git" / "x.yaml", config_map("hidden"))
    write(tmp_path / ".swap.yaml", "half: [")
    found = load([str(tmp_path)])
    assert (names(found), found.diagnostics) == (["a", "b", "c"], ())


def test_files_globs_and_standard_input_are_read(tmp_path: Path) -> None:
    one = write(tmp_path / "one.txt", config_map("one"))
    write(tmp_path / "x" / "two.yaml", config_map("two"))
    write(tmp_path / "x" / "three.yaml", config_map("three"))
    found = load([one, f"{tmp_path}/**/t*.yaml", "-"], stdin=io.StringIO(config_map("four")))
    assert (sorted(names(found)), found.diagnostics) == (["four", "one", "three", "two"], ())


def test_a_name_with_brackets_that_is_there_is_no_glob(tmp_path: Path) -> None:
    assert names(load([write(tmp_path / "a[1].yaml", config_map("a"))])) == ["a"]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    one = write(tmp_path / "one.yaml", config_map("one"))
    (tmp_path / "link.yaml").symlink_to(one)
    found = load([one, str(tmp_path), f"{tmp_path}/*.yaml"])
    assert (names(found), found.diagnostics) == (["one"], ())


def test_a_mounted_volume_holds_each_of_its_files_once(tmp_path: Path) -> None:
    write(tmp_path / "..2026_01" / "a.yaml", config_map("a"))
    (tmp_path / "..data").symlink_to(tmp_path / "..2026_01")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "..data" / "a.yaml")
    found = load([str(tmp_path)])
    assert (names(found), found.diagnostics) == (["a"], ())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("absent.yaml", "manifest/unreadable"),
        ("dangling.yaml", "manifest/unreadable"),
        ("latin.yaml", "manifest/unreadable"),
        ("empty", "manifest/nothing-found"),
        ("absent/*.yaml", "manifest/nothing-found"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_is_there(tmp_path: Path, path: str, code: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    good = write(tmp_path / "good.yaml", config_map("good"))
    found = load([str(tmp_path / path), good])
    assert (names(found), codes(found)) == (["good"], [code])
    assert found.diagnostics[0].where.origin == Origin(str(tmp_path / path), 2 if path == "latin.yaml" else 1)


def test_standard_input_that_is_no_text_is_told() -> None:
    found = load(["-"], stdin=io.TextIOWrapper(io.BytesIO(b"a: \xff"), encoding="utf-8"))
    assert codes(found) == ["manifest/unreadable"]


def test_a_file_beyond_all_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 20)
    assert codes(load([write(tmp_path / "a.yaml", config_map("a"))])) == ["manifest/too-large"]


def test_the_later_of_two_definitions_wins_and_both_are_named(tmp_path: Path) -> None:
    one = write(tmp_path / "1.yaml", config_map("a", "old"))
    two = write(tmp_path / "2.yaml", f"---\n{config_map('a', 'new')}")
    found = load([one, two])
    assert found.snapshot.config_maps["default/a"].data == {"k": "new"}
    (diagnostic,) = found.diagnostics
    assert str(diagnostic.where) == f"{two}:2 ConfigMap default/a"
    assert f"{one}:1" in diagnostic.message


def test_places_are_found_by_object_and_field(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", f"{config_map('x')}---\n{config_map('a')}")
    found = load([path])
    ref = ObjectRef("ConfigMap", "default", "a")
    assert found.locate(Where(ref, "data[k]")) == Origin(path, 13)
    assert found.locate(Where(ref, "data[absent]")) == Origin(path, 12)
    assert found.locate(Where(ref, "data[k]", Origin("elsewhere", 7))) == Origin("elsewhere", 7)
    assert found.locate(Where(ObjectRef("ConfigMap", "default", "nobody"))) is None
    assert found.locate(Where()) is None


# --- following edits


def settle(followed: ManifestFiles) -> Iterator[tuple[list[str], Changes]]:
    """Look until an edit has been taken up: once to see it, and once to see that it has come to rest."""
    for _ in range(2):
        if followed.poll():
            yield names(followed.manifests), followed.changes


def edited(followed: ManifestFiles) -> tuple[list[str], Changes]:
    ((found, changes),) = settle(followed)
    return sorted(found), changes


def test_the_first_look_names_everything_as_changed(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", config_map("a"))
    followed = ManifestFiles([str(tmp_path)])
    assert followed.changes == keys("a")
    assert list(settle(followed)) == []


def test_files_that_come_change_and_go_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", config_map("a"))
    followed = ManifestFiles([str(tmp_path)])
    write(tmp_path / "b.yaml", config_map("b"))
    assert edited(followed) == (["a", "b"], keys("b"))
    write(tmp_path / "a.yaml", config_map("a", "longer"))
    assert edited(followed) == (["a", "b"], keys("a"))
    (tmp_path / "b.yaml").unlink()
    assert edited(followed) == (["a"], keys("b"))


def test_a_file_replaced_by_another_of_the_same_size_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write(path, config_map("a", "1"))
    followed = ManifestFiles([str(path)])
    write(tmp_path / "new", config_map("a", "x"))
    (tmp_path / "new").replace(path)
    assert edited(followed) == (["a"], keys("a"))


def test_a_change_is_taken_up_only_when_it_has_come_to_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write(path, config_map("a"))
    followed = ManifestFiles([str(path)])
    for length in range(3):
        write(path, config_map("a", "half" * (length + 1)))
        assert not followed.poll()
    assert followed.poll()
    assert followed.manifests.snapshot.config_maps["default/a"].data == {"k": "halfhalfhalf"}


def test_a_file_that_is_away_for_a_moment_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write(path, config_map("a"))
    followed = ManifestFiles([str(path)])
    path.rename(tmp_path / "a.yaml~")
    assert not followed.poll()
    (tmp_path / "a.yaml~").rename(path)
    assert not followed.poll()


def test_an_edit_that_changes_no_object_changes_only_the_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", config_map("a"))
    followed = ManifestFiles([path])
    before = followed.manifests.snapshot
    write(tmp_path / "a.yaml", f"# a comment\n{config_map('a')}")
    assert edited(followed) == (["a"], Changes())
    assert followed.manifests.snapshot is before
    assert followed.manifests.locate(Where(ObjectRef("ConfigMap", "default", "a"))) == Origin(path, 2)


@pytest.mark.parametrize("broken", ["kind: [", "a: 1\na: 2\n", "just text", "\0"])
def test_a_file_that_has_become_broken_keeps_its_last_good_objects(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "a.yaml"
    write(path, f"{config_map('a')}---\n{config_map('b')}")
    followed = ManifestFiles([str(path)])
    write(path, f"{config_map('a', 'new')}---\n{broken}")
    assert edited(followed) == (["a", "b"], Changes())
    assert codes(followed.manifests)[-1] == "manifest/kept"
    assert len(codes(followed.manifests)) == 2
    write(path, config_map("a", "whole"))
    assert edited(followed) == (["a"], keys("a", "b"))
    assert followed.manifests.diagnostics == ()


def test_an_object_that_has_become_unreadable_keeps_its_last_good_form_and_its_neighbours_change(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.yaml"
    write(path, f"{config_map('a')}---\n{config_map('b')}")
    followed = ManifestFiles([str(path)])
    write(path, f"{config_map('a', '[7]')}---\n{config_map('b', 'new')}")
    assert edited(followed) == (["a", "b"], keys("b"))
    assert followed.manifests.snapshot.config_maps["default/a"].data == {"k": "v"}
    assert codes(followed.manifests) == ["manifest/wrong-type", "manifest/kept"]


def test_an_object_that_was_never_readable_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write(path, config_map("a", "[7]"))
    followed = ManifestFiles([str(path)])
    write(path, config_map("a", "[7, 8]"))
    assert edited(followed) == ([], Changes())
    assert codes(followed.manifests) == ["manifest/wrong-type"]


def test_an_object_that_moves_to_another_file_stays(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", config_map("a"))
    followed = ManifestFiles([str(tmp_path)])
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    assert edited(followed) == (["a"], Changes())
    assert followed.manifests.diagnostics == ()


def test_a_folder_that_runs_empty_says_so_and_a_first_file_ends_that(tmp_path: Path) -> None:
    followed = ManifestFiles([str(tmp_path)])
    assert codes(followed.manifests) == ["manifest/nothing-found"]
    write(tmp_path / "a.yaml", config_map("a"))
    assert edited(followed) == (["a"], keys("a"))
    assert followed.manifests.diagnostics == ()


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, config_map("a").encode())
    os.close(writer)
    followed = ManifestFiles([f"/dev/fd/{reader}"])
    assert names(followed.manifests) == ["a"]
    assert list(settle(followed)) == []
    os.close(reader)


def test_watching_gives_everything_first_and_then_each_edit(tmp_path: Path) -> None:
    async def follow() -> list[tuple[list[str], Changes]]:
        seen = []
        async with asyncio.timeout(30):
            async for manifests, changes in watch([str(tmp_path)], interval=0.001):
                seen.append((names(manifests), changes))
                if len(seen) == 2:
                    break
                write(tmp_path / "b.yaml", config_map("b"))
        return seen

    write(tmp_path / "a.yaml", config_map("a"))
    assert asyncio.run(follow()) == [(["a"], keys("a")), (["a", "b"], keys("b"))]
