"""What a row of the annotations' table is, and what the rows found on one Ingress.

An Annotation says how one name is read and documented. Asked holds the values that were read, by row, so that a family
takes them with their types; and it collects what is wrong. Findings are Diagnostics without an object: registry.py
reads equal annotations once and puts the object in for each Ingress that has them.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from sevengate.diagnostics import Diagnostic, Severity, Where

T = TypeVar("T")


class Scope(StrEnum):
    """What the predecessor applies an annotation to: the whole Ingress, or each of its locations."""

    INGRESS = "ingress"
    LOCATION = "location"


class Risk(StrEnum):
    """The predecessor's word for what a hostile value could do there."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Annotation(msgspec.Struct, Generic[T], frozen=True):
    """One row: a name without its prefix, and how its text becomes a value (ValueError: why not).

    With `guards`, a value that cannot be read closes the route: without it, requests would come through that should
    not, or would end where they should not.
    """

    name: str
    parse: Callable[[str], T]
    scope: Scope
    risk: Risk
    summary: str
    example: str
    guards: bool = False
    aliases: tuple[str, ...] = ()


class Asked:
    """The values of one Ingress's annotations, and what was found wrong with them."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._keys: dict[str, str] = {}
        self._failed: set[str] = set()
        self.findings: list[Diagnostic] = []
        self.closed: list[str] = []

    def take(self, row: Annotation[T], key: str, text: str) -> None:
        """Read the text of one annotation, whose full name is `key`."""
        if not text and not row.guards:
            self.find(Severity.WARNING, "annotation/no-effect", key, f"{row.name} is empty and so does nothing")
            return
        try:
            self._values[row.name] = row.parse(text)
            self._keys[row.name] = key
        except ValueError as why:
            self._failed.add(row.name)
            if row.guards:
                self.close(key, f"{row.name}: {why}")
            else:
                self.find(Severity.ERROR, "annotation/invalid-value", key, f"{row.name}: {why}; it is left out")

    def get(self, row: Annotation[T]) -> T | None:
        """Give the value that was asked for, or None."""
        value: T | None = self._values.get(row.name)
        return value

    def of(self, row: Annotation[T], default: T) -> T:
        """Give the value that was asked for, or the default."""
        value: T = self._values.get(row.name, default)
        return value

    def failed(self, row: Annotation[T]) -> bool:
        """Say whether a value was asked for that cannot be read."""
        return row.name in self._failed

    def close(self, key: str, reason: str, outcome: str = "the routes answer 503") -> None:
        """Say that the Ingress must not be served, and why."""
        self.closed.append(reason)
        self.find(Severity.ERROR, "annotation/closed", key, f"{reason}; so {outcome}")

    def without_effect(self, why: str, *rows: Annotation[Any]) -> None:
        """Say of those of the rows that are asked for that they do nothing here."""
        for row in rows:
            if (key := self._keys.get(row.name)) is not None:
                self.find(Severity.WARNING, "annotation/no-effect", key, f"{row.name} has no effect: {why}")

    def find(self, severity: Severity, code: str, key: str, message: str, hint: str = "") -> None:
        """Note what is wrong with one annotation."""
        where = Where(field=f"metadata.annotations[{key}]")
        self.findings.append(Diagnostic(severity, code, where, message, hint))
