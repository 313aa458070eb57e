"""Edits a YAML or JSON text at the places of its parsed values, and leaves every other character as it is.

Takes a text of one or more documents; gives it back with words replaced, renamed and put in. Values are found by the
path of their field, as Diagnostics name them. What an edit should say, and whether the result still means what it
should, is the business of `rewriting`.
"""

from functools import cached_property
from typing import Any, Final, NamedTuple

import yaml

from sevengate.kube.manifest import steps

#: Written as a word, bare or in quotes, and not as a block of lines.
_PLAIN_STYLES: Final = frozenset({None, "", "'", '"'})


class UnsafeError(Exception):
    """A text is laid out so that it cannot be edited by position; says the line of it, from 1, and why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Entry(NamedTuple):
    """A key of a mapping with its value."""

    key: Any
    value: Any

    @property
    def name(self) -> str:
        """The key itself."""
        return str(self.key.value)

    @property
    def is_on_one_line(self) -> bool:
        """Whether key and value, a word, stand on one line."""
        value = self.value
        is_word = isinstance(value, yaml.ScalarNode) and value.style in _PLAIN_STYLES
        return is_word and self.key.start_mark.line == value.start_mark.line == value.end_mark.line

    @property
    def line(self) -> int:
        """The line of the key, from 1."""
        return int(self.key.start_mark.line) + 1

    @property
    def start(self) -> int:
        """Where the key begins."""
        return int(self.key.start_mark.index)

    @property
    def column(self) -> int:
        """How far the key stands from the beginning of its line."""
        return int(self.key.start_mark.column)

    @property
    def end(self) -> int:
        """Where the value ends."""
        return int(self.value.end_mark.index)


class Pen:
    """Collects the edits of one text, then gives the text as it is with them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._edits: list[tuple[int, int, str]] = []

    @cached_property
    def _roots(self) -> list[Any]:
        try:
            return list(yaml.compose_all(self.text, Loader=yaml.CSafeLoader))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise UnsafeError(line, f"not YAML that can be edited: {error.problem}") from None
        except (yaml.YAMLError, RecursionError):
            raise UnsafeError(1, "not YAML that can be edited") from None

    def node(self, number: int, field: str) -> Any:
        """Give the value of a field of the document of that number."""
        return self.below(self._roots[number], field)

    def below(self, node: Any, field: str) -> Any:
        """Give the value of a field of a value."""
        for step in steps(field):
            node = node.value[int(step)] if isinstance(node, yaml.SequenceNode) else self.entry(node, step).value
        return node

    def has(self, node: Any, key: str) -> bool:
        """Say whether a mapping has a key that stands there in so many words."""
        return isinstance(node, yaml.MappingNode) and any(found.value == key for found, _ in node.value)

    def entry(self, node: Any, key: str) -> Entry:
        """Give a key of a mapping, which must stand there in so many words."""
        for found, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if found.value == key:
                return Entry(found, value)
        raise UnsafeError(node.start_mark.line + 1, f"{key} is not written here but stands behind an alias or <<")

    def first(self, node: Any) -> Entry:
        """Give the first key of a mapping."""
        return Entry(*node.value[0])

    def source(self, node: Any) -> str:
        """Give a value as it is written."""
        return self.text[node.start_mark.index : node.end_mark.index]

    def marked(self, word: str, neighbour: Entry) -> str:
        """Put a word into the quotes that a key has."""
        mark = neighbour.key.style or ""
        return f"{mark}{word}{mark}"

    # --- edits

    def insert(self, at: int, text: str) -> None:
        """Put text in, before what replaces the text there, and after what was put in there earlier."""
        self._edits.append((at, at, text))

    def remove(self, start: int, end: int) -> None:
        """Take text out."""
        self._edits.append((start, end, ""))

    def replace(self, node: Any, word: str, *, bare: bool = False) -> None:
        """Write another word for a scalar, in the quotes that it has or without any."""
        if not isinstance(node, yaml.ScalarNode) or node.style not in _PLAIN_STYLES:
            raise UnsafeError(node.start_mark.line + 1, "This is not a word on one line")
        mark = "" if bare else node.style or ""
        self._edits.append((node.start_mark.index, node.end_mark.index, f"{mark}{word}{mark}"))

    def fill(self, entry: Entry, word: str) -> None:
        """Write a word as the value of a key that has none, or an empty one."""
        is_empty = not self.source(entry.value)
        self.insert(entry.end, f" {word}") if is_empty else self.replace(entry.value, word)

    def put_after(self, mapping: Any, entry: Entry, word: str) -> None:
        """Put another key with its value behind one that stands on one line."""
        if not mapping.flow_style:
            self.insert(self._line_end(entry.end), f"{self.newline}{' ' * entry.column}{word}")
        elif self.starts_line(entry.start):
            self.insert(entry.end, f",{self.newline}{self.text[self._line_start(entry.start) : entry.start]}{word}")
        else:
            self.insert(entry.end, f", {word}")

    def put_before(self, mapping: Any, entry: Entry, word: str) -> None:
        """Put another key with its value before one."""
        if mapping.flow_style:
            self.insert(entry.start, f"{word}, ")
        elif self.starts_line(entry.start):
            self.insert(entry.start, f"{word}{self.newline}{' ' * entry.column}")
        else:
            raise UnsafeError(entry.line, f"{entry.name} does not begin its line")

    def written(self) -> str:
        """Give the text with all edits."""
        pieces: list[str] = []
        end = 0
        for start, stop, text in sorted(self._edits, key=lambda edit: edit[:2]):
            pieces += self.text[end:start], text
            end = stop
        return "".join(pieces) + self.text[end:]

    # --- lines

    def starts_line(self, at: int) -> bool:
        """Say whether nothing but indentation, and the dashes of lists, stands before a place in its line."""
        return not self.text[self._line_start(at) : at].strip(" -")

    def lines(self, entry: Entry, last: Entry) -> tuple[int, int] | None:
        """Give start and end of the lines from a key to the last one below it, if nothing else stands in them."""
        start, end = self._line_start(entry.start), self._line_end(last.end)
        text = self.text[start:end]
        rest = self.text[last.end : end]
        is_alone = not self.text[start : entry.start].strip(" ") and not rest.strip(" }") and "#" not in text
        return (start, min(len(self.text), end + len(self.newline))) if is_alone else None

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """Give where the line of a place ends, before its line break."""
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[end - 1 : end] == "\r" else end
