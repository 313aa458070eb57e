from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.nginx.conf import ConfError, Directive, Expr, quote, write

#: Any text that can stand in an argument: no `$` (a variable), no NUL, nothing that is not UTF-8, and short.
TEXTS = st.text(st.characters(exclude_characters="$\0", exclude_categories=["Cs"]), max_size=60)
NASTY = st.text("\"'\\;{}# \t\r\nab", max_size=20)
NAMES = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)

Tree = list[tuple[tuple[str, ...], "Tree | None"]]


ARGS = st.lists(TEXTS | NASTY, max_size=4).map(tuple)
LEAVES = st.builds(Directive, NAMES, ARGS)
TREES = st.lists(
    st.recursive(LEAVES, lambda inner: st.builds(Directive, NAMES, ARGS, st.lists(inner, max_size=3).map(tuple))),
    max_size=4,
)


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Read words and marks as ngx_conf_read_token does (nginx 1.22, src/core/ngx_conf_file.c)."""
    position = 0
    while position < len(text):
        char = text[position]
        if char in " \t\r\n":
            position += 1
        elif char in ";{}":
            yield "mark", char
            position += 1
        elif char == "#":
            position = text.find("\n", position) % (len(text) + 1)
        else:
            word, position = read_word(text, position)
            yield "word", word


def read_word(text: str, position: int) -> tuple[str, int]:
    quote_char = text[position] if text[position] in "\"'" else ""
    position += len(quote_char)
    start, variable = position, False
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
        elif (quote_char and char == quote_char) or (not quote_char and char in " \t\r\n;{" and not variable):
            break
        else:
            variable = char == "$"
            position += 1
    end = position + len(quote_char)
    assert not quote_char or text[end] in " \t\r\n;{)", "NGINX wants a space or a mark after a quoted argument"
    return unescaped(text[start:position]), end


def unescaped(word: str) -> str:
    out, position = [], 0
    while position < len(word):
        following = word[position + 1 : position + 2]
        if word[position] == "\\" and following and following in "\"'\\trn":
            out.append({"t": "\t", "r": "\r", "n": "\n"}.get(following, following))
            position += 2
        else:
            out.append(word[position])
            position += 1
    return "".join(out)


def parse(stream: Iterator[tuple[str, str]]) -> Tree:
    tree: Tree = []
    words: list[str] = []
    for kind, value in stream:
        if kind == "word":
            words.append(value)
        elif value == "}":
            assert not words
            return tree
        else:
            tree.append((tuple(words), parse(stream) if value == "{" else None))
            words = []
    return tree


def plain(tree: tuple[Directive, ...] | list[Directive]) -> Tree:
    return [((node.name, *node.args), None if node.block is None else plain(node.block)) for node in tree]


@given(TREES)
def test_whatever_the_texts_hold_nginx_reads_back_the_same_tree(tree: list[Directive]) -> None:
    assert parse(tokens(write(tree))) == plain(tree)


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
