"""A Template is text with variables of a request in it, taken apart once and never handed to NGINX as text.

Users of ingress-nginx write `https://new.example.com$request_uri` in a redirect and `$arg_user` in a hash: there the
text went into nginx.conf and NGINX expanded it. Here it is parsed into literals and names of known variables; the data
plane joins them per request, so braces, quotes and semicolons are just characters.
"""

import re
from typing import Final

import msgspec

#: Variables of a request that a Template may name, as NGINX names them
#: (https://nginx.org/en/docs/http/ngx_http_core_module.html#variables).
VARIABLES: Final = frozenset(
    {
        "args",
        "host",
        "http_host",
        "is_args",
        "query_string",
        "remote_addr",
        "request_id",
        "request_method",
        "request_uri",
        "scheme",
        "server_name",
        "server_port",
        "uri",
    }
)
#: Families of variables: one header, one query parameter, one cookie.
FAMILIES: Final = ("http_", "arg_", "cookie_")

_NAME = re.compile(r"\$(?:\{(\w*)\}|(\w*))", re.ASCII)


class Variable(msgspec.Struct, frozen=True, gc=False):
    """The value of one variable of the request."""

    name: str


class Template(msgspec.Struct, frozen=True, gc=False):
    """Literals and variables, in order. The empty Template is false."""

    parts: tuple[str | Variable, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Take `text` apart; raise ValueError for a `$` that is followed by no variable that is known."""
        parts: list[str | Variable] = []
        end = 0
        for found in _NAME.finditer(text):
            name = found[1] if found[1] is not None else found[2]
            if not is_variable(name):
                raise ValueError(f"${name} is not a variable that can be used here")
            parts += [text[end : found.start()], Variable(name)]
            end = found.end()
        parts.append(text[end:])
        return cls(tuple(part for part in parts if part))

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in self.parts)


def is_variable(name: str) -> bool:
    """Say whether a Template may name this variable."""
    return name in VARIABLES or any(name.startswith(family) and len(name) > len(family) for family in FAMILIES)
