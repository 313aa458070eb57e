"""Question (d): how long one changed endpoint takes to be live in NGINX, and whether that grows with the cluster."""

from typing import Final

from bench import changes
from bench.answers import Answer
from bench.scale import Scale

QUESTION: Final = (
    "The endpoint of one Service moves to another address, among 100, 1,000 and 10,000 Ingresses with a Service each: "
    "time from the decoded EndpointSlice to an answer from the new endpoint through a running NGINX with two workers, "
    "bytes pushed, and reloads."
)


def answer(scale: Scale) -> Answer:
    """Move one endpoint after another."""
    return changes.answer(changes.Kind.ENDPOINT, scale)
