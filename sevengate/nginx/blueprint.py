"""What the driver and the supervisor of an NGINX say to each other: a Blueprint in, a Standing out.

The driver (dataplane.py) decides which Blueprint is wanted; the supervisor (supervisor.py) renders nginx.conf from it,
tests it, and starts or reloads NGINX. They are in one process, or in two with a socket between (supervision.py). A
Blueprint is typed values and never configuration text, so nobody who reaches the socket can write a directive.
"""

from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from sevengate.nginx.usage import Usage
from sevengate.routing.policies import Profile
from sevengate.settings import Settings

#: The number of what driver, supervisor and Lua say to each other; one that differs is refused.
PROTOCOL: Final = 1


class Blueprint(msgspec.Struct, frozen=True):
    """What nginx.conf is made of, beside the machine.

    `dictionary` is the size of the documents' dictionary in MiB; where it has grown, `previous_dictionary` is the one
    that NGINX takes the documents over from.
    """

    settings: Settings
    profiles: frozenset[Profile]
    dictionary: int
    previous_dictionary: int = 0


class Reason(NamedTuple):
    """Why NGINX must reload: in few words, for counting, and as a sentence."""

    cause: str
    text: str


class Standing(msgspec.Struct, frozen=True):
    """How it stands with an NGINX: the Blueprint that it was last told, and which one of its lives this is.

    `incarnation` names one life of one master and is "" while none runs: another name means that NGINX is empty.
    """

    incarnation: str = ""
    blueprint: Blueprint | None = None
    reloads: int = 0
    protocol: int = PROTOCOL

    @property
    def running(self) -> Blueprint | None:
        """What the NGINX that runs was made of, or None where none runs."""
        return self.blueprint if self.incarnation else None


class Supervision(Protocol):
    """An NGINX's supervisor, as its driver sees it."""

    @property
    def control(self) -> Path:
        """The socket at which NGINX takes documents."""
        ...

    async def standing(self) -> Standing:
        """Say how it stands."""
        ...

    async def usage(self) -> Usage:
        """Say what NGINX's processes use."""
        ...

    async def configure(self, blueprint: Blueprint) -> Standing:
        """Start or reload NGINX, unless its configuration would be the same; raise NginxError, the old one stays."""
        ...

    async def news(self, incarnation: str) -> Standing:
        """Wait until the incarnation is another than the given one."""
        ...


def differing_keys(settings: Settings, others: Settings) -> list[str]:
    """Name the keys of the ConfigMap whose values differ."""
    return [
        name.replace("_", "-")
        for name in Settings.__struct_fields__
        if getattr(settings, name) != getattr(others, name)
    ]


def reload_reasons(running: Blueprint, wanted: Blueprint) -> tuple[Reason, ...]:
    """Say why one configuration must take another's place."""
    profiles = sorted(profile.name for profile in wanted.profiles - running.profiles)
    return (
        *(Reason("profile", f"new Profile {name}") for name in profiles),
        *(
            Reason(f"setting {name}", f"setting {name} changed")
            for name in differing_keys(running.settings, wanted.settings)
        ),
        *(
            (Reason("memory", f"shared memory grown from {running.dictionary} to {wanted.dictionary} MiB"),)
            if running.dictionary != wanted.dictionary
            else ()
        ),
    ) or (Reason("nginx.conf", "nginx.conf differs"),)
