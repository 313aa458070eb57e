"""A routing table as documents: the texts that are pushed to the data plane, each with its digest.

One document for each host, backend, certificate and server name: names begin with `h:`, `b:`, `c:` and `s:`, and
`m:defaults` holds what is there once. A document is JSON in the words of lua/state.lua, already decided: routes in
order of precedence, policies shared by number, what equals the default left out. Nothing here is ever configuration
text. The digest tells what has changed, so a push carries only that; control.py sends it, lua/control.lua adopts it.

A push is `POST /v1/push`: a header of one JSON line, then the documents' texts without anything between them. `commit`
makes what is staged visible, if `base` is still the data plane's generation; with `full`, names not in `set` go.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from sevengate.routing.affinity import affinity_key
from sevengate.routing.policies import (
    AddressRange,
    Affinity,
    Algorithm,
    Policies,
    Profile,
    Timeouts,
)
from sevengate.routing.table import (
    Backend,
    Certificate,
    Host,
    PathKind,
    Route,
    RouteSource,
    RoutingTable,
    TableChanges,
    ValueMatch,
)
from sevengate.routing.template import Template

#: The document that holds what there is only one of.
DEFAULTS: Final = "m:defaults"

_encode = msgspec.json.Encoder().encode


class StaticDefaults(msgspec.Struct, frozen=True):
    """What nginx.conf already says: a policy that equals it is left out of the documents."""

    timeouts: Timeouts = Timeouts()
    profile: Profile = Profile()


class Document(msgspec.Struct, frozen=True, gc=False):
    """One text to push, its name, and the digest by which both sides know it."""

    name: str
    digest: str
    text: bytes


def documents(
    table: RoutingTable, defaults: StaticDefaults, addresses: Mapping[str, tuple[str, ...]]
) -> Iterator[Document]:
    """Give all documents of a table; `addresses` holds what DNS names of endpoints resolve to."""
    yield defaults_document(table)
    for backend in table.backends.values():
        yield backend_document(backend, addresses)
    for certificate in table.certificates.values():
        yield certificate_document(certificate)
    for server_name, certificate_name in table.server_names.items():
        yield server_name_document(server_name, certificate_name)
    for host in table.hosts.values():
        yield host_document(host, defaults)


def changed_documents(
    table: RoutingTable,
    changes: TableChanges,
    defaults: StaticDefaults,
    addresses: Mapping[str, tuple[str, ...]],
) -> tuple[list[Document], list[str]]:
    """Give the documents of what `changes` names and is still there, and the names of those that are gone."""
    found: list[Document] = [defaults_document(table)]
    gone: list[str] = []
    for name in changes.backends:
        if backend := table.backends.get(name):
            found.append(backend_document(backend, addresses))
        else:
            gone.append(f"b:{name}")
    for name in changes.certificates:
        if certificate := table.certificates.get(name):
            found.append(certificate_document(certificate))
        else:
            gone.append(f"c:{name}")
    for name in changes.server_names:
        if name in table.server_names:
            found.append(server_name_document(name, table.server_names[name]))
        else:
            gone.append(f"s:{name}")
    for name in changes.hosts:
        if host := table.hosts.get(name):
            found.append(host_document(host, defaults))
        else:
            gone.append(f"h:{name}")
    return found, gone


def defaults_document(table: RoutingTable) -> Document:
    """Give the document of what there is only one of."""
    return _document(DEFAULTS, {"backend": table.default_backend} if table.default_backend else {})


def backend_document(backend: Backend, addresses: Mapping[str, tuple[str, ...]]) -> Document:
    """Give the document of a backend: its endpoints as address, port, address, port and so on.

    An endpoint that is a DNS name becomes as many as it resolves to; one that does not resolve is left out.
    """
    endpoints: list[str | int] = []
    for endpoint in backend.endpoints:
        for address in addresses.get(endpoint.address, ()) if is_dns_name(endpoint.address) else (endpoint.address,):
            endpoints += (f"[{address}]" if ":" in address else address, endpoint.port)
    return _document(
        f"b:{backend.name}", {"label": backend.label, "key": affinity_key(backend.name), "endpoints": endpoints}
    )


def certificate_document(certificate: Certificate) -> Document:
    """Give the document of a certificate: chain and key in PEM."""
    return _document(
        f"c:{certificate.name}", {"chain": certificate.chain.decode(), "key": certificate.key.pem.decode()}
    )


def server_name_document(server_name: str, certificate: str) -> Document:
    """Give the document that says which certificate an SNI name gets."""
    return _document(f"s:{server_name}", {"certificate": certificate})


def host_document(host: Host, defaults: StaticDefaults) -> Document:
    """Give the document of a host: its routes in order, with their policies and sources by number (from 1)."""
    policies = _Numbered()
    sources = _Numbered()
    routes = [_route(route, policies.number(_policies(route.policies, defaults)), sources) for route in host.routes]
    return _document(f"h:{host.name}", {"routes": routes, "policies": policies.values, "sources": sources.values})


def is_dns_name(address: str) -> bool:
    """Say whether an endpoint's address is a name that must be resolved, and not an IPv4 or IPv6 address."""
    return ":" not in address and not address.replace(".", "").isdigit()


