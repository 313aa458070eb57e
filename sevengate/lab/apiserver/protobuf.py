"""Bodies in protobuf, which kubectl from 1.32 on sends for its imperative `create` commands and `auth can-i`.

Takes the bytes of `application/vnd.kubernetes.protobuf` and gives the object as plain data. Only the messages that
those commands send are in MESSAGES, with the fields they set; a field that is not listed is refused and not dropped, so
that nothing is created otherwise than asked for. Answers are always JSON, which kubectl takes. Pure. Source: the
protobuf wire format, and the field numbers of Kubernetes' API.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sevengate.lab.apiserver.answers import Object, bad_request
from sevengate.lab.apiserver.protobuf_messages import KINDS, MESSAGES, Field

#: What stands before the message.
MAGIC: Final = b"k8s\0"


def decode(body: bytes) -> Object:
    """Read an object; raise ApiError 400 for what is broken, or is no message that is known here."""
    if not body.startswith(MAGIC):
        raise bad_request("the body is not a protobuf message of Kubernetes")
    try:
        envelope = _message(body[len(MAGIC) :], "Unknown")
        identity = envelope.get("typeMeta", {})
        kind = KINDS.get((identity.get("apiVersion", ""), identity.get("kind", "")))
        if kind is None:
            raise bad_request(f"{identity} is not read as protobuf here; send JSON")
        return {**identity, **_message(base64.b64decode(envelope.get("raw", "")), kind)}
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise bad_request(f"the body is not a protobuf message: {error}") from error


def _message(body: bytes, name: str) -> Object:
    fields = MESSAGES[name]
    read: Object = {}
    for number, value in _wire(body):
        field = fields.get(number)
        if field is None:
            raise bad_request(f"field {number} of {name} is not read as protobuf here; send JSON")
        _store(read, field, _value(field, value))
    return {key: value for key, value in read.items() if not _is_absent(value, fields, key)}


def _is_absent(value: Any, fields: dict[int, Field], key: str) -> bool:
    """Say whether a value stands for a field that JSON would leave out: Go writes those as zero values."""
    if value in ({}, [], "", None):
        return True
    optional = any(field.name == key and field.optional for field in fields.values())
    return value == 0 and not optional


def _store(read: Object, field: Field, value: Any) -> None:
    if field.shape == "list":
        read.setdefault(field.name, []).append(value)
    elif field.shape == "map":
        read.setdefault(field.name, {})[value.get("key", "")] = value.get("value", "")
    elif field.shape == "inline":
        read.update(value)
    else:
        read[field.name] = value


def _value(field: Field, value: int | bytes) -> Any:
    if isinstance(value, int):
        if field.type not in {"int", "bool"}:
            raise bad_request(f"{field.name} has the wrong wire type")
        return bool(value) if field.type == "bool" else value - (1 << 64 if value >> 63 else 0)
    if scalar := _SCALARS.get(field.type):
        return scalar(value)
    if field.type not in MESSAGES:
        raise bad_request(f"{field.name} has the wrong wire type")
    read = _message(value, field.type)
    return _MEANT[field.type](read) if field.type in _MEANT else read


def _time(moment: Object) -> str | None:
    seconds = moment.get("seconds")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


_SCALARS: Final[dict[str, Callable[[bytes], str]]] = {
    "string": bytes.decode,
    "bytes": lambda value: base64.b64encode(value).decode(),
}
#: Messages that are one value in JSON.
_MEANT: Final[dict[str, Callable[[Object], Any]]] = {
    "IntOrString": lambda read: read.get("strVal", "") if read.get("type") else read.get("intVal", 0),
    "Quantity": lambda read: read.get("string", "0"),
    "Time": _time,
}


def _wire(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Split a message into field numbers and raw values."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        match tag & 7:
            case 0:
                number, at = _varint(body, at)
                yield tag >> 3, number
            case 2:
                size, at = _varint(body, at)
                if at + size > len(body):
                    raise ValueError("a field is cut off")
                yield tag >> 3, body[at : at + size]
                at += size
            case wire_type:
                raise ValueError(f"wire type {wire_type} is not used by Kubernetes")


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")
