"""Events are one type under two names: the core group's and that of events.k8s.io, whose fields are called otherwise.

Takes an Event of events.k8s.io/v1 and gives the core one that is stored, and back. Pure; `resources` keeps the pair of
functions as the type's Conversion, and `columns` prints both types as the core's. Source: the API reference of both.
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


def to_core(event: Object) -> Object:
    """Give an Event with the core group's names; one that has them already stays as it is."""
    renamed = {_NAMES.get(name, name): value for name, value in event.items()}
    return renamed | {"apiVersion": "v1"}


def _from_core(event: Object) -> Object:
    renamed = {_BACK.get(name, name): value for name, value in event.items()}
    return renamed | {"apiVersion": "events.k8s.io/v1"}


CONVERSIONS: Final = {
    ("events.k8s.io/v1", "Event"): (("", "events"), Conversion(to_stored=to_core, from_stored=_from_core))
}
