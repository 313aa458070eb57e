"""Reads nginx.conf as NGINX does, so that tests can say what a written configuration means and not how it looks."""

from collections.abc import Iterator

#: Directives with their name and arguments, and what stands in their braces, None for those that end with a ";".
Tree = list[tuple[tuple[str, ...], "Tree | None"]]


def read_conf(text: str) -> Tree:
    """Give the directives of a configuration; the Lua in a block of Lua is one word."""
    return parse(tokens(text))


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Read words and marks as ngx_conf_read_token does (nginx 1.22, src/core/ngx_conf_file.c)."""
    position, name = 0, ""
    while position < len(text):
        char = text[position]
        if char in " \t\r\n":
            position += 1
        elif char == "{" and name.endswith("_by_lua_block"):
            end = text.index("}", position)
            yield from (("mark", "{"), ("word", text[position + 1 : end].strip()), ("mark", ";"), ("mark", "}"))
            position, name = end + 1, ""
        elif char in ";{}":
            yield "mark", char
            position, name = position + 1, ""
        elif char == "#":
            position = text.find("\n", position) % (len(text) + 1)
        else:
            word, position = read_word(text, position)
            name = name or word
            yield "word", word


def read_word(text: str, position: int) -> tuple[str, int]:
    """Read one word, quoted or not; give it and the position behind it."""
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
    """Undo the escapes of a word."""
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
    """Make a tree of words and marks."""
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
