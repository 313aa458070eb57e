"""The routing table as plain dicts and lists, for `--output json`: the facts of text.py, under the nouns' own names.

Takes nouns of the table; gives what json.dumps takes. A Template becomes the text that its author wrote, a range of
addresses becomes CIDR blocks, and of a certificate only what every client may see is told: its key never leaves here.
Policies that are as by default are left out, so that what is there was asked for.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from sevengate.routing.addresses import range_text
from sevengate.routing.policies import NO_POLICIES, AddressRange, Policies, Policy
from sevengate.routing.table import Backend, Certificate, Host, Match, Route, RoutingTable, WeightedBackend
from sevengate.routing.template import Template

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
    """Give the policies that differ from the default, each in full."""
    return {
        field: _plain(value)
        for field in policies.__struct_fields__
        if (value := getattr(policies, field)) != getattr(NO_POLICIES, field)
    }


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


def _plain(value: object) -> Any:
    if isinstance(value, Template):
        return str(value)
    if isinstance(value, AddressRange):
        return range_text(value)
    if isinstance(value, Policy):
        return {field: _plain(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value
