"""The text of one manifest file becomes objects that remember where they stand.

A file holds documents between `---` lines, in YAML or JSON; a document holds one object or a list of them. Each
document is parsed on its own, so that a broken one loses only itself. Positions are not kept while reading: a Document
keeps its text, and the line of a field is found by going through that one text again when somebody asks for it, which
is when there is something to complain about. Files and folders are the business of files.py.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import yaml

from sevengate.diagnostics import Diagnostic, Origin, Report, Where
from sevengate.kube.decode import decode
from sevengate.kube.objects import AnyObject
from sevengate.kube.yaml11 import BrokenText, documents, whole


class Document:
    """The text of one document, and where it stands: its file, and how many lines of that are before it.

    A text may hold several documents, between `...`; `number` counts them.
    """

    def __init__(self, file: str, text: str, lines_before: int, number: int = 0) -> None:
        self.file = file
        self.text = text
        self.number = number
        self.lines_before = lines_before

    def lines(self) -> "Lines":
        """Give what knows the lines of its fields; the text is gone through at the first question."""
        return Lines(self.text, self.lines_before, self.number)


class Lines:
    """Gives the lines of one document's fields; it is larger than the document, so nobody keeps it for long."""

    def __init__(self, text: str, lines_before: int, number: int) -> None:
        self._text = text
        self._lines_before = lines_before
        self._number = number

    def of(self, field: str) -> int:
        """Give the line (from 1) of a field, or of the nearest of its parents that is there."""
        path = ""
        for step in steps(field):
            if f"{path}\0{step}" not in self._lines:
                break
            path = f"{path}\0{step}"
        return self._lines_before + self._lines.get(path, 0) + 1

    @cached_property
    def _lines(self) -> dict[str, int]:
        return _Survey(self._text).lines(self._number)


class _Survey:
    """Notes the line of every field of a document under its path, whose steps follow a NUL each.

    One flat dict of text and numbers is nothing that the garbage collector need visit; a tree of nodes would be, and
    for a list of 10,000 objects it takes ten times as long.
    """

    def __init__(self, text: str) -> None:
        self._next: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        self._found: dict[str, int] = {}

    def lines(self, number: int) -> dict[str, int]:
        """Give the lines, from 0, of the fields of the document of that number."""
        try:
            while number >= 0 and (event := self._next()) is not None:
                if isinstance(event, yaml.DocumentStartEvent):
                    number -= 1
                    self._found.clear()
                    self._note(self._next(), "")
        except (yaml.YAMLError, RecursionError):
            # JSON may hold what YAML does not, such as pairs of surrogates; the lines up to there are good.
            pass
        return self._found

    def _note(self, event: Any, path: str, line: int | None = None) -> None:
        self._found[path] = event.start_mark.line if line is None else line
        if isinstance(event, yaml.MappingStartEvent):
            while not isinstance(key := self._next(), yaml.MappingEndEvent):
                name = key.value if isinstance(key, yaml.ScalarEvent) else ""
                self._note(self._next(), f"{path}\0{name}", key.start_mark.line)
        elif isinstance(event, yaml.SequenceStartEvent):
            number = 0
            while not isinstance(item := self._next(), yaml.SequenceEndEvent):
                self._note(item, f"{path}\0{number}")
                number += 1


class Definition(NamedTuple):
    """An object and where it is written: its document, and `items[3]` and the like if that is a list."""

    object: AnyObject
    document: Document
    inside: str = ""

    def origin(self, field: str = "", lines: Lines | None = None) -> Origin:
        """Give the file and line of a field of the object; `lines` are the document's, if they are at hand."""
        line = (lines or self.document.lines()).of(join(self.inside, field))
        return Origin(self.document.file, line)


class Locator:
    """Finds the lines of many fields in a row, and goes through a document once as long as they are about it."""

    def __init__(self) -> None:
        # Two, because one object is often compared with another; not more, because lines weigh a lot.
        self._lines = lru_cache(maxsize=2)(Document.lines)

    def origin(self, definition: Definition, field: str = "") -> Origin:
        """Give the file and line of a field of an object, or of the nearest parent that is there."""
        return definition.origin(field, self._lines(definition.document))


