"""A request as NGINX has it once it has read the head: host, path and query taken out, and values by name.

Takes a Request; gives a Received, or BadRequest for what NGINX answers with 400. Values are looked up as NGINX's
variables $http_..., $arg_... and $cookie_... do, so that conditions of routes and templates see here what they see in
the data plane (https://nginx.org/en/docs/http/ngx_http_core_module.html#variables). Of a header that is sent several
times a condition sees all values, joined; a template sees what $http_... holds: the first one here and before NGINX
1.23, all of them since.
"""

import re
from typing import Final

import msgspec

from sevengate.routing.request import Request
from sevengate.routing.table import ValueSource
from sevengate.routing.template import Template
from sevengate.routing.uri import host_name, normalise, query, to_text

#: NGINX takes cookies apart at commas too.
_COOKIE_END: Final = re.compile(r"^[^;,]*[;,]? *")

#: What `$request_id` is offline, where no request has an identity.
_NO_REQUEST_ID: Final = "0" * 32


class Received(msgspec.Struct, frozen=True):
    """A Request with its `host` ($host), its normalised `path` ($uri) and its query string `args` ($args)."""

    request: Request
    host: str
    path: bytes
    args: str

    def value(self, source: ValueSource, name: str) -> str | None:
        """Give a header, query parameter or cookie, or None."""
        if source is ValueSource.HEADER:
            return ", ".join(lines) if (lines := _header(self.request, name)) else None
        if source is ValueSource.QUERY:
            return _argument(self.args, name)
        return _cookie(self.request, name)

    def variable(self, name: str) -> str | None:
        """Give the value of a Template's variable, or None where the request has nothing of that name."""
        if name in (fixed := self._fixed()):
            return fixed[name]
        family, _, rest = name.partition("_")
        if family == "http":
            return next(iter(_header(self.request, rest)), None)
        return self.value({"arg": ValueSource.QUERY, "cookie": ValueSource.COOKIE}[family], rest)

    def text(self, template: Template) -> str:
        """Give what a Template says for this request; what the request does not have is empty."""
        return "".join(part if isinstance(part, str) else self.variable(part.name) or "" for part in template.parts)

    def _fixed(self) -> dict[str, str]:
        request = self.request
        return {
            "args": self.args,
            "host": self.host,
            "http_host": request.host,
            "is_args": "?" if self.args else "",
            "query_string": self.args,
            "remote_addr": request.client,
            "request_id": _NO_REQUEST_ID,
            "request_method": request.method,
            "request_uri": request.target,
            "scheme": request.scheme,
            "server_name": self.host,
            "server_port": "443" if request.scheme == "https" else "80",
            "uri": to_text(self.path),
        }


def receive(request: Request) -> Received:
    """Read the head of a request; raise BadRequest."""
    return Received(request, host_name(request.host), normalise(request.target), query(request.target))


def _header(request: Request, name: str) -> list[str]:
    # A variable's name has "_" where the header has "-", and NGINX drops headers that have "_" themselves.
    wanted = name.lower().replace("_", "-")
    return [value for key, value in request.headers if key == wanted]


def _argument(args: str, name: str) -> str | None:
    """Give the first parameter of that name that has a `=`; the name in any case, the value as sent."""
    for parameter in args.split("&"):
        key, equals, value = parameter.partition("=")
        if equals and key.lower() == name.lower():
            return value
    return None


def _cookie(request: Request, name: str) -> str | None:
    """Give the first cookie of that name in any Cookie header; the name in any case."""
    found = (_cookie_in(header, name) for key, header in request.headers if key == "cookie")
    return next((value for value in found if value is not None), None)


def _cookie_in(header: str, name: str) -> str | None:
    rest = header
    while rest:
        if rest[: len(name)].lower() == name.lower():
            rest = rest[len(name) :].lstrip(" ")
            if rest.startswith("="):
                return rest[1:].lstrip(" ").partition(";")[0]
            # NGINX steps over what is not a "=", even over a ";", so `a; a=1` holds no a.
            rest = rest[1:]
        rest = _COOKIE_END.sub("", rest, count=1)
    return None
