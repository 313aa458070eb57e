from hypothesis import given
from hypothesis import strategies as st

from sevengate.nginx.documents import Document
from sevengate.nginx.ledger import LARGEST, SMALLEST, Ledger, dictionary_size, is_tight

TABLES = st.dictionaries(st.sampled_from(["h:a", "h:b", "b:a", "b:b", "c:a"]), st.sampled_from("xyz"), max_size=5)


def documents(table: dict[str, str]) -> list[Document]:
    return [Document(name, text, text.encode() * 100) for name, text in table.items()]


def test_a_whole_table_differs_by_what_is_new_changed_and_gone() -> None:
    ledger = Ledger()
    ledger.enter(ledger.whole(documents({"h:a": "x", "h:b": "x", "b:a": "x"})))
    difference = ledger.whole(documents({"h:a": "x", "h:b": "y", "c:a": "x"}))
    assert [document.name for document in difference.documents] == ["h:b", "c:a"]
    assert difference.gone == ("b:a",)
    assert difference.bytes == 200


def test_a_part_differs_only_where_digests_do() -> None:
    ledger = Ledger()
    ledger.enter(ledger.whole(documents({"h:a": "x", "h:b": "x"})))
    assert not ledger.part(documents({"h:a": "x"}), ["h:never-there"])
    assert ledger.part(documents({"h:a": "y"}), ["h:b"]).gone == ("h:b",)


@given(st.lists(TABLES, min_size=1, max_size=6))
def test_after_any_tables_the_ledger_holds_the_last(tables: list[dict[str, str]]) -> None:
    ledger = Ledger()
    for table in tables:
        ledger.enter(ledger.whole(documents(table)))
    assert ledger.digests == tables[-1]
    assert not ledger.whole(documents(tables[-1]))


@given(st.lists(TABLES, min_size=1, max_size=6))
def test_memory_is_reckoned_alike_whatever_came_before(tables: list[dict[str, str]]) -> None:
    ledger, fresh = Ledger(), Ledger()
    for table in tables:
        ledger.enter(ledger.whole(documents(table)))
    fresh.enter(fresh.whole(documents(tables[-1])))
    assert ledger.part([], []).peak == fresh.part([], []).peak


def test_what_nginx_says_it_holds_replaces_what_was_known() -> None:
    ledger = Ledger()
    ledger.enter(ledger.whole(documents({"h:a": "x"})))
    ledger.replace({"h:b": "x"})
    assert ledger.whole(documents({"h:a": "x"})).gone == ("h:b",)


def test_a_dictionary_holds_what_it_must_and_as_much_again() -> None:
    mib = 1024 * 1024
    assert dictionary_size(0) == SMALLEST
    assert dictionary_size(100 * mib) == 256
    assert dictionary_size(2**60) == LARGEST
    assert not is_tight(100 * mib, 256)
    assert is_tight(250 * mib, 256)
