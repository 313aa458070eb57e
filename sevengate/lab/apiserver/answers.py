"""What the API server answers when it does not do as asked: the Status object and its HTTP code.

Any module of the room raises an ApiError through one of the constructors here; `server` turns it into an answer.
Reasons and wordings are those of Kubernetes' API conventions, because clients decide by `reason` and people search for
the message. Bad input ends here too: a FieldError names one field, and `invalid` gathers them into one answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

#: A Kubernetes object as plain data.
Object = dict[str, Any]


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field: its path, a cause of the API conventions, and a message."""

    field: str
    cause: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ApiError(Exception):
    """A refusal: HTTP code, reason, message and details, as a Status carries them.

    Details that are given are shown though empty: some clients look into them without looking for them.
    """

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self._shows_details = details is not None

    def status(self) -> Object:
        """Give the Status object (meta.k8s.io, API conventions: "Response Status Kind")."""
        answer: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self._shows_details:
            answer["details"] = self.details
        return {**answer, "code": self.code}


def success(kind: str, group: str, name: str, uid: str) -> Object:
    """Give the Status that says that something was done, as after a deletion."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def bad_request(message: str) -> ApiError:
    """Refuse a request that cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """Refuse a request whose sender is not known."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(qualified: str, name: str, why: str) -> ApiError:
    """Refuse what the sender may not do; `qualified` is `ingresses.networking.k8s.io`."""
    plural, _, group = qualified.partition(".")
    quoted = f' "{name}"' if name else ""
    details = {"name": name, "group": group, "kind": plural}
    message = f"{qualified}{quoted} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, {key: value for key, value in details.items() if value})


def not_found(qualified: str, name: str) -> ApiError:
    """Say that an object is not there."""
    plural, _, group = qualified.partition(".")
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return ApiError(404, "NotFound", f'{qualified} "{name}" not found', details)


def no_such_path() -> ApiError:
    """Say that nothing is served at a path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    """Refuse a verb that a resource does not have."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message)


def already_exists(qualified: str, name: str) -> ApiError:
    """Refuse to create what is there."""
    plural, _, group = qualified.partition(".")
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return ApiError(409, "AlreadyExists", f'{qualified} "{name}" already exists', details)


def conflict(qualified: str, name: str, why: str) -> ApiError:
    """Refuse a write that was made from an outdated object, or for an object that is another one now."""
    plural, _, group = qualified.partition(".")
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details)


#: Why a write was refused that was made from an outdated object.
OUTDATED: Final = "the object has been modified; please apply your changes to the latest version and try again"


def expired(message: str) -> ApiError:
    """Say that a revision is too old to be known still; the client has to list anew."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(found: str, known: Iterable[str]) -> ApiError:
    """Refuse a body of a kind that is not read here."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(known)}"
    return ApiError(415, "UnsupportedMediaType", f"{message} (got {found or 'none'})")


def invalid(kind: str, group: str, name: str, errors: Iterable[FieldError]) -> ApiError:
    """Refuse an object some of whose fields hold what they must not; each becomes a cause."""
    listed = list(errors)
    causes = [{"reason": error.cause, "message": error.message, "field": error.field} for error in listed]
    text = str(listed[0]) if len(listed) == 1 else f"[{', '.join(map(str, listed))}]"
    qualified = f"{kind}.{group}" if group else kind
    details = {"name": name, "group": group, "kind": kind, "causes": causes}
    message = f'{qualified} "{name}" is invalid: {text}'
    return ApiError(422, "Invalid", message, {key: value for key, value in details.items() if value})


def timed_out(message: str) -> ApiError:
    """Say that what was asked for did not come about in time."""
    return ApiError(504, "Timeout", message)
