"""A request as the matcher sees it, and what becomes of it: the words that `explain`, `test` and the tests share."""

import msgspec

from sevengate.routing.table import Route, WeightedBackend


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `target` is path and query as sent; header names are lower-case; `client` is an IP address."""

    host: str
    target: str = "/"
    method: str = "GET"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    client: str = "127.0.0.1"


class Outcome(msgspec.Struct, frozen=True):
    """What becomes of a request.

    `status` is what Sevengate answers itself (301, 403, 404, 503 ...), or 0 if a backend answers. `host` is the name of
    the Host that took it, "" if none. `target` is the path and query that the backend sees.
    """

    status: int = 0
    host: str = ""
    route: Route | None = None
    location: str = ""
    backends: tuple[WeightedBackend, ...] = ()
    target: str = ""
    upstream_host: str = ""
    reason: str = ""
