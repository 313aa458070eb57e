"""Names that a slip of the fingers turns into each other: for the hint "did you mean".

Instead of comparing a name with every name that exists, all names that are one edit away are made and looked up, so
the cost does not grow with the cluster. Being one edit apart is mutual: whoever adds or deletes a Service finds the
Ingresses whose hint that changes by the same function.
"""

from collections.abc import Iterator
from string import ascii_lowercase, digits
from typing import Final

_LETTERS: Final = ascii_lowercase + digits + "-"
_SUFFIXES: Final = ("-service", "-svc")


def neighbours(name: str) -> Iterator[str]:
    """Give the names with a letter more, less, wrong or swapped, and with or without `-svc` or `-service`."""
    for suffix in _SUFFIXES:
        yield name + suffix
        if name.endswith(suffix):
            yield name.removesuffix(suffix)
    for at in range(len(name) + 1):
        head, tail = name[:at], name[at:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1 and tail[0] != tail[1]:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in _LETTERS:
            yield head + letter + tail
            if tail and tail[0] != letter:
                yield head + letter + tail[1:]
