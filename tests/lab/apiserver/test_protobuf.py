"""Protobuf bodies, written here by the wire format's own rules, and what no message is."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.lab.apiserver.answers import ApiError
from sevengate.lab.apiserver.protobuf import MAGIC, decode
from sevengate.lab.apiserver.protobuf_messages import KINDS, MESSAGES

DATA = st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=300), max_size=4)


def varint(number: int) -> bytes:
    written = b""
    while number > 0x7F:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def body(api_version: str, kind: str, message: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, message)


@given(DATA)
def test_a_secret_is_read_as_it_was_written(data: dict[str, bytes]) -> None:
    entries = b"".join(field(2, field(1, key) + field(2, value)) for key, value in data.items())
    read = decode(body("v1", "Secret", field(1, field(1, "s")) + entries + field(3, "Opaque")))
    assert read["metadata"] == {"name": "s"}
    assert {key: base64.b64decode(value) for key, value in read.get("data", {}).items()} == data


@pytest.mark.parametrize(
    ("port", "expected"),
    [(field(1, 0) + field(2, 8080), 8080), (field(1, 1) + field(3, "http"), "http")],
)
def test_a_target_port_is_a_number_or_a_name(port: bytes, expected: Any) -> None:
    spec = field(1, field(3, 80) + field(4, port)) + field(4, "ClusterIP")
    read = decode(body("v1", "Service", field(1, field(1, "s")) + field(2, spec)))
    assert read["spec"] == {"ports": [{"port": 80, "targetPort": expected}], "type": "ClusterIP"}


def test_zero_replicas_are_zero_and_not_left_out() -> None:
    read = decode(body("apps/v1", "Deployment", field(2, field(1, 0) + field(5, 0))))
    assert read["spec"] == {"replicas": 0}


def test_helm_deletes_its_release_by_protobuf() -> None:
    read = decode(body("v1", "DeleteOptions", field(1, 0) + field(2, field(1, "u")) + field(4, "Background")))
    assert read["gracePeriodSeconds"] == 0
    assert (read["preconditions"], read["propagationPolicy"]) == ({"uid": "u"}, "Background")


def test_a_field_that_is_not_known_is_refused_and_not_dropped() -> None:
    with pytest.raises(ApiError, match="send JSON"):
        decode(body("v1", "Secret", field(99, "x")))
    with pytest.raises(ApiError, match="send JSON"):
        decode(body("v1", "Node", b""))


@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=60))
def test_bytes_that_are_no_message_are_refused(kind: tuple[str, str], message: bytes) -> None:
    try:
        read = decode(body(*kind, message))
    except ApiError as error:
        code = error.code
    else:
        code = 400
        assert (read["apiVersion"], read["kind"]) == kind
    assert code == 400


def test_every_type_of_a_field_is_known() -> None:
    scalars = {"string", "bytes", "bool", "int"}
    named = {one.type for fields in MESSAGES.values() for one in fields.values()}
    assert named - scalars - MESSAGES.keys() == set()
