import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.nginx.conf import ConfError, Directive, Expr, quote, write
from tests.conf_reader import Tree, read_conf, tokens

#: Any text that can stand in an argument: no `$` (a variable), no NUL, nothing that is not UTF-8, and short.
TEXTS = st.text(st.characters(exclude_characters="$\0", exclude_categories=["Cs"]), max_size=60) | st.just(
    "rewrite_by_lua_block"
)
NASTY = st.text("\"'\\;{}# \t\r\nab", max_size=20)
NAMES = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)

ARGS = st.lists(TEXTS | NASTY, max_size=4).map(tuple)
LEAVES = st.builds(Directive, NAMES, ARGS)
TREES = st.lists(
    st.recursive(LEAVES, lambda inner: st.builds(Directive, NAMES, ARGS, st.lists(inner, max_size=3).map(tuple))),
    max_size=4,
)


def plain(tree: tuple[Directive, ...] | list[Directive]) -> Tree:
    return [((node.name, *node.args), None if node.block is None else plain(node.block)) for node in tree]


@given(TREES)
def test_whatever_the_texts_hold_nginx_reads_back_the_same_tree(tree: list[Directive]) -> None:
    assert read_conf(write(tree)) == plain(tree)


@given(TEXTS | NASTY)
def test_one_text_stays_one_argument(text: str) -> None:
    assert list(tokens(write([Directive("return", (text,))]))) == [("word", "return"), ("word", text), ("mark", ";")]


def test_plain_words_are_written_as_people_write_them() -> None:
    tree = Directive("server", (), (Directive("listen", ("127.0.0.1:80", "reuseport")), Directive("root", ("",))))
    assert write([tree]) == 'server {\n    listen 127.0.0.1:80 reuseport;\n    root "";\n}\n'


@pytest.mark.parametrize("text", ["$host", "a$", "${x}", "$1", "\0", "a" * 4001, '"' * 2001, "\ud800"])
def test_what_nginx_would_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ConfError):
        quote(text)


def test_the_longest_argument_counts_in_bytes_not_in_characters() -> None:
    assert quote("é" * 1999)
    with pytest.raises(ConfError, match="more than 4000 bytes"):
        quote("é" * 2001)


def test_an_expression_may_name_variables() -> None:
    line = write([Directive("proxy_set_header", ("Host", Expr("${host}:$server_port")))])
    assert line == 'proxy_set_header Host "${host}:$server_port";\n'


@pytest.mark.parametrize("text", ["$", "a $ b", "${", "${a b}", "$-"])
def test_an_expression_with_a_lone_dollar_is_refused(text: str) -> None:
    with pytest.raises(ConfError, match="without a variable's name"):
        Expr(text)


@pytest.mark.parametrize("name", ["", "a b", "a;", "A", "{", "a-b", "é"])
def test_a_name_that_is_no_directive_is_refused(name: str) -> None:
    with pytest.raises(ConfError, match="not a directive's name"):
        write([Directive(name)])


def test_a_row_of_a_map_has_no_name() -> None:
    rows = (Directive("", ("default", Expr("$host"))), Directive("", ("", "a b")))
    written = write([Directive("map", (Expr("$http_x"), Expr("$x")), rows)])
    assert written == 'map "$http_x" "$x" {\n    default "$host";\n    "" "a b";\n}\n'


def test_lua_is_one_call_in_a_block() -> None:
    call = Directive("rewrite_by_lua_block", lua='require("sevengate.phases").route()')
    assert write([call]) == 'rewrite_by_lua_block { require("sevengate.phases").route() }\n'
    assert write([Directive("init_by_lua_block", lua='require("a").b("/x-1", 7)')])


@pytest.mark.parametrize("lua", ["", "os.exit()", 'require("a").b() }', 'require("a").b("}")', 'require("a").b() --'])
def test_any_other_lua_is_refused(lua: str) -> None:
    with pytest.raises(ConfError, match="not one call"):
        write([Directive("init_by_lua_block", lua=lua)])


def test_only_a_lua_block_takes_lua() -> None:
    with pytest.raises(ConfError, match="takes no Lua"):
        write([Directive("return", lua='require("a").b()')])
