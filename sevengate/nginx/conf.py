"""A syntax tree of nginx.conf and its writer, which quotes every argument.

It takes Directives that static.py builds and gives the text of a configuration file. The writer is where "text never
becomes configuration" is kept: whatever a string holds, it stays one argument of its directive, and a `$` in it is
refused, because NGINX has no escape for it; only an Expr, which the house writes itself, may name variables. Lua enters
as one call of a named function, never as free code. What the directives mean is left to static.py, and whether NGINX
likes them to `nginx -t` in process.py.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Self

import msgspec

#: NGINX reads a configuration through a buffer of 4096 bytes (NGX_CONF_BUFFER), and no argument may be longer.
MAX_ARGUMENT: Final = 4000

_NAME = re.compile(r"[a-z0-9_]+")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=*@%+,~-]+")
_VARIABLE = re.compile(r"\$(?:\{[a-z0-9_]+\}|[a-z0-9_]+)", re.IGNORECASE)
_LUA_CALL = re.compile(
    r"""require\("[a-z0-9_.]+"\)\.[a-z0-9_]+\(      # a function of a module
        (?: (?:"[\w./:+-]*"|\d+) (?: ,[ ](?:"[\w./:+-]*"|\d+) )* )?\)  # plain arguments, which cannot end the block""",
    re.ASCII | re.VERBOSE,
)
#: What NGINX undoes inside a quoted argument (ngx_conf_read_token); every other byte stands for itself.
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class ConfError(ValueError):
    """A tree that cannot be written without meaning something else."""


class Expr(str):
    """An argument in which `$name` is meant: NGINX puts the variable's value there. Never made from a user's text."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take the text; raise ConfError for a `$` that names no variable."""
        if "$" in _VARIABLE.sub("", text):
            raise ConfError(f"a $ without a variable's name in {text!r}")
        return super().__new__(cls, text)


class Directive(msgspec.Struct, frozen=True):
    """One directive: plain arguments are literal text, Exprs may name variables. Without a name it is a row of a `map`.

    `block` holds the directives in braces, and `lua` the one call that is the whole body of a `*_by_lua_block`.
    """

    name: str
    args: tuple[str, ...] = ()
    block: "tuple[Directive, ...] | None" = None
    lua: str | None = None


def write(directives: Iterable[Directive]) -> str:
    """Give the text of a configuration; raise ConfError for what cannot be written faithfully."""
    return "".join(line + "\n" for line in _lines(directives, ""))


def _lines(directives: Iterable[Directive], indent: str) -> Iterator[str]:
    for directive in directives:
        head = indent + " ".join((*_name(directive), *map(quote, directive.args)))
        if directive.lua is not None:
            yield f"{head} {{ {_lua(directive)} }}"
        elif directive.block is not None:
            yield head + " {"
            yield from _lines(directive.block, indent + "    ")
            yield indent + "}"
        else:
            yield head + ";"


def quote(argument: str) -> str:
    """Write one argument so that NGINX reads back exactly this text."""
    if not isinstance(argument, Expr) and "$" in argument:
        raise ConfError(f"NGINX would read a variable in the text {argument!r}")
    if "\0" in argument:
        raise ConfError(f"NGINX would cut {argument!r} at the NUL")
    written = argument if _PLAIN.fullmatch(argument) else f'"{argument.translate(_ESCAPES)}"'
    if _size(written) > MAX_ARGUMENT:
        raise ConfError(f"NGINX reads no argument of more than {MAX_ARGUMENT} bytes: {argument[:40]!r}...")
    return written


def _size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ConfError(f"{text[:40]!r} cannot be written as UTF-8") from error


def _name(directive: Directive) -> tuple[str, ...]:
    is_row = not directive.name and directive.args
    if not is_row and not _NAME.fullmatch(directive.name):
        raise ConfError(f"{directive.name!r} is not a directive's name")
    return () if is_row else (directive.name,)


def _lua(directive: Directive) -> str:
    call = directive.lua or ""
    if directive.block is not None or not directive.name.endswith("_by_lua_block"):
        raise ConfError(f"{directive.name} takes no Lua")
    if not _LUA_CALL.fullmatch(call):
        raise ConfError(f"{call!r} is not one call of a module's function with plain arguments")
    return call
