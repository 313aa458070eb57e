"""Faults on demand: what an API server under stress does, for tests of its clients.

Takes FaultRules, from Python or as JSON over loopback (`/lab/faults`, or the header `X-Lab-Fault` of one request);
gives the rule that the next request falls under, if any. A rule matches by verb and resource, counts down, and says
what happens: a delay, an error, or a watch that is cut after some lines. How it is carried out is up to `server`.
"""

from typing import Final

import msgspec

from sevengate.lab.apiserver.answers import ApiError, bad_request
from sevengate.lab.apiserver.calls import Call

#: The reasons that Kubernetes gives with a code.
_REASONS: Final = {
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class FaultRule(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What goes wrong, for which requests, and how many times. Empty `verb` and `resource` match any.

    `status` is answered in place of what was asked for; `delay` (seconds) comes first; `cut_after` ends a watch's
    connection in the middle of the stream, after that many events.
    """

    verb: str = ""
    resource: str = ""
    status: int = 0
    delay: float = 0.0
    cut_after: int | None = None
    retry_after: int = 1
    times: int = 1

    def matches(self, call: Call) -> bool:
        """Say whether a request falls under the rule."""
        return self.times > 0 and self.verb in {"", call.verb} and self.resource in {"", call.resource.plural}

    def error(self) -> ApiError:
        """Give the answer that the rule asks for."""
        reason = _REASONS.get(self.status, "InternalError")
        details = {"retryAfterSeconds": self.retry_after} if self.status == 429 else {}
        return ApiError(self.status, reason, f"a fault was asked for: {self.status} {reason}", details)


class Faults:
    """The rules that are in force."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []

    def add(self, rule: FaultRule) -> None:
        """Put a rule in force until it has been used up."""
        self._rules.append(rule)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._rules.clear()

    def rules(self) -> list[FaultRule]:
        """Give the rules that are not used up."""
        return list(self._rules)

    def take(self, call: Call, header: str = "") -> FaultRule | None:
        """Give the rule that a request falls under and count it; one in the request's header goes first."""
        if header:
            return read_rule(header)
        rule = next((rule for rule in self._rules if rule.matches(call)), None)
        if rule is not None:
            rule.times -= 1
            self._rules = [one for one in self._rules if one.times > 0]
        return rule


def read_rule(text: str | bytes) -> FaultRule:
    """Read a rule from JSON; raise ApiError 400 if it is none."""
    try:
        return msgspec.json.decode(text, type=FaultRule)
    except msgspec.DecodeError as error:
        raise bad_request(f"this is no fault: {error}") from None
