"""What the Kubernetes API allows as a name, so that a name can stand in a key, a log or a document as it is.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and, for annotations and labels,
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set.
"""

import re

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*")
_QUALIFIED = re.compile(r"(?:(?P<prefix>[^/]*)/)?(?P<name>[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)")


def is_label(text: str) -> bool:
    """Say whether text is a DNS label of at most 63 characters (RFC 1123)."""
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """Say whether text is a DNS name of at most 253 characters (RFC 1123)."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def is_qualified(text: str) -> bool:
    """Say whether text can be the key of a label or an annotation: `name` or `prefix.example/name`.

    An annotation's prefix may hold capitals, as the API server lowers it before it looks.
    """
    match = _QUALIFIED.fullmatch(text) if len(text) <= 253 + 1 + 63 else None
    if match is None or len(match["name"]) > 63:
        return False
    return match["prefix"] is None or is_subdomain(match["prefix"].lower())
