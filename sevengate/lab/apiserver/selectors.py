"""Label selectors and field selectors: read from a query, matched against objects.

Takes the text of `labelSelector=` and `fieldSelector=`, or a LabelSelector as objects carry it; gives requirements and
whether labels or fields meet them. Pure. Which fields of a kind can be selected is Kubernetes' own list, which is
short: any other is refused, as the real server does, instead of matching nothing.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object, bad_request


class Requirement(msgspec.Struct, frozen=True):
    """What one key must be: `in` or `notin` some values, or `exists` or `!` not at all."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def met_by(self, values: Mapping[str, str]) -> bool:
        """Say whether labels or fields meet it; a key that is missing is `notin` anything."""
        there = self.key in values
        match self.operator:
            case "in":
                return there and values[self.key] in self.values
            case "notin":
                return not there or values[self.key] not in self.values
            case "exists":
                return there
            case _:
                return not there


class Selector(msgspec.Struct, frozen=True):
    """All requirements of a request; an empty one selects everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    @property
    def name(self) -> str:
        """The only name that an object can have to be selected, "" if it may be any."""
        names = (one.values for one in self.fields if (one.key, one.operator) == ("metadata.name", "in"))
        return next((name for values in names for name in values), "")

    def matches(self, thing: Object) -> bool:
        """Say whether an object is selected."""
        metadata = thing.get("metadata", {})
        labels = metadata.get("labels") or {}
        if not all(requirement.met_by(labels) for requirement in self.labels):
            return False
        return all(requirement.met_by({requirement.key: _field(thing, requirement.key)}) for requirement in self.fields)


_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_SET: Final = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
_EQUAL: Final = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*([^\s,]*)\s*")
_EXISTS: Final = re.compile(rf"\s*(!?)\s*({_KEY})\s*")


def read_labels(text: str) -> tuple[Requirement, ...]:
    """Read `app=web,tier in (a,b),!legacy`; raise ApiError 400 for what is no selector.

    Source: Kubernetes, "Labels and Selectors".
    """
    found: list[Requirement] = []
    at = 0
    while text.strip() and at <= len(text):
        requirement, end = _read_one(text, at)
        found.append(requirement)
        if end < len(text) and text[end] != ",":
            raise _unparsable(text)
        at = end + 1
    return tuple(found)


def _read_one(text: str, at: int) -> tuple[Requirement, int]:
    if some := _SET.match(text, at):
        values = frozenset(value.strip() for value in some[3].split(","))
        return _checked(Requirement(some[1], some[2], values), text), some.end()
    if one := _EQUAL.match(text, at):
        operator = "notin" if one[2] == "!=" else "in"
        return _checked(Requirement(one[1], operator, frozenset({one[3]})), text), one.end()
    if key := _EXISTS.match(text, at):
        return Requirement(key[2], "!" if key[1] else "exists"), key.end()
    raise _unparsable(text)


def _checked(requirement: Requirement, text: str) -> Requirement:
    if not all(_VALUE.fullmatch(value) for value in requirement.values):
        raise _unparsable(text)
    return requirement


def _unparsable(text: str) -> Exception:
    return bad_request(f"unable to parse requirement: {text!r} is not a label selector")


_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def of_label_selector(selector: Object) -> Selector:
    """Give the selector that a LabelSelector object describes; raise ApiError 400 if it describes none."""
    exact = [Requirement(key, "in", frozenset({value})) for key, value in (selector.get("matchLabels") or {}).items()]
    if unknown := {rule["operator"] for rule in selector.get("matchExpressions") or ()} - _OPERATORS.keys():
        raise bad_request(f"matchExpressions: {', '.join(sorted(unknown))} is not a valid label selector operator")
    rules = [
        Requirement(rule["key"], _OPERATORS[rule["operator"]], frozenset(rule.get("values") or ()))
        for rule in selector.get("matchExpressions") or ()
    ]
    return Selector(labels=(*exact, *rules))


_INVOLVED: Final = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVERY_KIND: Final = frozenset({"metadata.name", "metadata.namespace"})
#: The fields that can be selected besides name and namespace, by kind.
SELECTABLE: Final[dict[str, frozenset[str]]] = {
    "Pod": frozenset(
        {
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
        }
    ),
    "Event": frozenset(
        {
            *(f"involvedObject.{name}" for name in _INVOLVED), *(f"regarding.{name}" for name in _INVOLVED),
            "reason", "type", "source", "reportingComponent", "reportingController",
        }
    ),
    "Node": frozenset({"spec.unschedulable"}),
    "Secret": frozenset({"type"}),
    "Namespace": frozenset({"status.phase"}),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
    "ReplicaSet": frozenset({"status.replicas"}),
    "Job": frozenset({"status.successful"}),
}  # fmt: skip

#: How a field is read where its selector's name is not its path.
_READ: Final[dict[str, Callable[[Object], Any]]] = {
    "source": lambda event: (event.get("source") or {}).get("component") or event.get("reportingComponent"),
    "spec.unschedulable": lambda node: bool(node.get("spec", {}).get("unschedulable")),
    "spec.hostNetwork": lambda pod: bool(pod.get("spec", {}).get("hostNetwork")),
}


def read_fields(text: str, kind: str) -> tuple[Requirement, ...]:
    """Read `metadata.name=web,status.phase!=Running`; raise ApiError 400 for a field that cannot be selected."""
    found = []
    for term in filter(None, text.split(",")):
        name, sign, value = _split_term(term)
        if name not in _EVERY_KIND | SELECTABLE.get(kind, frozenset()):
            raise bad_request(f'field label not supported: {name} (kind "{kind}")')
        stored = name.replace("regarding.", "involvedObject.").replace("reportingController", "reportingComponent")
        found.append(Requirement(stored, "notin" if sign == "!=" else "in", frozenset({value})))
    return tuple(found)


def _split_term(term: str) -> tuple[str, str, str]:
    for sign in ("!=", "==", "="):
        name, there, value = term.partition(sign)
        if there:
            return name.strip(), sign, value.strip()
    raise bad_request(f"invalid selector: {term!r}; can't understand it")


def _field(thing: Object, path: str) -> str:
    value: Any
    if read := _READ.get(path):
        value = read(thing)
    else:
        value = thing
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
