"""Conditions: the entries of a status that say whether something is so, since when, and why.

Takes and gives plain data; pure. A condition's time of transition moves only when its status does. Source: Kubernetes'
API conventions ("Typical status properties").
"""

from collections.abc import Iterable

from sevengate.lab.mirror import Object


def condition(thing: Object, type_: str) -> Object | None:
    """Give an object's condition of a type, or None."""
    found = ((thing.get("status") or {}).get("conditions")) or ()
    return next((one for one in found if one["type"] == type_), None)


def is_true(thing: Object, type_: str) -> bool:
    """Say whether an object's condition of a type is there and true."""
    found = condition(thing, type_)
    return found is not None and found["status"] == "True"


def stated(type_: str, *, holds: bool, reason: str, message: str = "") -> Object:
    """Make a condition; its times are added by `with_condition`."""
    return {"type": type_, "status": "True" if holds else "False", "reason": reason, "message": message}


def with_condition(conditions: Iterable[Object], new: Object, now: str) -> list[Object]:
    """Give conditions with one more, in place of that of the same type."""
    kept = list(conditions)
    for position, one in enumerate(kept):
        if one["type"] == new["type"]:
            since = one.get("lastTransitionTime", now) if one["status"] == new["status"] else now
            kept[position] = {"lastTransitionTime": since, **new}
            return kept
    return [*kept, {"lastTransitionTime": now, **new}]


def without_condition(conditions: Iterable[Object], type_: str) -> list[Object]:
    """Give conditions without that of a type."""
    return [one for one in conditions if one["type"] != type_]
