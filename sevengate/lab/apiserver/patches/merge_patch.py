"""JSON merge patch (RFC 7396): null removes, mappings merge, anything else replaces.

It takes any two JSON values and gives a third. It is what kubectl sends for custom resources and for labels and
annotations.
"""

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """Give the target with the patch applied (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
