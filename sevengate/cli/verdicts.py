"""Whether what becomes of a request is what was expected of it.

Takes a routing table and a Case; gives a Verdict. What was seen is put into the same words as expectations (Seen),
whether the reference matcher or a real NGINX answered; so live.py makes a Seen of an answer and the comparison here is
the same. What NGINX does not tell its client (the rule, the host) it is not asked about: there the matcher's word
stands.
"""

from collections.abc import Iterator, Mapping

import msgspec

from sevengate.cli.expectations import Case, Expected
from sevengate.routing.match import serve
from sevengate.routing.request import Outcome
from sevengate.routing.table import RoutingTable, WeightedBackend

#: How far a share may be from what is expected, in per cent.
_TOLERANCE = 0.05

#: What was seen, under the keys of expectations; a key that is absent could not be seen.
Seen = Mapping[str, Expected]


class Verdict(msgspec.Struct, frozen=True):
    """A Case, and a sentence for each expectation that was not met; `given_up` if the matcher took too long."""

    case: Case
    failures: tuple[str, ...]
    given_up: bool = False


def judge(table: RoutingTable, case: Case) -> Verdict:
    """Ask the reference matcher about a case."""
    return Verdict(case, failures(case.expect, seen(serve(table, case.request))))


def seen(outcome: Outcome) -> Seen:
    """Put an Outcome into the words of expectations; the status of what a backend answers is 200."""
    source = outcome.route.source if outcome.route else None
    service, port = service_of(outcome)
    path, _, query = outcome.target.partition("?")
    return {
        "status": outcome.status or 200,
        "host": outcome.host,
        "ingress": f"{source.object.namespace}/{source.object.name}" if source else "",
        "route": outcome.route.name if outcome.route else "",
        "service": service,
        "port": port,
        "path": path,
        "query": query,
        "location": outcome.location,
        "upstream-host": outcome.upstream_host,
        "backends": shares(outcome.backends),
    }


def failures(expect: Mapping[str, Expected], what: Seen) -> tuple[str, ...]:
    """Say which expectations were not met by what was seen."""
    return tuple(_failures(expect, what))


def service_of(outcome: Outcome) -> tuple[str, str]:
    """Give the Service and port that answer, or that the rule names where Sevengate answers itself."""
    names = [split_backend(choice.backend) for choice in outcome.backends]
    if names:
        services, ports = (" or ".join(dict.fromkeys(column)) for column in zip(*names, strict=True))
        return services, ports
    if outcome.route and outcome.route.source.service:
        source = outcome.route.source
        return f"{source.object.namespace}/{source.service}", source.port
    return "", ""


def split_backend(name: str) -> tuple[str, str]:
    """Give the Service and the port in a Backend's name `namespace/service:port`."""
    service, _, port = name.partition(":")
    return service, port.partition("@")[0]


def shares(choices: tuple[WeightedBackend, ...]) -> dict[str, float]:
    """Give the share of each backend in per cent."""
    total = sum(choice.weight for choice in choices)
    return {choice.backend: 100 * choice.weight / total for choice in choices}


def _failures(expect: Mapping[str, Expected], what: Seen) -> Iterator[str]:
    for key, wanted in expect.items():
        if key in what and not _meets(key, wanted, what[key]):
            yield f"{key} is {_shown(what[key])}, expected was {_shown(wanted)}"


def _meets(key: str, wanted: Expected, found: Expected) -> bool:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return wanted.keys() == found.keys() and all(abs(wanted[name] - found[name]) <= _TOLERANCE for name in wanted)
    if key == "service" and "/" not in str(wanted):
        return str(found).partition("/")[2] == wanted
    return wanted == found


def _shown(value: Expected) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {share:.4g}%" for name, share in value.items()) or "nothing"
    return str(value) or "nothing"