def batches(found: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Cut documents into lists of about `size` bytes of text each."""
    batch: list[Document] = []
    filled = 0
    for document in found:
        batch.append(document)
        filled += len(document.text)
        if filled >= size:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


class _Numbered:
    """Values that are written once and referred to by number, from 1 as Lua counts."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, value: dict[str, Any]) -> int:
        key = _encode(value)
        if key not in self._numbers:
            self.values.append(value)
            self._numbers[key] = len(self.values)
        return self._numbers[key]


def _document(name: str, value: dict[str, Any]) -> Document:
    text = _encode(value)
    return Document(name, hashlib.blake2b(text, digest_size=12).hexdigest(), text)


def _route(route: Route, policies: int, sources: _Numbered) -> dict[str, Any]:
    path = route.match.path
    value: dict[str, Any] = {
        "kind": path.kind,
        "path": path.place.value,
        "policies": policies,
        "source": sources.number(_source(route.source)),
    }
    if route.match.method:
        value["method"] = route.match.method
    if route.match.values:
        value["values"] = [_value_match(condition) for condition in route.match.values]
    if len(route.backends) == 1 and route.backends[0].weight > 0:
        value["backend"] = route.backends[0].backend
    elif route.backends:
        value["backends"] = [[share.backend, share.weight] for share in route.backends]
    if route.policies.balance.affinity:
        value["cookie_path"] = "/" if path.kind is PathKind.REGEX else path.value
    if route.canary:
        value["canary"] = route.canary
    if route.counts_for:
        value["counts_for"] = sources.number(_source(route.counts_for))
    return value


def _value_match(condition: ValueMatch) -> dict[str, Any]:
    return {
        "source": condition.source,
        "name": condition.name,
        "kind": condition.kind,
        "value": condition.value,
    }


def _source(source: RouteSource) -> dict[str, Any]:
    return {
        "namespace": source.object.namespace,
        "ingress_name": source.object.name,
        "service_name": source.service,
        "service_port": source.port,
    }


def _policies(policies: Policies, defaults: StaticDefaults) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if policies.closed:
        value["closed"] = policies.closed.status
    if policies.redirect:
        value["redirect"] = {"code": policies.redirect.code, "location": _template(policies.redirect.location)}
    if policies.https:
        value["https"] = {"code": policies.https.code, "keep_trailing_slash": policies.https.keep_trailing_slash}
    if policies.addresses:
        value["addresses"] = {"deny": _ranges(policies.addresses.deny)} if policies.addresses.deny else {}
        if policies.addresses.allow is not None:
            value["addresses"]["allow"] = _ranges(policies.addresses.allow)
    if policies.rewrite:
        value["rewrite"] = {"pattern": policies.rewrite.pattern, "replacement": policies.rewrite.replacement}
    if policies.forwarded_prefix:
        value["forwarded_prefix"] = policies.forwarded_prefix
    if policies.upstream_host:
        value["upstream_host"] = policies.upstream_host
    if policies.timeouts != defaults.timeouts:
        value["timeouts"] = [policies.timeouts.connect, policies.timeouts.send, policies.timeouts.read]
    if policies.profile != defaults.profile:
        value["profile"] = policies.profile.name
        value["body_size"] = policies.profile.body_size
    return value | _balance(policies)


def _balance(policies: Policies) -> dict[str, Any]:
    balance = policies.balance
    value: dict[str, Any] = {}
    if balance.affinity:
        value["affinity"] = _affinity(balance.affinity)
    if balance.algorithm is not Algorithm.ROUND_ROBIN:
        value["algorithm"] = balance.algorithm
    if balance.hash_by:
        value["hash_by"] = _template(balance.hash_by)
    return value


def _affinity(affinity: Affinity) -> dict[str, Any]:
    # msgspec leaves out what equals the default, but the cookie and the mode are asked for at each request.
    value: dict[str, Any] = msgspec.to_builtins(affinity)
    return {"cookie": affinity.cookie, "mode": affinity.mode} | value


def _template(template: Template) -> list[str | list[str]]:
    return [part if isinstance(part, str) else [part.name] for part in template.parts]


def _ranges(ranges: tuple[AddressRange, ...]) -> list[list[str]]:
    return [[address_range.first, address_range.last] for address_range in ranges]