class Manifest(msgspec.Struct, frozen=True):
    """What one file holds: objects in their order, and all that was to say about them."""

    file: str
    definitions: tuple[Definition, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def read(text: str, file: str, *, default_namespace: str = "default") -> Manifest:
    """Read all objects of a text; `file` is what diagnostics call it."""
    report = Report()
    definitions: list[Definition] = []
    for chunk in chunks(text, file, report):
        lines = chunk.document.lines()
        for inside, plain in items(chunk.plain):
            found = Report()
            thing = decode(plain, found, default_namespace=default_namespace)
            report.extend(_placed(diagnostic, chunk.document.file, inside, lines) for diagnostic in found)
            if thing is not None:
                definitions.append(Definition(thing, chunk.document, inside))
    return Manifest(file, tuple(definitions), report.done())


def _placed(diagnostic: Diagnostic, file: str, inside: str, lines: Lines) -> Diagnostic:
    where = diagnostic.where
    origin = Origin(file, lines.of(join(inside, where.field)))
    return msgspec.structs.replace(diagnostic, where=Where(where.object, where.field, origin))


# --- a text and its documents


class Chunk(NamedTuple):
    """One document, what it holds, and how many characters of the file are before its text."""

    document: Document
    plain: object
    start: int


_SEPARATOR = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_PREAMBLE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n|%[^\n]*\n)*")


def chunks(text: str, file: str, report: Report) -> Iterator[Chunk]:
    """Give all documents of a text; a broken one is told to the report and passed over."""
    line = start = 0
    for part in _parts(text):
        try:
            yield from (chunk._replace(start=start + chunk.start) for chunk in _parsed(part, file, line))
        except BrokenText as broken:
            report.error(broken.code, Where(origin=Origin(file, line + broken.line)), broken.message)
        line += part.count("\n")
        start += len(part)


def _parts(text: str) -> Iterator[str]:
    """Split before each `---` line; no YAML value can hold one. Directives and comments stay with what they precede."""
    start = 0
    for separator in _SEPARATOR.finditer(text):
        if not _PREAMBLE.fullmatch(text, start, separator.start()):
            yield text[start : separator.start()]
            start = separator.start()
    yield text[start:]


def _parsed(part: str, file: str, line: int) -> Iterator[Chunk]:
    if part.lstrip().startswith("{"):
        texts = _json_texts(part)
        if texts is not None:
            for start, end, plain in texts:
                yield Chunk(Document(file, part[start:end], line + part.count("\n", 0, start)), plain, start)
            return
    for number, (_, plain) in enumerate(documents(part)):
        if plain is not None:
            yield Chunk(Document(file, part, line, number), plain, 0)


# --- JSON


def _json_texts(text: str) -> list[tuple[int, int, object]] | None:
    """Give start, end and value of each JSON text, or None if this is not JSON; it may be YAML that begins with {.

    Where a key stands twice it is None as well, because the YAML reader knows how to say so, and in which line.
    """
    texts: list[tuple[int, int, object]] = []
    end = 0
    try:
        while (start := _NOT_SPACE.search(text, end)) is not None:
            plain, end = _JSON.raw_decode(text, start.start())
            texts.append((start.start(), end, plain))
        if _SURROGATE.search(text):
            # A lone surrogate would be text that nobody can write again.
            msgspec.json.encode([plain for _, _, plain in texts])
    except (ValueError, RecursionError):
        return None
    return texts


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice")
    return mapping


def _finite(text: str) -> object:
    number = whole(float(text))
    if number is None:
        raise ValueError("a number is too large")
    return number


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


# --- lists


def items(plain: object, inside: str = "") -> Iterator[tuple[str, object]]:
    """Give the objects of a `kind: List`, `IngressList` and so on with their fields in it, or the one object itself."""
    if not isinstance(plain, dict) or not _is_list(plain):
        yield inside, plain
    elif not isinstance(listed := plain["items"] or [], list):
        yield join(inside, "items"), listed
    else:
        for i, item in enumerate(listed):
            yield from items(_typed(item, plain), join(inside, f"items[{i}]"))


def _is_list(plain: dict[str, Any]) -> bool:
    kind = plain.get("kind")
    return isinstance(kind, str) and kind.endswith("List") and "items" in plain


def _typed(item: object, parent: dict[str, Any]) -> object:
    """Items of an IngressList may leave out what the list says already; those of a List may not."""
    kind = parent["kind"].removesuffix("List")
    if not isinstance(item, dict) or not kind or "kind" in item:
        return item
    return {"apiVersion": parent.get("apiVersion"), "kind": kind, **item}


# --- fields and their lines

_STEP = re.compile(r"\[(?P<bracket>[^\]]*)\]|(?P<name>[^.\[]+)")


def join(parent: str, field: str) -> str:
    """Give the path of a field of a field."""
    return f"{parent}.{field}" if parent and field else parent or field


def steps(field: str) -> Iterator[str]:
    """Give the names and numbers of which the path of a field consists."""
    for match in _STEP.finditer(field):
        yield match["name"] or match["bracket"]
