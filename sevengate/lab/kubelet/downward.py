"""What a pod may know of itself: its fields and resources as text (Kubernetes, "Downward API").

Takes a pod as it will be shown, its address and node included; gives the text of a field, "" for one that it has not.
Pure. Used for environment variables and for files.
"""

import re
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Final

from sevengate.lab.mirror import Object

_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_SUFFIXES: Final = {
    "m": Decimal("0.001"), "": Decimal(1), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12, "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
}  # fmt: skip
_QUANTITY: Final = re.compile(r"([0-9.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)")
#: What a container may use that has no limit: all of the node.
_UNLIMITED: Final = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi"}


def field_of(pod: Object, path: str) -> str:
    """Give a field of a pod as text; labels and annotations together as lines of `key="value"`."""
    if found := _SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        pairs = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f"{name}={_quoted(value)}" for name, value in sorted(pairs.items()))
    if path == "status.podIPs":
        return ",".join(one["ip"] for one in pod.get("status", {}).get("podIPs") or ())
    if path == "status.hostIPs":
        return ",".join(one["ip"] for one in pod.get("status", {}).get("hostIPs") or ())
    value: object = pod
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def resource_of(pod: Object, reference: Object, container: Object | None) -> str:
    """Give a limit or request of a container as a whole number of the divisor."""
    name = reference.get("containerName")
    if container is None or (name and container["name"] != name):
        container = next((one for one in pod["spec"]["containers"] if one["name"] == name), {})
    side, _, resource = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    text = (resources.get(side) or {}).get(resource) or (
        (resources.get("limits") or {}).get(resource) if side == "requests" else None
    )
    amount = _quantity(str(text or (_UNLIMITED.get(resource, "0") if side == "limits" else "0")))
    divisor = _quantity(str(reference.get("divisor") or "1")) or Decimal(1)
    return str((amount / divisor).to_integral_value(ROUND_UP))


def _quantity(text: str) -> Decimal:
    found = _QUANTITY.fullmatch(text)
    try:
        return Decimal(found[1]) * _SUFFIXES[found[2]] if found else Decimal(0)
    except (InvalidOperation, KeyError):
        return Decimal(0)


def _quoted(text: object) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
