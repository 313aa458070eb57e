"""Rewrites the files of `sevengate check --fix`, and shows what changed in them.

Takes paths; gives what each file became as a diff, and what there was to say about those that stay as they are. What
is written into a text is the business of kube/rewriting.py. A file is replaced whole or not at all, keeps its mode,
its line ends and its byte order mark, and is found behind a symbolic link.
"""

import codecs
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

import msgspec

from sevengate.diagnostics import Diagnostic
from sevengate.files import find, load
from sevengate.kube.rewriting import Rewriting, rewrite


class Fixed(msgspec.Struct, frozen=True):
    """What became of one file: the lines of a diff, empty where it stays, how many objects, and what was to say."""

    file: str
    diff: tuple[str, ...]
    count: int
    diagnostics: tuple[Diagnostic, ...]


def fix(paths: Sequence[str]) -> Iterator[Fixed]:
    """Rewrite the files that the paths name, one after the other; raises OSError where one cannot be written."""
    classes = frozenset(load(paths).snapshot.ingress_classes)
    for file in find(paths).files:
        raw = Path(file).read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            continue  # which `check` says at once
        rewriting = rewrite(text, file, classes)
        if rewriting.text != text:
            mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
            _replace(Path(file).resolve(), mark + rewriting.text.encode())
        yield Fixed(file, _diff(file, text, rewriting), rewriting.count, rewriting.diagnostics)


def _diff(file: str, before: str, rewriting: Rewriting) -> tuple[str, ...]:
    lines = unified_diff(before.splitlines(), rewriting.text.splitlines(), file, file, lineterm="", n=1)
    return tuple(lines)


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
