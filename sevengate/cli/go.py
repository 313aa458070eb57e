"""Flags as Go's programs take them, for the commands that stand in for ingress-nginx.

A GoCommand takes `--name=value`, `--name value` and the same with one dash, `_` for `-`, and for switches `--name` and
`--name=false`; the last one counts. What flags.py says is without effect it takes and says so once, where its value is
not what would have been so anyway; what is refused is a usage error. click sees only what is carried out, each as
`--name=value`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from sevengate.cli.flags import FLAGS, Flag, Honour
from sevengate.cli.output import remark
from sevengate.values import boolean

_FLAG: Final = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)
#: Why a flag that is carried out has no effect in a command that has no option for it.
_ELSEWHERE: Final = "it is for `sevengate dataplane`"
_LEVEL: Final = re.compile(r"-v(\d+)")


def switch(name: str, explanation: str, *, default: bool = False) -> Callable[[Any], Any]:
    """Make an option that is true or false; a GoCommand gives it its value."""
    return click.option(
        name, type=bool, is_flag=False, default=default, show_default=default, metavar="", help=explanation
    )


class GoCommand(click.Command):
    """A command whose flags are written as Go's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite what click would not understand."""
        return super().parse_args(ctx, list(_Reader(self, args).words()))


class _Reader:
    """Reads the words of one command line."""

    def __init__(self, command: click.Command, args: list[str]) -> None:
        self._options = {name: option for option in command.params for name in option.opts}
        self._rest = list(args)
        self._told: dict[str, str] = {}

    def words(self) -> Iterator[str]:
        """Give the words for click."""
        while self._rest:
            word = self._rest.pop(0)
            if word == "--":
                yield from (word, *self._rest)
                break
            yield from self._flag(word) if word.startswith("-") and word != "-" else (word,)
        for text in self._told.values():
            remark(text)

    def _flag(self, word: str) -> Iterator[str]:
        if level := _LEVEL.fullmatch(word):
            word = f"--v={level[1]}"
        found = _FLAG.fullmatch(word)
        name = found[1].replace("_", "-") if found else ""
        option, row = self._options.get(f"--{name}"), FLAGS.get(name)
        if isinstance(option, click.Option):
            value = self._value(name, found and found[2], is_switch=option.is_flag or option.type is click.BOOL)
            yield from _given(option, name, value)
        elif row:
            self._take(row, self._value(name, found and found[2], is_switch=row.is_switch))
        else:
            yield word

    def _value(self, name: str, value: str | None, *, is_switch: bool) -> str:
        if is_switch:
            try:
                return str(boolean(value or "true")).lower()
            except ValueError as error:
                raise click.UsageError(f"--{name}: {error}") from None
        if value is not None:
            return value
        if not self._rest:
            raise click.UsageError(f"--{name} needs a value")
        return self._rest.pop(0)

    def _take(self, row: Flag, value: str) -> None:
        if value == row.default:
            self._told.pop(row.name, None)
        elif row.honour is Honour.REFUSED:
            raise click.UsageError(f"--{row.name}={value} is refused: {row.why}")
        else:
            self._told[row.name] = f"--{row.name} has no effect: {row.why or _ELSEWHERE}"


def _given(option: click.Option, name: str, value: str) -> Iterator[str]:
    """Write an option as click wants it; one of click's own flags takes no value, and is there or not."""
    if not option.is_flag:
        yield f"--{name}={value}"
    elif value == "true":
        yield f"--{name}"
