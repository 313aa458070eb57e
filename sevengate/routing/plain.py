"""The routing table as plain dicts and lists, for `--output json`: the facts of text.py, under the nouns' own names.

Takes nouns of the table; gives what json.dumps takes. A Template becomes the text that its author wrote, a range of
addresses becomes CIDR blocks, and of a certificate only what every client may see is told: its key never leaves here.
What has its default value is left out of policies, so that what is there was asked for.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from sevengate.routing.addresses import range_text
from sevengate.routing.policies import AddressRange, AddressRules, Policies
from sevengate.routing.table import Backend, Certificate, Host, Match, Route, RoutingTable, WeightedBackend

#: A JSON object.
Plain = dict[str, Any]


def plain_table(table: RoutingTable) -> Plain:
    """Give the whole table."""
    return {
        "hosts": [plain_host(table.hosts[name]) for name in sorted(table.hosts)],
        "backends": [plain_backend(table.backends[name]) for name in sorted(table.backends)],
        "certificates": [plain_certificate(table.certificates[name]) for name in sorted(table.certificates)],
        "server_names": dict(sorted(table.server_names.items())),
        "default_backend": table.default_backend or None,
    }


def plain_host(host: Host) -> Plain:
    """Give a Host with its routes in order of precedence."""
    return {
        "name": host.name,
        "certificate": host.certificate or None,
        "routes": [plain_route(route) for route in host.routes],
    }


def plain_route(route: Route) -> Plain:
    """Give a Route."""
    source = route.source
    return {
        "name": route.name,
        "match": plain_match(route.match),
        "backends": plain_choices(route.backends),
        "policies": plain_policies(route.policies),
        "source": {
            "kind": source.object.kind,
            "namespace": source.object.namespace,
            "name": source.object.name,
            "field": source.field,
            "service": source.service,
            "port": source.port,
        },
    }


def plain_match(match: Match) -> Plain:
    """Give a Match; what it does not ask for is null or empty."""
    return {
        "path": {"kind": match.path.kind.value, "value": match.path.value},
        "method": match.method or None,
        "values": [
            {"source": value.source.value, "name": value.name, "kind": value.kind.value, "value": value.value}
            for value in match.values
        ],
    }


def plain_choices(choices: Iterable[WeightedBackend]) -> list[Plain]:
    """Give weighted backends."""
    return [{"backend": choice.backend, "weight": choice.weight} for choice in choices]


def plain_policies(policies: Policies) -> Plain:
    """Give the policies that differ from the default."""
    plain: Plain = msgspec.to_builtins(policies)
    if policies.redirect:
        plain["redirect"]["location"] = str(policies.redirect.location)
    if policies.balance.hash_by:
        plain["balance"]["hash_by"] = str(policies.balance.hash_by)
    if policies.addresses:
        plain["addresses"] = _plain_addresses(policies.addresses)
    return plain


def plain_backend(backend: Backend) -> Plain:
    """Give a Backend with its endpoints as `address:port`."""
    return {
        "name": backend.name,
        "label": backend.label,
        "endpoints": [str(endpoint) for endpoint in backend.endpoints],
    }


def plain_certificate(certificate: Certificate) -> Plain:
    """Give what of a certificate every client may see."""
    return {"name": certificate.name, "names": list(certificate.names), "not_after": certificate.not_after or None}


def _plain_addresses(rules: AddressRules) -> Plain:
    return {"allow": None if rules.allow is None else _blocks(rules.allow), "deny": _blocks(rules.deny)}


def _blocks(ranges: Iterable[AddressRange]) -> list[str]:
    return [block for held in ranges for block in range_text(held).split()]
