"""Mappings that are revised rather than rebuilt: what one change costs does not grow with what exists.

A Revision takes a mapping that others still read and gives the next one: it shares all until the first write, copies
once (in C), and knows afterwards which keys changed. An index is such a mapping from a name to the sorted members
that speak of it. Nothing here knows what the names mean; compile.py does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
M = TypeVar("M", bound=Any)


class Revision(Generic[K, V]):
    """A mapping on its way from one state to the next; the one that it was made from is never touched."""

    def __init__(self, base: Mapping[K, V]) -> None:
        self.current = base
        self.changed: set[K] = set()
        self._copy: dict[K, V] | None = None

    def get(self, key: K) -> V | None:
        """Give the value that now stands under the key."""
        return self.current.get(key)

    def put(self, key: K, value: V | None) -> bool:
        """Put a value under the key, or take the key away with None, and say whether that is a change."""
        if self.current.get(key) == value:
            return False
        if self._copy is None:
            self.current = self._copy = dict(self.current)
        self.changed.add(key)
        if value is None:
            del self._copy[key]
        else:
            self._copy[key] = value
        return True


class IndexRevision(Revision[str, tuple[M, ...]]):
    """A Revision of an index: which members, in their order, each name has."""

    def members(self, name: str) -> tuple[M, ...]:
        """Give the members of a name."""
        return self.current.get(name, ())

    def replace(self, gone: Iterable[tuple[str, M]], come: Iterable[tuple[str, M]]) -> None:
        """Take the pairs (name, member) of `gone` out and those of `come` in; no pair may be in both."""
        lost: defaultdict[str, set[M]] = defaultdict(set)
        found: defaultdict[str, list[M]] = defaultdict(list)
        for name, member in gone:
            lost[name].add(member)
        for name, member in come:
            found[name].append(member)
        for name in lost.keys() | found.keys():
            kept = [member for member in self.members(name) if member not in lost[name]]
            self.put(name, tuple(sorted(kept + found[name])) or None)
