"""The key by which a sticky cookie names the backend it was made for.

A cookie reads `<key of the endpoint>|<affinity key of the backend>`. The compiler writes the second half into the
conditions of canary routes (a client who was served by the canary stays with it), the documents tell it to the data
plane, which sets the cookie: all three take it from here, so they cannot disagree. It is a digest because a backend's
name holds characters that a cookie value must not, and because a client need not learn what our Services are called.
"""

import hashlib
from typing import Final

#: What stands between the two halves of a sticky cookie's value.
SEPARATOR: Final = "|"


def affinity_key(backend: str) -> str:
    """Give the key of a backend, by its name: 16 hexadecimal digits."""
    return hashlib.sha256(backend.encode()).hexdigest()[:16]
