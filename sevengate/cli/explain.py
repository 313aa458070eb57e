"""`sevengate explain`: which rule serves a URL, why that one, and what happens on the way."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from sevengate.cli.check import plain_object
from sevengate.cli.compiled import compiled_options, take_compiled
from sevengate.cli.go import GoCommand
from sevengate.cli.manifests import Reading, read_for_answer
from sevengate.cli.output import Status, output_option, paths_argument, remark, say, say_json
from sevengate.cli.time_limit import TooSlowError, time_limit
from sevengate.cli.urls import header_of, request_of
from sevengate.diagnostics import Diagnostic
from sevengate.routing import explain as routing
from sevengate.routing.misses import Miss
from sevengate.routing.plain import plain_route
from sevengate.routing.request import Request
from sevengate.routing.table import Route
from sevengate.routing.text import aligned, backends_text, host_text, match_text


@click.command(cls=GoCommand)
@paths_argument
@click.argument("url", metavar="URL")
@click.option("-X", "--request", "method", default="GET", show_default=True, help="The request's method.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated.")
@click.option("--client-ip", default="127.0.0.1", show_default=True, help="The address that the request comes from.")
@compiled_options
@output_option
def explain(paths: tuple[str, ...], url: str, output: str, **asked: Any) -> None:
    """Say which rule serves URL, why it beat the runners-up, and what happens on the way.

    Exits with 1 if no rule serves it, and then names the rules that come nearest.
    """
    options = take_compiled(asked)
    request = _request(url, **asked)
    reading = read_for_answer(paths, options)
    explanation = _explanation(reading, request)
    if output == "json":
        say_json(plain_explanation(explanation))
    else:
        for line in explanation_lines(explanation):
            say(line, "" if line.startswith(" ") else "title")
    sys.exit(Status.FINE if explanation.outcome.route else Status.FAILED)


def explanation_lines(explanation: routing.Explanation) -> Iterator[str]:
    """Give an explanation as lines; the first is the whole answer in short."""
    request, outcome = explanation.request, explanation.outcome
    yield f"{request.method} {_url(request)} {_verdict(explanation)}"
    if outcome.route:
        yield from _section("rule", [_rule(outcome.route), *_source(outcome.route)])
    if explanation.host:
        yield from _section("why", _why(explanation))
    yield from _section("on the way", explanation.steps)
    yield from _section("backends", aligned(_destination(found) for found in explanation.destinations))
    yield from _section("what comes nearest", map(_miss, explanation.misses))


def plain_explanation(explanation: routing.Explanation) -> dict[str, Any]:
    """Give an explanation for JSON."""
    request, outcome = explanation.request, explanation.outcome
    return {
        "request": {"method": request.method, "url": _url(request), "client": request.client},
        "status": outcome.status or None,
        "reason": outcome.reason,
        "path": explanation.path,
        "host": outcome.host or None,
        "host_reason": explanation.host,
        "route": plain_route(outcome.route) if outcome.route else None,
        "location": outcome.location or None,
        "target": outcome.target or None,
        "upstream_host": outcome.upstream_host or None,
        "beaten": [
            {"host": beaten.host, "route": plain_route(beaten.route), "reason": beaten.reason}
            for beaten in explanation.beaten
        ],
        "steps": list(explanation.steps),
        "backends": [
            {"backend": found.backend, "share": found.share, "endpoints": list(found.endpoints)}
            for found in explanation.destinations
        ],
        "conflicts": [
            {"object": plain_object(lost.where.object), "field": lost.where.field, "message": lost.message}
            for lost in explanation.conflicts
        ],
        "misses": [
            {"host": miss.host, "route": plain_route(miss.route) if miss.route else None, "reason": miss.reason}
            for miss in explanation.misses
        ],
    }


def _request(url: str, method: str, headers: tuple[str, ...], client_ip: str) -> Request:
    try:
        return request_of(url, method, map(header_of, headers), client_ip)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _explanation(reading: Reading, request: Request) -> routing.Explanation:
    try:
        with time_limit():
            return routing.explain(reading.compilation.table, request, _conflicts(reading))
    except TooSlowError as slow:
        remark(f"error: {slow}")
        sys.exit(Status.FAILED)


def _conflicts(reading: Reading) -> Iterator[Diagnostic]:
    return (found.diagnostic for found in reading.findings if found.diagnostic.code == "ingress/conflict")


def _verdict(explanation: routing.Explanation) -> str:
    outcome = explanation.outcome
    if outcome.location:
        return f"is redirected to {outcome.location} ({outcome.status})"
    if outcome.status:
        return f"is answered with {outcome.status}: {outcome.reason}"
    backend = f"goes to {backends_text(outcome.backends)}"
    return backend if outcome.route else f"{backend}, the default backend: no rule serves it"


def _url(request: Request) -> str:
    return f"{request.scheme}://{request.host}{request.target}"


def _section(title: str, lines: Any) -> Iterator[str]:
    rows = [f"  {line}" for line in lines]
    return iter([title, *rows] if rows else [])


def _rule(route: Route) -> str:
    return f"{match_text(route.match)} -> {backends_text(route.backends)}"


def _source(route: Route) -> Iterator[str]:
    yield f"{route.source.object} {route.source.field}".rstrip()


def _why(explanation: routing.Explanation) -> Iterator[str]:
    yield explanation.host
    if explanation.path != explanation.request.target.partition("?")[0]:
        yield f"the path is compared as {explanation.path}"
    yield from _beaten(explanation)
    yield from map(_lost, explanation.conflicts)


def _beaten(explanation: routing.Explanation) -> Iterator[str]:
    for beaten in explanation.beaten:
        elsewhere = "" if beaten.host == explanation.outcome.host else f"{host_text(beaten.host)}, "
        yield f"before {elsewhere}{_rule(beaten.route)} ({beaten.route.source.object}): {beaten.reason}"


def _lost(conflict: Diagnostic) -> str:
    reason = ", ".join(filter(None, (conflict.message, conflict.hint)))
    return f"before {conflict.where.object} {conflict.where.field}: {reason}"


def _destination(found: routing.Destination) -> tuple[str, str, str]:
    return (found.backend, found.share, " ".join(found.endpoints))


def _miss(miss: Miss) -> str:
    rule = f", {_rule(miss.route)} ({miss.route.source.object})" if miss.route else ""
    return f"{host_text(miss.host)}{rule}: {miss.reason}"
