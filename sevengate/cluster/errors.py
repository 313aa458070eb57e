"""What can go wrong between us and an API server, as a small tree of exceptions by HTTP status.

A ClusterError is anything that keeps us from our answer; an ApiError is an answer, which says no. The classes are those
that somebody reacts to: GoneError makes a reflector list anew, ForbiddenError becomes a Diagnostic that names the
missing rule, ConflictError lets a writer wait for the newer object. What to do is left to those who catch them.
"""

from typing import Final

import msgspec


class ClusterError(Exception):
    """Something keeps us from an answer of the API server."""


class ConfigError(ClusterError):
    """A kubeconfig, a token file or a credential plugin cannot be used as it is."""


class UnreachableError(ClusterError):
    """No answer: no connection, a broken one, or none in time."""


class StreamError(ClusterError):
    """A watch holds what is not an event."""


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The API's word for what became of a request.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """

    code: int | None = None
    reason: str | None = None
    message: str | None = None


class ApiError(ClusterError):
    """The API server refused: the HTTP status, its reason in one word, its message, and for how long to hold off."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}" if reason else f"{status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class InvalidError(ApiError):
    """400 or 422: the request makes no sense to this server."""


class UnauthorizedError(ApiError):
    """401: the server does not know who we are."""


class ForbiddenError(ApiError):
    """403: no RBAC rule allows it."""


class NotFoundError(ApiError):
    """404: no such object, or no such kind."""


class ConflictError(ApiError):
    """409: the object is there already, or has changed since it was read."""


class GoneError(ApiError):
    """410: the resourceVersion or the continue token is too old; everything must be listed again."""


class TooManyRequestsError(ApiError):
    """429: the server wants fewer requests."""


class ServerError(ApiError):
    """5xx: the server's own trouble."""


_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: TooManyRequestsError,
}
#: Bodies that are no Status are shown up to here.
_SHOWN: Final = 200
#: A server may ask for a pause of this many seconds at most.
_LONGEST_PAUSE: Final = 60.0


def error_of(status: int, body: bytes, retry_after: str = "") -> ApiError:
    """Make the exception for an answer that is no success; a `retry_after` that is a date counts as none."""
    try:
        said = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = Status(message=body[:_SHOWN].decode(errors="replace"))
    pause = min(float(retry_after), _LONGEST_PAUSE) if retry_after.isdecimal() else 0.0
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, said.reason or "", said.message or "", pause)
