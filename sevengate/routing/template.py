"""A Template is text with variables of a request in it, taken apart once and never handed to NGINX as text.

Users of ingress-nginx write `https://new.example.com$request_uri` in a redirect and `$arg_user` in a hash: there the
text went into nginx.conf and NGINX expanded it. Here it is parsed into literals and names of known variables (which
ones is said in values.py); the data plane joins them per request, so braces, quotes and semicolons are just characters.
"""

import msgspec

from sevengate.values import Variable, interpolation, is_request_variable

__all__ = ["Template", "Variable"]


class Template(msgspec.Struct, frozen=True, gc=False):
    """Literals and variables, in order. The empty Template is false."""

    parts: tuple[str | Variable, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Take `text` apart; raise ValueError for a `$` that is followed by no variable that is known."""
        return cls(interpolation(text, is_request_variable))

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in self.parts)
