"""The routing table as text for people: `sevengate routes`, the expectation of golden tests, the body of a bug report.

Takes a RoutingTable or a part of it; gives plain ASCII lines, the same for the same table: hosts sorted by name, routes
in order of precedence, each with its match, where it leads, whose wish it is and the policies that differ from the
default; then backends and certificates. Columns are aligned per host, so a change to one host leaves the others' lines
alone. The same for machines is made in plain.py.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from sevengate.routing.addresses import ranges_text
from sevengate.routing.policies import AddressRules, Affinity, Algorithm, Balance, Policies, Profile, Timeouts
from sevengate.routing.table import (
    ANY_HOST,
    DEFAULT_CERTIFICATE,
    Backend,
    Certificate,
    Host,
    Match,
    Route,
    RoutingTable,
    ValueKind,
    ValueMatch,
    WeightedBackend,
)

_VERBS = {ValueKind.EXACT: "=", ValueKind.REGEX: "~", ValueKind.SUFFIX: "ends with"}


def table_text(table: RoutingTable) -> str:
    """Give the whole table as text; the empty table gives ""."""
    sections = [_host_lines(table.hosts[name]) for name in sorted(table.hosts)]
    sections += [_backend_lines(table), _certificate_lines(table)]
    return "".join("\n".join(lines) + "\n\n" for lines in sections if lines).removesuffix("\n")


def route_text(route: Route) -> str:
    """Give one route as a line."""
    return "  ".join(cell for cell in _route_cells(route) if cell)


def match_text(match: Match) -> str:
    """Give what a request must look like: `prefix /shop GET header x-canary = always`."""
    conditions = [match.method, *map(value_text, match.values)]
    return " ".join([f"{match.path.kind} {_quoted(match.path.value)}", *filter(None, conditions)])


def value_text(match: ValueMatch) -> str:
    """Give one condition: `header x-canary = always`, `cookie beta ends with |1f`, `query v is there`."""
    if match.kind is ValueKind.PRESENT:
        return f"{match.source} {match.name} is there"
    return f"{match.source} {match.name} {_VERBS[match.kind]} {_quoted(match.value)}"


def policies_text(policies: Policies) -> str:
    """Give the policies that differ from the default, in the order in which they act."""
    return "; ".join(_policy_texts(policies))


def backends_text(backends: Sequence[WeightedBackend]) -> str:
    """Give where requests go, with the share of each where there are several."""
    if len(backends) == 1 and backends[0].weight > 0:
        return backends[0].backend
    return ", ".join(f"{choice.backend} {share_text(choice, backends)}" for choice in backends) or "nowhere"


def share_text(choice: WeightedBackend, backends: Iterable[WeightedBackend]) -> str:
    """Give the share of requests that one of several backends gets: `12.5%`."""
    total = sum(other.weight for other in backends)
    return f"{100 * choice.weight / total if total else 0:.4g}%"


def host_text(name: str) -> str:
    """Give the name of a Host as a person would say it: `host shop.example`, `any host`."""
    return "any host" if name == ANY_HOST else f"host {_quoted(name)}"


def _host_lines(host: Host) -> list[str]:
    certificate = f", certificate {host.certificate}" if host.certificate else ""
    return [f"{host_text(host.name)}{certificate}", *(f"  {line}" for line in aligned(map(_route_cells, host.routes)))]


def _route_cells(route: Route) -> tuple[str, ...]:
    source = f"{route.source.object} {route.source.field}".rstrip()
    backends = f"-> {backends_text(route.backends)}"
    return (match_text(route.match), backends, source, policies_text(route.policies))


def _backend_lines(table: RoutingTable) -> list[str]:
    rows = [_backend_cells(table.backends[name]) for name in sorted(table.backends)]
    lines = [f"  {line}" for line in aligned(rows)]
    if table.default_backend:
        lines.append(f"  what no route serves goes to {table.default_backend}")
    return ["backends", *lines] if lines else []


def _backend_cells(backend: Backend) -> tuple[str, ...]:
    return (backend.name, " ".join(map(str, backend.endpoints)) or "no endpoints")


def _certificate_lines(table: RoutingTable) -> list[str]:
    served: dict[str, list[str]] = {name: [] for name in table.certificates}
    for server_name, certificate in table.server_names.items():
        served.setdefault(certificate, []).append(server_name)
    rows = (_certificate_cells(name, table.certificates.get(name), served[name]) for name in sorted(served))
    lines = [f"  {line}" for line in aligned(rows)]
    return ["certificates", *lines] if lines else []


def _certificate_cells(name: str, certificate: Certificate | None, served: list[str]) -> tuple[str, ...]:
    title = "(default)" if name == DEFAULT_CERTIFICATE else name
    expiry = f"until {certificate.not_after}" if certificate and certificate.not_after else ""
    return (title, expiry, "for " + " ".join(map(_quoted, sorted(served))) if served else "")


def _policy_texts(policies: Policies) -> Iterator[str]:
    if policies.closed:
        yield f"closed {policies.closed.status} ({json.dumps(policies.closed.reason)})"
    if policies.redirect:
        yield f"redirect {policies.redirect.code} to {_quoted(str(policies.redirect.location))}"
    if policies.https:
        kept = " with its trailing slash" if policies.https.keep_trailing_slash else ""
        yield f"https {policies.https.code}{kept}"
    if policies.addresses:
        yield from _address_texts(policies.addresses)
    if policies.rewrite:
        yield f"rewrite {_quoted(policies.rewrite.pattern)} to {_quoted(policies.rewrite.replacement)}"
    if policies.forwarded_prefix:
        yield f"forwarded-prefix {_quoted(policies.forwarded_prefix)}"
    if policies.upstream_host:
        yield f"upstream-host {_quoted(policies.upstream_host)}"
    if policies.timeouts != Timeouts():
        yield f"timeouts {policies.timeouts.connect:g}s {policies.timeouts.send:g}s {policies.timeouts.read:g}s"
    yield from _balance_texts(policies.balance)
    if policies.profile != Profile():
        yield f"profile {policies.profile.name}"


def _address_texts(rules: AddressRules) -> Iterator[str]:
    if rules.deny:
        yield f"deny {ranges_text(rules.deny)}"
    if rules.allow is not None:
        yield f"allow {ranges_text(rules.allow)}"


def _balance_texts(balance: Balance) -> Iterator[str]:
    if balance.affinity:
        yield _affinity_text(balance.affinity)
    if balance.algorithm is Algorithm.HASH:
        yield f"hash {_quoted(str(balance.hash_by))}"
    elif balance.algorithm is not Algorithm.ROUND_ROBIN:
        yield f"balance {balance.algorithm}"


def _affinity_text(affinity: Affinity) -> str:
    settings = [
        f"path={affinity.path}" if affinity.path else "",
        f"domain={affinity.domain}" if affinity.domain else "",
        f"expires={affinity.expires}" if affinity.expires is not None else "",
        f"max-age={affinity.max_age}" if affinity.max_age is not None else "",
        f"same-site={affinity.same_site}" if affinity.same_site else "",
        "conditional-same-site-none" if affinity.conditional_same_site_none else "",
        f"secure={str(affinity.secure).lower()}" if affinity.secure is not None else "",
        "change-on-failure" if affinity.change_on_failure else "",
    ]
    words = ["affinity", affinity.mode, f"cookie={affinity.cookie}", *filter(None, settings)]
    return " ".join(map(_quoted, words))


def _quoted(text: str) -> str:
    """Show text as it stands, or as a JSON string if it could be misread or hides something."""
    plain = text.isascii() and text.isprintable() and not any(mark in text for mark in ' "')
    return text if text and plain else json.dumps(text)


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Give one line per row of as many cells, columns as wide as their widest cell, two spaces between them."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
