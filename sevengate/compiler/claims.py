"""What one object wishes for, in the proxy's words but before anybody has compared it with others' wishes.

ingress.py takes an Ingress and gives a Reading: its Claims by host, what its `tls` section says of server names, the
Backends it leads to, and what is wrong with it. merge.py takes the Claims of one host from all Readings and lets them
compete. A Reading depends on one Ingress and the few objects it names, so it is kept until one of those changes.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

from sevengate.annotations.wishes import Wishes
from sevengate.diagnostics import Diagnostic, ObjectRef, Where
from sevengate.routing.table import PathMatch

#: A sort key for objects: the smaller one is the older.
Seniority = tuple[str, str]

# Turns the order of names round, character by character; the terminator makes a name sort before its own beginnings.
_REVERSED: Final = {code: 0x7F - code for code in range(0x20, 0x7F)}
_TERMINATOR: Final = "\x7f"

# Sorts after every RFC 3339 time: what has not been created yet is the youngest.
_NOT_YET: Final = "~"


def seniority(created: str, key: str) -> Seniority:
    """Give the sort key by which the older of two objects wins a conflict.

    `created` is metadata.creationTimestamp, `key` is namespace/name. Ties go to the greater key, as in ingress-nginx.
    """
    return created or _NOT_YET, key.translate(_REVERSED) + _TERMINATOR


class BackendRef(msgspec.Struct, frozen=True, order=True, gc=False):
    """Which endpoints are meant: a Service's port as the Ingress wrote it, by its pods or by its cluster IP."""

    name: str
    service_key: str
    port: str
    by_cluster_ip: bool = False

    @classmethod
    def of(cls, service_key: str, port: str, *, by_cluster_ip: bool = False) -> "BackendRef":
        """Name the port of a Service; the name is the Backend's in the table."""
        suffix = "@service" if by_cluster_ip else ""
        return cls(f"{service_key}:{port}{suffix}", service_key, port, by_cluster_ip)

    @property
    def label(self) -> str:
        """What logs and metrics call it, as in ingress-nginx: `namespace-service-port`."""
        return f"{self.service_key.replace('/', '-', 1)}-{self.port}"

    @property
    def service(self) -> str:
        """The Service's name."""
        return self.service_key.partition("/")[2]


class Claimant(msgspec.Struct, frozen=True, gc=False):
    """Whose wishes they are: one Ingress, its age, and what its annotations ask for."""

    ref: ObjectRef
    key: str
    seniority: Seniority
    wishes: Wishes


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A wish for one path of a host. `backend` is None where there is none that could be served: the answer is 503."""

    claimant: Claimant
    name: str
    field: str
    path: PathMatch
    backend: BackendRef | None

    @property
    def where(self) -> Where:
        """The field that says so."""
        return Where(self.claimant.ref, self.field)


class HostClaims(msgspec.Struct, frozen=True, gc=False):
    """All that one Ingress wishes for on one host.

    `name` begins the names of routes that stand for no path of a rule; `fallback` counts if nobody claims Prefix "/".
    """

    name: str
    claims: tuple[Claim, ...] = ()
    fallback: Claim | None = None


class Standing(IntEnum):
    """How good an Ingress's title to the certificate of a server name is; the lower goes first."""

    LISTED = 0  # a tls entry lists the name, and a rule is for this host
    COVERED = 1  # a rule is for this host, and a certificate of the Ingress covers it
    ALONE = 2  # a tls entry lists the name and the certificate covers it, but no rule is for this host


class ServerName(msgspec.Struct, frozen=True, gc=False):
    """Which certificate an Ingress wishes to be shown for one server name: the name of a Certificate."""

    standing: Standing
    certificate: str


class Reading(msgspec.Struct, frozen=True, gc=False):
    """All that was read from one Ingress. Without a claimant it is not ours to serve.

    `secrets` and `backends` hold all that was looked up for it, found or not: a change of those makes it stale.
    """

    claimant: Claimant | None = None
    hosts: Mapping[str, HostClaims] = {}
    server_names: Mapping[str, ServerName] = {}
    secrets: tuple[str, ...] = ()
    backends: tuple[BackendRef, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
