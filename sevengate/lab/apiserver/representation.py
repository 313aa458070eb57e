"""In which form an answer is sent: the object, its metadata only, or a Table, as the Accept header asks.

Takes stored objects and a Form; gives bytes. An object in its own form is never encoded twice: lists and watch events
are put together from the bytes that `storage` keeps. Which columns a Table has is in `tables`.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from sevengate.lab.apiserver.answers import ApiError, Object
from sevengate.lab.apiserver.resources import Resource
from sevengate.lab.apiserver.storage import Stored
from sevengate.lab.apiserver.tables import table


class Form(StrEnum):
    """What an object is shown as."""

    WHOLE = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


_JSON: Final = frozenset({"application/json", "application/*", "*/*", ""})


def asked_form(accept: str) -> Form:
    """Choose the form for an Accept header, the first that is known; raise ApiError 406 if none is."""
    for wanted in accept.split(","):
        media, *parameters = (part.strip() for part in wanted.split(";"))
        named = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media in _JSON and named.get("as", "") in list(Form) and named.get("v", "v1") == "v1":
            return Form(named.get("as", ""))
    raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")


class Shower(msgspec.Struct, frozen=True):
    """Shows the objects of one type in one form."""

    resource: Resource
    form: Form = Form.WHOLE
    include: str = "Metadata"

    def one(self, stored: Stored, now: datetime) -> bytes:
        """Show one object."""
        if self.form is Form.WHOLE and self.resource.conversion is None:
            return stored.encoded
        thing = self.resource.shown(stored.object)
        if self.form is Form.WHOLE:
            return msgspec.json.encode(thing)
        if self.form is Form.TABLE:
            shown = table([thing], self.resource, now, include=self.include)
            return msgspec.json.encode({**shown, "metadata": {"resourceVersion": str(stored.revision)}})
        return msgspec.json.encode(_metadata(thing))

    def many(self, items: Sequence[Stored], metadata: Object, now: datetime) -> bytes:
        """Show a list."""
        if self.form is Form.TABLE:
            things = [self.resource.shown(stored.object) for stored in items]
            return msgspec.json.encode(table(things, self.resource, now, include=self.include) | {"metadata": metadata})
        kind, version = f"{self.resource.kind}List", self.resource.api_version
        if self.form is not Form.WHOLE:
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        head = msgspec.json.encode({"kind": kind, "apiVersion": version, "metadata": metadata})
        return b"%s,%s%s]}" % (head[:-1], b'"items":[', b",".join(self.one(stored, now) for stored in items))

    def event(self, change: str, stored: Stored, now: datetime) -> bytes:
        """Show a watch event, one line."""
        return b'{"type":"%s","object":%s}\n' % (change.encode(), self.one(stored, now))

    def bookmark(self, revision: int, annotations: Object) -> bytes:
        """Show a bookmark: that all up to a revision was sent."""
        metadata = {"resourceVersion": str(revision), "creationTimestamp": None} | (
            {"annotations": annotations} if annotations else {}
        )
        shown: Object = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
        if self.form is Form.TABLE:
            shown = {
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "columnDefinitions": None,
                "rows": [],
            }
        elif self.form is not Form.WHOLE:
            shown |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return msgspec.json.encode({"type": "BOOKMARK", "object": shown}) + b"\n"


def _metadata(thing: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}


def error_event(error: ApiError) -> bytes:
    """Show the event that ends a watch which cannot go on."""
    return msgspec.json.encode({"type": "ERROR", "object": error.status()}) + b"\n"
