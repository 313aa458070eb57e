"""Revisions share until the first write and know what changed."""

from hypothesis import given
from hypothesis import strategies as st

from sevengate.compiler.revision import IndexRevision, Revision

keys = st.sampled_from("abcd")


@given(st.dictionaries(keys, st.integers()), st.lists(st.tuples(keys, st.none() | st.integers(0, 3))))
def test_a_revision_holds_what_was_put_and_spares_what_it_came_from(
    base: dict[str, int], puts: list[tuple[str, int | None]]
) -> None:
    before, expected = dict(base), dict(base)
    revision = Revision(base)
    for key, value in puts:
        assert revision.put(key, value) == (expected.get(key) != value)
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
    assert revision.current == expected
    assert base == before
    assert {key for key in "abcd" if before.get(key) != expected.get(key)} <= revision.changed


def test_a_revision_that_changes_nothing_is_its_base() -> None:
    base = {"a": (1, 2)}
    revision = Revision(base)
    assert not revision.put("a", (1, 2))
    assert not revision.put("b", None)
    assert revision.current is base
    assert revision.changed == set()


pairs = st.sets(st.tuples(keys, st.integers(0, 5)))


@given(pairs, pairs)
def test_an_index_gives_the_members_of_a_name_in_order(
    before: set[tuple[str, int]], after: set[tuple[str, int]]
) -> None:
    index: IndexRevision[int] = IndexRevision({})
    index.replace((), before)
    index = IndexRevision(index.current)
    index.replace(before - after, after - before)
    for name in "abcd":
        assert index.members(name) == tuple(sorted(member for of, member in after if of == name))
    assert index.current.keys() == {name for name, _ in after}
    assert index.changed == {name for name, _ in before ^ after}
