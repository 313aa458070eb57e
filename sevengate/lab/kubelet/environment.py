"""The environment variables of a container, and the words of its command with `$(VAR)` put in.

Takes the container, its pod, the objects that it refers to, and the Services of its namespace; gives a dict. Pure. What
is missing and not optional raises ReferenceMissingError, with which a real kubelet shows CreateContainerConfigError.
Source: Kubernetes, "Define Environment Variables", "Downward API", "Service environment variables".
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sevengate.lab.kubelet.downward import field_of, resource_of
from sevengate.lab.mirror import Object

_REFERENCE: Final = re.compile(r"\$\$|\$\(([A-Za-z_][-._A-Za-z0-9]*)\)")
_NAME: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")

#: Gives a ConfigMap or Secret of a namespace by kind and name, or None.
Find = Callable[[str, str], Object | None]


class ReferenceMissingError(Exception):
    """A ConfigMap, a Secret or a key in one is not there; the text says which."""


class Surroundings(msgspec.Struct, frozen=True):
    """What a container's environment is made from, besides its own spec."""

    pod: Object
    find: Find
    services: Iterable[Object] = ()


def environment(container: Object, around: Surroundings) -> dict[str, str]:
    """Give a container's variables, those of Services first, so that its own go over them."""
    found = dict(_of_services(around.services))
    for source in container.get("envFrom") or ():
        found.update(_from(source, around))
    for entry in container.get("env") or ():
        if "valueFrom" in entry:
            value = _value(entry["valueFrom"], container, around)
            if value is not None:
                found[entry["name"]] = value
        else:
            found[entry["name"]] = expand(entry.get("value") or "", found)
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in for `$(NAME)`; an unknown one stays as it is, and `$$` is a dollar sign."""

    def put(found: re.Match[str]) -> str:
        return "$" if found[1] is None else variables.get(found[1], found[0])

    return _REFERENCE.sub(put, text)


def decoded(thing: Object) -> dict[str, bytes]:
    """Give the entries of a ConfigMap or Secret."""
    if thing["kind"] == "Secret":
        return {name: base64.b64decode(value or "") for name, value in (thing.get("data") or {}).items()}
    plain = {name: str(value).encode() for name, value in (thing.get("data") or {}).items()}
    return plain | {name: base64.b64decode(value) for name, value in (thing.get("binaryData") or {}).items()}


def require(find: Find, kind: str, reference: Object) -> dict[str, bytes]:
    """Give the entries of the object that is referred to, none if it is not there and need not be."""
    name = reference.get("name") or reference.get("secretName") or ""
    thing = find(kind, name)
    if thing is None:
        if reference.get("optional"):
            return {}
        raise ReferenceMissingError(f'{kind.lower()} "{name}" not found')
    return decoded(thing)


def _from(source: Object, around: Surroundings) -> Iterator[tuple[str, str]]:
    kind, reference = (
        ("ConfigMap", source["configMapRef"])
        if source.get("configMapRef")
        else ("Secret", source.get("secretRef") or {})
    )
    for name, value in require(around.find, kind, reference).items():
        variable = (source.get("prefix") or "") + name
        if _NAME.fullmatch(variable):
            yield variable, value.decode(errors="replace")


def _value(source: Object, container: Object, around: Surroundings) -> str | None:
    if reference := source.get("fieldRef"):
        return field_of(around.pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        return resource_of(around.pod, reference, container)
    kind, reference = (
        ("ConfigMap", source["configMapKeyRef"])
        if source.get("configMapKeyRef")
        else ("Secret", source.get("secretKeyRef") or {})
    )
    entries = require(around.find, kind, reference)
    if reference["key"] in entries:
        return entries[reference["key"]].decode(errors="replace")
    if reference.get("optional"):
        return None
    namespace = around.pod["metadata"]["namespace"]
    raise ReferenceMissingError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")


def _of_services(services: Iterable[Object]) -> Iterator[tuple[str, str]]:
    """Give what Docker's links would say of each Service that has an address."""
    for service in services:
        address = service["spec"].get("clusterIP") or "None"
        ports = service["spec"].get("ports") or ()
        if address == "None" or not ports:
            continue
        name = service["metadata"]["name"].upper().replace("-", "_")
        yield f"{name}_SERVICE_HOST", address
        yield f"{name}_SERVICE_PORT", str(ports[0]["port"])
        first = f"{ports[0].get('protocol', 'TCP').lower()}://{address}:{ports[0]['port']}"
        yield f"{name}_PORT", first
        for port in ports:
            if port.get("name"):
                yield f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}", str(port["port"])
            protocol = port.get("protocol", "TCP")
            prefix = f"{name}_PORT_{port['port']}_{protocol}"
            yield prefix, f"{protocol.lower()}://{address}:{port['port']}"
            yield f"{prefix}_PROTO", protocol.lower()
            yield f"{prefix}_PORT", str(port["port"])
            yield f"{prefix}_ADDR", address
