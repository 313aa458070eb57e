"""Question (c): how long one changed Ingress takes to be live in NGINX, and whether that grows with the cluster."""

from typing import Final

from bench import changes
from bench.answers import Answer
from bench.scale import Scale

QUESTION: Final = (
    "One Ingress changes a path, among 100, 1,000 and 10,000: time from the decoded object to an answer at the new "
    "path from a running NGINX with two workers, bytes pushed, and reloads."
)


def answer(scale: Scale) -> Answer:
    """Change one Ingress after another."""
    return changes.answer(changes.Kind.INGRESS, scale)
