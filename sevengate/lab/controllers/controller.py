"""What a controller is, and the few things that all of them do alike: time, owners, and the names they give.

Pure, but for the clock. Sources: Kubernetes' API conventions, "Owners and Dependents".
"""

import hashlib
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from sevengate.lab.apiserver.clock import written
from sevengate.lab.mirror import Object

_SAFE_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


class Part(Protocol):
    """Something that runs until it is cancelled."""

    async def run(self) -> None:
        """Run."""


class Controller(Protocol):
    """A controller: made on a Workplace, and run by running its parts once the Mirrors are filled."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""


def now() -> datetime:
    """Give the present moment."""
    return datetime.now(UTC)


def now_written() -> str:
    """Give the present moment as the API writes it."""
    return written(now())


def moment(text: str) -> datetime:
    """Read a moment as the API writes it."""
    return datetime.fromisoformat(text)


def seconds_since(text: str) -> float:
    """Say how long ago a moment was."""
    return (now() - moment(text)).total_seconds()


def reference_to(owner: Object) -> Object:
    """Make the reference by which a dependent names the object that controls it."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controlling(thing: Object) -> Object | None:
    """Give the reference to the object that controls this one, or None."""
    references = thing["metadata"].get("ownerReferences") or ()
    return next((one for one in references if one.get("controller")), None)


def is_going(thing: Object) -> bool:
    """Say whether an object was deleted and waits to be gone."""
    return "deletionTimestamp" in thing["metadata"]


def digest(thing: object, *salt: object) -> str:
    """Give a short name for some content, of letters that make no words."""
    text = msgspec.json.encode([thing, *salt], order="deterministic")
    number = int.from_bytes(hashlib.sha256(text).digest()[:6], "big")
    letters = []
    for _ in range(10):
        number, letter = divmod(number, len(_SAFE_LETTERS))
        letters.append(_SAFE_LETTERS[letter])
    return "".join(letters)
