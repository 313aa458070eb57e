"""Events are one type under two names: the core group's and that of events.k8s.io, whose fields are called otherwise.

Takes an Event of events.k8s.io/v1 and gives the core one that is stored, and back. Pure; `resources` keeps the pair of
functions as the type's Conversion. Source: the API reference of both types.
"""

from typing import Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.resources import Conversion

#: What a field is called in events.k8s.io/v1, and in the core group.
_NAMES: Final = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_BACK: Final = {core: new for new, core in _NAMES.items()}


def _to_core(event: Object) -> Object:
    renamed = {_NAMES.get(name, name): value for name, value in event.items()}
    return renamed | {"apiVersion": "v1"}


def _from_core(event: Object) -> Object:
    renamed = {_BACK.get(name, name): value for name, value in event.items()}
    return renamed | {"apiVersion": "events.k8s.io/v1"}


CONVERSIONS: Final = {
    ("events.k8s.io/v1", "Event"): (("", "events"), Conversion(to_stored=_to_core, from_stored=_from_core))
}
